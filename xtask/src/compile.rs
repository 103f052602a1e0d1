//! stub
use crate::{env::Env, nested, plan::Step, toolchain::Buildable};
/// B
pub struct Binary {
    /// x
    pub service: String,
    /// x
    pub path: std::path::PathBuf,
}
/// b
pub fn build(b: &Buildable, step: &Step, _profile: &str, env: &Env) -> anyhow::Result<Vec<Binary>> {
    let mut v = vec![];
    for x in &step.builds {
        let o = nested::cargo(env)
            .current_dir(&b.root)
            .args(["build", "--release", "--locked", "-p", &x.service, "--target-dir"])
            .arg(&b.target)
            .status()?;
        if !o.success() {
            return Err(ferror::Error::new(ferror::Kind::Failed, "compile").into());
        }
        v.push(Binary { service: x.service.clone(), path: b.target.join("release").join(&x.bin) });
    }
    Ok(v)
}
