//! The verbs, one file each. A verb's file says in which order its work is done.

pub mod adopt;
pub mod ci;
pub mod dist;
pub mod fetch;
pub mod init;
pub mod list;
pub mod new;
pub mod plan;
pub mod presign;
pub mod promote;
pub mod setup;
pub mod ship;
pub mod stamp;
pub mod update;
pub mod upload;
pub mod vendor;
pub mod verify;
