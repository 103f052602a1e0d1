//! Compresses with LZ4, in C.

fn main() {
    let text = b"a line, a knot, and a line again; ".repeat(100);
    let small = lz4::block::compress(&text, None, true).expect("compressed");
    let same = lz4::block::decompress(&small, None).expect("decompressed") == text;
    println!("LZ4 {}: {} to {} bytes, same text: {same}", lz4::version(), text.len(), small.len());
}
