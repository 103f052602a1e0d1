//! Which library a platform gets, as a table: facts in, choice out.
//!
//! rustup's comes first: it is the pinned compiler's own. The distribution's is the way out of a
//! network that rustup's server cannot be reached from.

use super::Library;

/// What is known about one platform before anything is installed.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each looked at by name")]
pub(super) struct Facts {
    /// What `--library` forces.
    pub(super) asked: Option<Library>,
    pub(super) may_install: bool,
    /// The compiler has the platform's library.
    pub(super) rustup_has: bool,
    /// An earlier run asked rustup in vain.
    pub(super) rustup_refused: bool,
    pub(super) distribution_is_there: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// rustup's, as installed.
    Rustup,
    /// Ask rustup, and fail if it refuses.
    Add,
    /// Ask rustup, and take the distribution's if it refuses.
    AddElseDistribution,
    /// The distribution's, installed first where it is missing and may be.
    Distribution,
    /// Neither is there and nothing may be installed: say what both lack.
    Missing,
}

pub(super) fn choose(facts: Facts) -> Choice {
    match facts {
        Facts { asked: Some(Library::Distribution), .. } => Choice::Distribution,
        Facts { rustup_has: true, .. } => Choice::Rustup,
        Facts { asked: Some(Library::Rustup), may_install: true, .. } => Choice::Add,
        Facts { asked: Some(Library::Rustup), .. } => Choice::Rustup,
        Facts { rustup_refused: true, distribution_is_there: true, .. } => Choice::Distribution,
        Facts { may_install: true, .. } => Choice::AddElseDistribution,
        Facts { distribution_is_there: true, .. } => Choice::Distribution,
        _ => Choice::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::{Choice, Facts, choose};
    use crate::build::toolchain::Library;

    #[test]
    fn rustup_first_the_distribution_second_and_force_wins() {
        let (rustup, distribution) = (Some(Library::Rustup), Some(Library::Distribution));
        // asked, may_install, rustup_has, rustup_refused, distribution_is_there
        let rows = [
            (None, [true, true, false, true], Choice::Rustup),
            (None, [true, false, false, false], Choice::AddElseDistribution),
            (None, [true, false, false, true], Choice::AddElseDistribution),
            (None, [true, false, true, true], Choice::Distribution),
            (None, [true, false, true, false], Choice::AddElseDistribution),
            (None, [false, false, false, true], Choice::Distribution),
            (None, [false, false, false, false], Choice::Missing),
            (rustup, [true, true, false, true], Choice::Rustup),
            (rustup, [true, false, true, true], Choice::Add),
            (rustup, [false, false, false, true], Choice::Rustup),
            (distribution, [true, true, false, false], Choice::Distribution),
            (distribution, [false, true, false, true], Choice::Distribution),
        ];
        for (asked, bits, expected) in rows {
            let [may_install, rustup_has, rustup_refused, distribution_is_there] = bits;
            let facts =
                Facts { asked, may_install, rustup_has, rustup_refused, distribution_is_there };
            assert_eq!(choose(facts), expected, "{facts:?}");
        }
    }
}
