//! bowline-xtask

fn main() {}
