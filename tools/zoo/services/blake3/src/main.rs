//! Hashes with BLAKE3, in assembly or C.

fn main() {
    println!("BLAKE3: {}", blake3::hash(&b"bowline".repeat(1000)));
}
