//! Allocates with snmalloc, in C++.

#[global_allocator]
static ALLOCATOR: snmalloc_rs::SnMalloc = snmalloc_rs::SnMalloc;

fn main() {
    let bytes = Vec::<u8>::with_capacity(1000);
    println!("snmalloc: 1000 bytes take {:?}", ALLOCATOR.usable_size(bytes.as_ptr()));
}
