//! One file for each part of the client's work.

mod conditions;
mod keys;
mod large;
mod listing;
mod objects;
mod presigned;
mod refusals;
mod unfinished;
