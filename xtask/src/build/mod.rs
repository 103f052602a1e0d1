//! From source to archive: toolchains, compiling, stamping, packing.

pub mod archive;
pub mod binary_check;
pub mod compile;
pub mod difference;
pub mod gzip;
pub mod handed_over;
pub mod key_inputs;
pub mod macos_sdk;
pub mod outside_flags;
pub mod pins;
pub mod repack;
pub mod resources;
pub mod reuse;
pub mod snapshot;
pub mod stamp;
pub mod toolchain;
