//! releases

fn main() {}
