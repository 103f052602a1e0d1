//! Compresses with Brotli, in C.

use std::io::{Read as _, Write as _};

use brotlic::{CompressorWriter, DecompressorReader};

fn main() {
    let text = b"a line, a knot, and a line again; ".repeat(100);
    let mut writer = CompressorWriter::new(Vec::new());
    writer.write_all(&text).expect("compressed");
    let small = writer.into_inner().expect("compressed to its end");
    let mut back = Vec::new();
    DecompressorReader::new(&small[..]).read_to_end(&mut back).expect("decompressed");
    println!("Brotli: {} to {} bytes, same text: {}", text.len(), small.len(), back == text);
}
