//! From source to archive: toolchains, compiling, stamping, packing.

pub mod archive;
pub mod compile;
pub mod gzip;
pub mod pins;
pub mod resources;
pub mod stamp;
pub mod toolchain;
