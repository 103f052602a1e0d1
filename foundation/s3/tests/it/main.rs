//! Tests of the public interface: published signatures, and a client against scripted servers.

mod answers;
mod bodies;
mod chain;
mod checksums;
mod cuts;
mod differential_v2;
mod differential_v4;
mod early;
mod generated;
mod issuers;
mod outside;
mod programs;
mod published_v2;
mod published_v4;
mod publishers;
mod repairs;
mod resume;
mod retry_policy;
mod server;
mod store;
mod unfinished;
