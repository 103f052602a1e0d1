//! Looks at a repository that exists, and says what has to be written there so that it can use xtask. Nothing here
//! writes into that repository.

pub mod alias;
pub mod ci;
pub mod found;
pub mod inputs;
pub mod lock_file;
pub mod program;
pub mod services;
