//! Compresses with bzip2, in C.

use std::io::Read as _;

use bzip2::Compression;
use bzip2::read::{BzDecoder, BzEncoder};

fn main() {
    let text = b"a line, a knot, and a line again; ".repeat(100);
    let (mut small, mut back) = (Vec::new(), Vec::new());
    BzEncoder::new(&text[..], Compression::best()).read_to_end(&mut small).expect("compressed");
    BzDecoder::new(&small[..]).read_to_end(&mut back).expect("decompressed");
    println!("bzip2: {} to {} bytes, same text: {}", text.len(), small.len(), back == text);
}
