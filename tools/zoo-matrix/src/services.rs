//! Reads the list of services, `tools/zoo/zoo.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use ferror::{Error, Result};
use toml::de::{DeTable, DeValue};

use crate::cannot;

/// A service of the zoo.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// Its folder below `tools/zoo/services`; its package is `zoo-NAME`.
    pub(crate) name: String,
    /// The crate that it tries, with the features that matter.
    pub(crate) uses: String,
    /// What the crate is for: TLS, database, …
    pub(crate) kind: String,
    /// What the service does with it.
    pub(crate) proves: String,
    /// How its output begins.
    pub(crate) prints: String,
    /// Why a platform cannot have it.
    pub(crate) no: BTreeMap<String, String>,
}

impl Service {
    /// Returns the name of the package, of its program and of its archives.
    pub(crate) fn package(&self) -> String {
        format!("zoo-{}", self.name)
    }

    /// Returns why this platform cannot have the service; nothing where it can.
    pub(crate) fn reason(&self, platform: &str) -> Option<&str> {
        self.no.get(platform).or_else(|| self.no.get("all")).map(String::as_str)
    }
}

/// Reads the list, in its order.
pub(crate) fn read(path: &Path) -> Result<Vec<Service>> {
    let text = std::fs::read_to_string(path).map_err(cannot(path.display().to_string()))?;
    parse(&text).map_err(|error| error.context(path.display().to_string()))
}

fn parse(text: &str) -> Result<Vec<Service>> {
    let table = DeTable::parse(text).map_err(|error| {
        let message = error.message().to_owned();
        Error::config(format!("this is not TOML: {message}"))
    })?;
    let Some(DeValue::Array(services)) = table.get_ref().get("service").map(toml::Spanned::get_ref)
    else {
        return Err(Error::config("there is no [[service]]"));
    };
    services.iter().map(|service| service_of(service.get_ref())).collect()
}

fn service_of(value: &DeValue<'_>) -> Result<Service> {
    let DeValue::Table(table) = value else {
        return Err(Error::config("a service is a table, [[service]]"));
    };
    let known = ["name", "uses", "kind", "proves", "prints", "no"];
    if let Some(name) = table.keys().find(|name| !known.contains(&name.get_ref().as_ref())) {
        let name = name.get_ref();
        return Err(Error::config(format!("unknown field {name}; a service has {known:?}")));
    }
    let text = |field: &str| match table.get(field).map(toml::Spanned::get_ref) {
        Some(DeValue::String(text)) => Ok(text.to_string()),
        _ => Err(Error::config(format!("a service has no text `{field}`"))),
    };
    let no = match table.get("no").map(toml::Spanned::get_ref) {
        None => BTreeMap::new(),
        Some(DeValue::Table(reasons)) => reasons
            .iter()
            .map(|(platform, reason)| match reason.get_ref() {
                DeValue::String(reason) => Ok((platform.get_ref().to_string(), reason.to_string())),
                _ => Err(Error::config("a reason in `no` is a text")),
            })
            .collect::<Result<_>>()?,
        Some(_) => return Err(Error::config("`no` is a table of platforms and reasons")),
    };
    Ok(Service {
        name: text("name")?,
        uses: text("uses")?,
        kind: text("kind")?,
        proves: text("proves")?,
        prints: text("prints")?,
        no,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::{parse, read};

    #[test]
    fn the_list_names_every_service_and_the_crate_that_it_uses() {
        let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../zoo");
        let services = read(&zoo.join("zoo.toml")).expect("the list");
        let listed: BTreeSet<_> = services.iter().map(|service| service.name.clone()).collect();
        assert_eq!(listed.len(), services.len(), "each name is there once");
        let folders = std::fs::read_dir(zoo.join("services")).expect("the services");
        let folders: BTreeSet<_> = folders
            .map(|folder| folder.expect("a folder").file_name().to_string_lossy().into_owned())
            .collect();
        assert_eq!(listed, folders);
        for service in &services {
            let file = zoo.join("services").join(&service.name).join("Cargo.toml");
            let text = std::fs::read_to_string(&file).expect("a Cargo.toml");
            assert!(text.contains(&format!("name = \"{}\"\n", service.package())), "{text}");
            let uses = service.uses.split(' ').next().expect("a crate");
            assert!(text.contains(&format!("\n{uses} = ")), "{} does not use {uses}", service.name);
        }
    }

    #[test]
    fn a_misspelt_or_missing_field_is_an_error() {
        let fields = ["name", "uses", "kind", "proves", "prints"];
        let whole = fields.map(|field| format!("{field} = 'x'\n")).concat();
        let text = |fields: &str| format!("[[service]]\n{fields}");
        let services = parse(&text(&format!("{whole}no.all = 'why'"))).expect("a service");
        assert_eq!(services[0].reason("linux_amd64"), Some("why"));
        let error = parse(&text(&whole.replace("kind", "kimd"))).unwrap_err();
        assert!(error.to_string().starts_with("unknown field kimd"), "{error}");
        let error = parse(&text(&whole.replace("kind = 'x'\n", ""))).unwrap_err();
        assert_eq!(error.to_string(), "a service has no text `kind`");
    }
}
