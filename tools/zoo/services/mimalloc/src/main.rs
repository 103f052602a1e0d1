//! Allocates with mimalloc.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let bytes = Vec::<u8>::with_capacity(1000);
    // SAFETY: the pointer comes from this allocator.
    let size = unsafe { ALLOCATOR.usable_size(bytes.as_ptr()) };
    println!("mimalloc: 1000 bytes take {size}");
}
