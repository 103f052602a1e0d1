//! Compresses with zlib, in C.

use std::io::Read as _;

use flate2::Compression;
use flate2::read::{ZlibDecoder, ZlibEncoder};

fn main() {
    let text = b"a line, a knot, and a line again; ".repeat(100);
    let (mut small, mut back) = (Vec::new(), Vec::new());
    ZlibEncoder::new(&text[..], Compression::best()).read_to_end(&mut small).expect("compressed");
    ZlibDecoder::new(&small[..]).read_to_end(&mut back).expect("decompressed");
    println!("zlib: {} to {} bytes, same text: {}", text.len(), small.len(), back == text);
}
