//! Allocates with jemalloc, and reads its statistics.

use tikv_jemalloc_ctl::{epoch, stats, version};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    let bytes = vec![1_u8; 1 << 20];
    epoch::advance().expect("new statistics");
    let allocated = stats::allocated::read().expect("a statistic");
    let name = version::read().expect("a version");
    println!("jemalloc {name}: a MiB is allocated: {}", allocated >= bytes.len());
}
