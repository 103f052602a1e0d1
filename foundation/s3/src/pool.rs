//! The buffers that bodies are read into, with one limit for all uploads of a client.
//!
//! A body is hashed before it is sent (the signature covers its digest), so it is either read twice
//! or kept. It is kept here, and the limit keeps the memory from growing with the files. A limit on the
//! number of buffers also limits how many bodies are sent at the same time.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Where a buffer begins: at a multiple of so many bytes. AMD's Zen 3 copies four times slower to the
/// first 32 bytes of a page than to what follows them, and an allocation of its own begins 16 bytes
/// into one (200 MiB read from the page cache, a MiB at a time: 150 ms there, 40 ms here).
const ALIGNMENT: usize = 64;

/// Buffers of any size, within a bound of bytes and of buffers.
#[derive(Debug)]
pub(crate) struct Pool {
    limit_bytes: usize,
    limit_buffers: usize,
    held: Mutex<Held>,
    given_back: Condvar,
}

#[derive(Debug, Default)]
struct Held {
    /// The number of buffers in use, and their size.
    taken_buffers: usize,
    taken_bytes: usize,
    /// Free buffers, kept so that their pages are not faulted in again.
    idle: Vec<Vec<u8>>,
}

/// A buffer of the length that was asked for, with whatever its last user left in it; its drop gives
/// it back.
#[derive(Debug)]
pub(crate) struct Buffer<'a> {
    memory: Vec<u8>,
    /// Where it begins in `memory`.
    start: usize,
    size: usize,
    pool: &'a Pool,
}

impl Pool {
    pub(crate) fn new(limit_bytes: usize, limit_buffers: usize) -> Self {
        let held = Mutex::new(Held::default());
        Self { limit_bytes, limit_buffers: limit_buffers.max(1), held, given_back: Condvar::new() }
    }

    /// Waits until `size` bytes are free. More than the limit is given if no other buffer is in use: an
    /// object of hundreds of gigabytes has parts that large.
    pub(crate) fn take(&self, size: usize) -> Buffer<'_> {
        let mut held = self.lock();
        loop {
            let alone = held.taken_buffers == 0;
            let fits = held.taken_buffers < self.limit_buffers
                && held.taken_bytes + size <= self.limit_bytes;
            if alone || fits {
                break;
            }
            held = self.given_back.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        let found = held.idle.iter().position(|idle| room_of(idle) >= size);
        let memory = found.map(|at| held.idle.swap_remove(at));
        // Its own room counts, which may be more than was asked for.
        let left = self.limit_bytes.saturating_sub(held.taken_bytes);
        let memory = memory.filter(|memory| room_of(memory) <= left.max(size));
        let memory = memory.unwrap_or_else(|| vec![0; size + ALIGNMENT]);
        held.taken_buffers += 1;
        held.taken_bytes += room_of(&memory);
        // Idle ones count too: the bound is on what the process holds.
        let mut idle_bytes: usize = held.idle.iter().map(|idle| room_of(idle)).sum();
        while held.taken_bytes + idle_bytes > self.limit_bytes {
            let Some(dropped) = held.idle.pop() else { break };
            idle_bytes -= room_of(&dropped);
        }
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Buffer { memory, start, size, pool: self }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // The numbers are right after every statement, so a panic elsewhere spoils nothing.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns how many bytes a buffer of this memory may have, wherever it begins.
fn room_of(memory: &[u8]) -> usize {
    memory.len() - ALIGNMENT
}

impl Deref for Buffer<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..][..self.size]
    }
}

impl DerefMut for Buffer<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..][..self.size]
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        let mut held = self.pool.lock();
        held.taken_buffers -= 1;
        held.taken_bytes -= room_of(&memory);
        if room_of(&memory) <= self.pool.limit_bytes {
            held.idle.push(memory);
        }
        drop(held);
        self.pool.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::Pool;

    /// Lets `threads` threads take `size` bytes each, and returns how many bytes were out at once at most.
    fn most_at_once(pool: &Pool, threads: usize, size: usize) -> usize {
        let (out, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let mut buffer = pool.take(size);
                        let now = out.fetch_add(size, Ordering::SeqCst) + size;
                        most.fetch_max(now, Ordering::SeqCst);
                        buffer.fill(1);
                        thread::yield_now();
                        out.fetch_sub(size, Ordering::SeqCst);
                    }
                });
            }
        });
        most.into_inner()
    }

    #[test]
    fn the_bounds_hold_whoever_asks() {
        for (limit_bytes, limit_buffers, size, bound) in
            [(1000, 8, 300, 900), (1000, 2, 300, 600), (1000, 0, 300, 300), (1000, 8, 5000, 5000)]
        {
            let pool = Pool::new(limit_bytes, limit_buffers);
            let most = most_at_once(&pool, 6, size);
            assert!((size..=bound).contains(&most), "{limit_bytes} {limit_buffers} {size}: {most}");
        }
    }

    #[test]
    fn a_buffer_is_used_again() {
        let pool = Pool::new(1000, 4);
        let place = pool.take(100).as_ptr();
        let again = pool.take(80);
        assert_eq!((again.len(), again.as_ptr()), (80, place));
        drop(again);
        // A larger one pushes the idle one out: together they would pass the bound.
        drop(pool.take(950));
        assert_eq!(pool.lock().idle.len(), 1);
    }

    #[test]
    fn a_buffer_begins_where_copies_are_fast() {
        let pool = Pool::new(1 << 30, 8);
        for size in [0, 1, 100, 4096, 1 << 20, 8 << 20] {
            let mut buffer = pool.take(size);
            buffer.fill(7);
            assert_eq!((buffer.len(), buffer.as_ptr() as usize % 64), (size, 0));
        }
    }
}
