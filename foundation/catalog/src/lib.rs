//! Describes how releases lie in a bucket: the object keys, the manifests, manifest objects and channels,
//! and reads and writes them.
//!
//! ```text
//! <prefix><service>/<service>_<version>.tar.gz              the archive for linux_amd64
//! <prefix><service>/<service>_<version>_<platform>.tar.gz   the archives for other platforms
//! <prefix><service>/<service>_<version>.json                the manifest object, PUT last
//! <prefix><service>/channels/<channel>.json                 a channel: which release it names
//! <prefix>keys/<build key>/<digest>                         an entry of the index of binaries
//! <prefix>verified/<service>/<version>                      which archives were built again and came out equal
//! ```
//!
//! A release is visible once its manifest object exists. A repository may give its archives other
//! keys, by a [`Template`] of its own; then an archive is what a manifest object names, if the key
//! names the service and the release and the object itself carries the digest that the manifest says.
//! Everything else is not ours: nothing here ever names it. So a service that shows releases cannot
//! be made to show, and one that removes them cannot be made to remove, anything else in the bucket,
//! whatever a manifest object says. The price: a templated archive that no manifest object names
//! (an upload that was given up, a removal that was cut short) belongs to no release, and stays.
//!
//! Manifests and channels are read in two ways. Who writes them again reads strictly: every field is
//! known and has its form, since an unknown one would be lost. Who shows them reads leniently: what a
//! newer writer adds is ignored. This crate compiles before every first `cargo xtask`, so it has no
//! derives of serde.

mod channel;
mod index;
pub mod json;
mod keys;
mod listing;
mod manifest;
mod platform;
mod reading;
mod receipt;

pub use channel::{Channel, Entry, MAX_ENTRIES, Promoted, StoredChannel, is_promoter};
pub use index::{IndexEntry, Indexed};
pub use keys::{
    Names, ObjectName, Template, archive_key, channel_key, check_distinct, folder_prefix,
    index_key, is_channel, is_service, is_version, manifest_key, receipt_key,
};
pub use listing::{Found, Service, by_service};
pub use manifest::{Artifact, Branch, MANIFEST_FILE, MAX_MANIFEST_BYTES, Manifest};
pub use platform::{Arch, Os, PLAIN_KEY_PLATFORM, Platform};
pub use reading::{Reading, read_channel, read_channels, read_index_entry, read_manifest};
pub use receipt::{Receipt, Verified};
