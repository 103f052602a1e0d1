//! Recurses deeper than the first stack is, with assembly that switches stacks.

fn sum(number: u64) -> u64 {
    stacker::maybe_grow(32 * 1024, 1024 * 1024, || match number {
        0 => 0,
        _ => number + sum(number - 1),
    })
}

fn main() {
    println!("stacker: {}", sum(100_000));
}
