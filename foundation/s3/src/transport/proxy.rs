//! Chooses the proxy of a request from the environment, as curl does; `docs/proxies.md` has the rules.

use std::net::IpAddr;

use ferror::Error;
use ureq::Proxy;

/// The schemes of proxies that can be used. ureq's support for SOCKS is not built in.
const SPOKEN: [&str; 2] = ["http", "https"];

/// Every variable that is read. A name in small letters goes before the same one in capitals.
const VARIABLES: [&str; 7] = [
    "https_proxy",
    "HTTPS_PROXY",
    // Not HTTP_PROXY: a web server may set that from a visitor's header `Proxy`.
    "http_proxy",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
];

/// The proxy variables that are set, as they were when a client was made.
#[derive(Debug, Clone, Default)]
pub(super) struct Proxies {
    set: Vec<(&'static str, String)>,
}

impl Proxies {
    /// Reads the variables. `variable` looks one up; a blank one counts as unset.
    pub(super) fn read(variable: impl Fn(&'static str) -> Option<String>) -> Self {
        let set = VARIABLES.into_iter().filter_map(|name| {
            let value = variable(name)?;
            let value = value.trim();
            (!value.is_empty()).then(|| (name, value.to_owned()))
        });
        Self { set: set.collect() }
    }

    /// Returns the proxy for a URL; `None` when it is requested directly.
    ///
    /// # Errors
    /// [`ferror::Kind::Config`], with the variable that names what is no proxy, or one of a kind that
    /// cannot be used. Its value is not shown, since it may hold a password.
    pub(super) fn of(&self, url: &str) -> ferror::Result<Option<Proxy>> {
        let Some((name, value)) = self.named(url) else { return Ok(None) };
        let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
        if !SPOKEN.contains(&scheme.to_ascii_lowercase().as_str()) {
            // A scheme is shown only if it is one: something else may be a user's name or a password.
            let is_scheme =
                scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
            let kind = if is_scheme { format!(" of the kind {scheme}://") } else { String::new() };
            return Err(Error::config(format!(
                "{name} names a proxy{kind}, which this program cannot use"
            ))
            .hint(
                "name an http:// or https:// proxy, in https_proxy if other programs need this one, \
                 or list the host in no_proxy",
            ));
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let proxy = Proxy::new(&format!("{}://{authority}", scheme.to_ascii_lowercase()));
        match proxy {
            Ok(proxy) if !proxy.host().is_empty() => Ok(Some(proxy)),
            _ => Err(Error::config(format!("{name} is not the URL of a proxy"))
                .hint("write it as http://HOST:PORT or http://USER:PASSWORD@HOST:PORT")),
        }
    }

    /// Returns the variable that names the proxy for a URL, and its value.
    fn named(&self, url: &str) -> Option<(&'static str, &str)> {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let (host, port) = host_and_port(authority);
        let port = port.unwrap_or(if scheme == "https" { 443 } else { 80 });
        let first = |names: &[&str]| {
            names.iter().find_map(|wanted| self.set.iter().find(|(name, _)| name == wanted))
        };
        let exempt = first(&["no_proxy", "NO_PROXY"]);
        if exempt.is_some_and(|(_, list)| is_exempt(list, host, port)) {
            return None;
        }
        let named = match scheme {
            "https" => first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            _ => first(&["http_proxy", "all_proxy", "ALL_PROXY"]),
        };
        named.map(|(name, value)| (*name, value.as_str()))
    }
}

/// Returns whether an entry of the list, which commas or blanks separate, is this host.
fn is_exempt(list: &str, host: &str, port: u16) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let mut entries = list.split(|c: char| c == ',' || c.is_whitespace());
    entries.any(|entry| entry == "*" || is_host(entry, host, port))
}

fn is_host(entry: &str, host: &str, port: u16) -> bool {
    let address = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    if let Some(address) = address(host)
        && let Some((network, bits)) = entry.split_once('/')
    {
        let (network, bits) = (network.trim_matches(['[', ']']).parse(), bits.parse());
        return matches!((network, bits), (Ok(network), Ok(bits)) if is_within(address, network, bits));
    }
    let (name, only_port) = match address(entry) {
        // The colons of an IPv6 address without brackets begin no port.
        Some(_) => (entry, None),
        None => host_and_port(entry),
    };
    if only_port.is_some_and(|only| only != port) {
        return false;
    }
    match (address(host), address(name)) {
        (Some(host), Some(name)) => host == name,
        (Some(_), None) | (None, Some(_)) => false,
        (None, None) => {
            let name = name.strip_prefix("*.").or_else(|| name.strip_prefix('.')).unwrap_or(name);
            let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
            let host = host.to_ascii_lowercase();
            let before = host.strip_suffix(&name);
            !name.is_empty() && before.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        }
    }
}

/// Returns whether `address` and `network` have their first `bits` bits in common.
fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let (differing, length) = match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits() ^ b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits(), 128),
        _ => return false,
    };
    bits <= length && differing.checked_shr(length - bits).unwrap_or(0) == 0
}

/// Splits `HOST[:PORT]`, where HOST may be an IPv6 address in brackets. What is no port stays.
fn host_and_port(authority: &str) -> (&str, Option<u16>) {
    let split =
        authority.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
    match split.map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) => (host, Some(port)),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::Proxies;

    /// The page whose table is the test.
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/proxies.md");

    fn of(environment: &str, url: &str) -> ferror::Result<Option<ureq::Proxy>> {
        let set: Vec<_> =
            environment.split(';').filter_map(|one| one.trim().split_once('=')).collect();
        let look_up = |name: &str| set.iter().find(|(known, _)| *known == name);
        Proxies::read(|name| look_up(name).map(|(_, value)| (*value).to_owned())).of(url)
    }

    #[test]
    fn every_row_of_the_page_is_so() {
        let page = std::fs::read_to_string(PAGE).expect("docs/proxies.md");
        let rows =
            page.lines().filter(|line| line.starts_with("| `") || line.starts_with("| nothing"));
        let mut checked = 0;
        for row in rows {
            let cells: Vec<_> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
            let [_, environment, url, expected, _] = cells[..] else {
                panic!("{row}: three cells")
            };
            match (of(environment, url), expected.strip_prefix("error about ")) {
                (Err(error), Some(variable)) => {
                    let variable = variable.trim_matches('`');
                    assert_eq!(error.kind(), ferror::Kind::Config, "{row}");
                    assert!(error.to_string().starts_with(variable), "{row}: {error}");
                    assert!(!format!("{error:?}").contains("secret"), "{row}: {error:?}");
                }
                (Ok(proxy), None) => {
                    let is = proxy.map_or_else(
                        || "directly".to_owned(),
                        |proxy| {
                            let scheme = proxy.protocol().to_string().to_ascii_lowercase();
                            format!("{scheme}://{}:{}", proxy.host(), proxy.port())
                        },
                    );
                    assert_eq!(is, expected, "{row}");
                }
                (Ok(proxy), Some(_)) => panic!("{row}: expected an error, not {proxy:?}"),
                (Err(error), None) => panic!("{row}: {error}"),
            }
            checked += 1;
        }
        assert!(checked >= 40, "the table of {PAGE} was not found: {checked} rows");
    }
}
