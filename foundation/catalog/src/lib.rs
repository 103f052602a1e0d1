//! How releases lie in the bucket, read-only: what an object key means, what a manifest object says,
//! and what stands beside what.
//!
//! ```text
//! <prefix><service>/<service>_<version>.tar.gz              the archive for linux_amd64
//! <prefix><service>/<service>_<version>_<platform>.tar.gz   the archives for other platforms
//! <prefix><service>/<service>_<version>.json                the manifest object, PUT last
//! <prefix><service>/channels/<channel>.json                 a channel: which release it names
//! ```
//!
//! A release is visible once its manifest object exists. A repository may give its archives other
//! keys, by a template of its own; then an archive is what a manifest object names, if the key names
//! the service and the release and the object itself carries the digest that the manifest says.
//! Everything else is not ours: nothing here ever names it. So a service that shows releases cannot
//! be made to show, and one that removes them cannot be made to remove, anything else in the bucket,
//! whatever a manifest object says. The price: a templated archive that no manifest object names
//! (an upload that was given up, a removal that was cut short) is nobody's, and stays.

mod channels;
mod manifest;
mod name;
mod shelf;

pub use channels::{Channel, Entry, Promoted, read_channel, read_channels};
pub use manifest::{Artifact, MAX_MANIFEST_BYTES, Manifest};
pub use name::{DEFAULT_PLATFORM, ObjectKind, ObjectName, is_service, is_version, manifest_key};
pub use shelf::{Found, Reading, Service, Shelf, read_manifest};
