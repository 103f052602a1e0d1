//! local-s3

fn main() {}
