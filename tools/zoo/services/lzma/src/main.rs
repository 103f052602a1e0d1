//! Compresses with liblzma, in C.

fn main() {
    let text = b"a line, a knot, and a line again; ".repeat(100);
    let small = liblzma::encode_all(&text[..], 6).expect("compressed");
    let same = liblzma::decode_all(&small[..]).expect("decompressed") == text;
    println!("liblzma: {} to {} bytes, same text: {same}", text.len(), small.len());
}
