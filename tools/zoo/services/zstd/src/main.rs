//! Compresses with zstd, in C.

fn main() {
    let text = b"a line, a knot, and a line again; ".repeat(100);
    let small = zstd::encode_all(&text[..], 3).expect("compressed");
    let same = zstd::decode_all(&small[..]).expect("decompressed") == text;
    let version = zstd::zstd_safe::version_string();
    println!("zstd {version}: {} to {} bytes, same text: {same}", text.len(), small.len());
}
