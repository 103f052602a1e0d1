//! The command line as data: the verb and its options.

use crate::cli::values::Shell;
use crate::verbs::{
    adopt, ci, dist, fetch, init, list, new, plan, presign, promote, setup, ship, stamp, update,
    upload, vendor, verify,
};

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Print this text: a help text or the version.
    Print(String),
    /// `dist`.
    Dist(dist::Options),
    /// `plan`.
    Plan(plan::Options),
    /// `upload`.
    Upload(upload::Options),
    /// `ship`.
    Ship(ship::Options),
    /// `list`.
    List(list::Options),
    /// `presign`.
    Presign(presign::Options),
    /// `fetch`.
    Fetch(fetch::Options),
    /// `promote`.
    Promote(promote::Options),
    /// `verify`.
    Verify(verify::Options),
    /// `new`.
    New(new::Options),
    /// `adopt`.
    Adopt(adopt::Options),
    /// `init`.
    Init(init::Options),
    /// `setup`.
    Setup(setup::Options),
    /// `ci`.
    Ci(ci::Options),
    /// `stamp`.
    Stamp(stamp::Options),
    /// `vendor`.
    Vendor(vendor::Options),
    /// `update`.
    Update(update::Options),
    /// `completions`, for a shell.
    Completions(Shell),
    /// `completions-services`.
    CompletionsServices,
    /// `reference`.
    Reference,
}
