//! The tools that build what is published, each at one version: the only place that names them.
//!
//! Other versions give other bytes, so manifests name the compiler, and caches are keyed by this
//! file or by [`id`]. Raising a pin is a commit that touches this file alone.
//!
//! The digests are those of the wheels on `PyPI`, which pip checks before it unpacks anything.

/// The compiler, and the standard library of the platforms that rustup serves.
pub const RUSTC: &str = "1.95.0";
/// The linker and C compiler, as the `PyPI` package `ziglang`.
pub const ZIG: &str = "0.17.1";
/// The program that makes zig the linker of a cargo build.
pub const CARGO_ZIGBUILD: &str = "0.24.0";
/// The compiler in Debian's packages of [`DISTRIBUTION_PACKAGES`] when they were last looked at.
/// A mirror keeps no older ones, so another one is used and said, not refused.
pub const DISTRIBUTION_RUSTC: &str = "1.96.0";
/// Debian's compiler, its cargo, its library sources, and the `rust-objcopy` that strips Mach-O.
pub const DISTRIBUTION_PACKAGES: [&str; 4] =
    ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"];

/// The wheels for one kind of machine that builds.
#[derive(Debug, PartialEq, Eq)]
pub struct Wheels {
    /// The machine's triple, as rustc names its host.
    pub host: &'static str,
    /// SHA-256 of ziglang's wheel.
    pub ziglang: &'static str,
    /// SHA-256 of cargo-zigbuild's wheel.
    pub cargo_zigbuild: &'static str,
}

const WHEELS: [Wheels; 4] = [
    Wheels {
        host: "x86_64-unknown-linux-gnu",
        ziglang: "ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54",
        cargo_zigbuild: "484412e39e4c6039474535ce97ee75a22bab22d58233056f8ec8a8f9034bb957",
    },
    Wheels {
        host: "aarch64-unknown-linux-gnu",
        ziglang: "b7c5f02fccd40f89b999ee16a1f5ddced56e6182370f8affe494bcf8a28cf07e",
        cargo_zigbuild: "6942e4320f7b05d8fb29e0a8ce5670bcbb3d254275100b85b5b7c86552f9a744",
    },
    // One wheel of cargo-zigbuild holds both of Apple's architectures.
    Wheels {
        host: "x86_64-apple-darwin",
        ziglang: "4e0b4b9c02b8d0d220e9948010f860b62ff11d96abb39762eca5fa2ef3f7bc97",
        cargo_zigbuild: "b576e8b95ff199eedee0e57afcdbaff7579744916261483280d350b9a35711fd",
    },
    Wheels {
        host: "aarch64-apple-darwin",
        ziglang: "09953b6af7f64168b915180a42774f520f92d86ef6331b28e33915c7e1f0bb23",
        cargo_zigbuild: "b576e8b95ff199eedee0e57afcdbaff7579744916261483280d350b9a35711fd",
    },
];

/// Returns all pins in one word, fit for a folder's name or the key of a cache.
pub fn id() -> String {
    format!("rustc-{RUSTC}_{}", tools_id())
}

/// Returns the pins of what pip installs, in one word.
pub fn tools_id() -> String {
    format!("zig-{ZIG}_zigbuild-{CARGO_ZIGBUILD}")
}

/// Returns the wheels for a machine, where there are some.
pub fn wheels(host: &str) -> Option<&'static Wheels> {
    WHEELS.iter().find(|wheels| wheels.host == host)
}

/// Returns pip's requirements file for a machine: exact versions, exact bytes.
pub fn requirements(wheels: &Wheels) -> String {
    let Wheels { ziglang, cargo_zigbuild, .. } = wheels;
    format!(
        "ziglang=={ZIG} --hash=sha256:{ziglang}\n\
         cargo-zigbuild=={CARGO_ZIGBUILD} --hash=sha256:{cargo_zigbuild}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::{WHEELS, id, requirements, wheels};

    #[test]
    fn every_wheel_has_a_digest() {
        for Wheel { host, digest } in all() {
            let is_hex = digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            assert!(is_hex && digest.len() == 64, "{host}: `{digest}` is no SHA-256 in lower hex");
        }
    }

    struct Wheel {
        host: &'static str,
        digest: &'static str,
    }

    fn all() -> impl Iterator<Item = Wheel> {
        WHEELS.iter().flat_map(|wheels| {
            [wheels.ziglang, wheels.cargo_zigbuild]
                .map(|digest| Wheel { host: wheels.host, digest })
        })
    }

    #[test]
    fn a_requirements_file_pins_version_and_bytes() {
        let linux = wheels("x86_64-unknown-linux-gnu").expect("a supported host");
        let text = requirements(linux);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].starts_with("ziglang==0.17.1 --hash=sha256:ea6cc5d8"), "{text}");
        assert!(lines[1].starts_with("cargo-zigbuild==0.24.0 --hash=sha256:484412e3"), "{text}");
        assert_eq!(wheels("x86_64-pc-windows-msvc"), None);
    }

    #[test]
    fn the_id_names_every_pin_and_is_one_word() {
        let id = id();
        for pin in [super::RUSTC, super::ZIG, super::CARGO_ZIGBUILD] {
            assert!(id.contains(pin), "{id} lacks {pin}");
        }
        assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{id}");
    }
}
