//! Gzip that is the same on every machine and uses every core.
//!
//! The input is cut into chunks of a fixed size, each compressed on its own with the 32 KiB before
//! it as dictionary, ended by a sync flush, and joined: one ordinary gzip member (RFC 1952), as
//! pigz makes it. Chunks depend on the input alone, so the bytes do not depend on the core count.
//!
//! zlib-rs at level 9 stays below `gzip -6` in size; its lower levels do not.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

const CHUNK_BYTES: usize = 512 * 1024;
/// Deflate's window: what a chunk can refer back to (RFC 1951, section 2).
const WINDOW_BYTES: usize = 32 * 1024;
const LEVEL: u32 = 9;

/// Magic, deflate, no flags: no name; no time; strongest level; unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];

/// Compresses `bytes`.
pub fn compress(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    // An empty input still has one, empty, final chunk.
    let chunks = bytes.len().div_ceil(CHUNK_BYTES).max(1);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(vec![Vec::new(); chunks]);
    let work = || -> anyhow::Result<()> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= chunks {
                return Ok(());
            }
            let compressed = compress_chunk(bytes, index, index + 1 == chunks)?;
            done.lock().expect("no thread panics while it holds the lock")[index] = compressed;
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(chunks);
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mine = work();
        others
            .into_iter()
            .map(|thread| thread.join().expect("compressing does not panic"))
            .fold(mine, Result::and)
    })?;

    let mut crc = Crc::new();
    crc.update(bytes);
    let mut gzip = HEADER.to_vec();
    for chunk in done.into_inner().expect("no thread panicked") {
        gzip.extend(chunk);
    }
    gzip.extend(crc.sum().to_le_bytes());
    gzip.extend((bytes.len() as u32).to_le_bytes()); // modulo 2^32, as RFC 1952 has it
    Ok(gzip)
}

fn compress_chunk(bytes: &[u8], index: usize, last: bool) -> anyhow::Result<Vec<u8>> {
    let start = index * CHUNK_BYTES;
    let chunk = &bytes[start..bytes.len().min(start + CHUNK_BYTES)];
    let mut deflate = Compress::new(Compression::new(LEVEL), false);
    if start > 0 {
        deflate.set_dictionary(&bytes[start - WINDOW_BYTES..start]).context("priming deflate")?;
    }
    let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
    let mut compressed = Vec::with_capacity(chunk.len() / 2 + 1024);
    loop {
        let read = usize::try_from(deflate.total_in())?;
        let status =
            deflate.compress_vec(&chunk[read..], &mut compressed, flush).context("deflating")?;
        let read_all = deflate.total_in() == chunk.len() as u64;
        // Room left over says that the flush is complete (zlib's manual, deflate()).
        if status == Status::StreamEnd
            || (!last && read_all && compressed.len() < compressed.capacity())
        {
            return Ok(compressed);
        }
        compressed.reserve(chunk.len() / 4 + 1024);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::process::{Command, Stdio};

    use super::{CHUNK_BYTES, compress};

    /// Bytes that neither repeat nor are random: a counter's decimal digits with noise.
    fn sample(length: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_u32;
        let mut bytes = Vec::with_capacity(length + 16);
        while bytes.len() < length {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bytes.extend_from_slice(format!("{} ", state >> 18).as_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    #[test]
    fn what_was_compressed_comes_back() {
        for length in
            [0, 1, 1000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7]
        {
            let bytes = sample(length);
            let mut back = Vec::new();
            // A reader of one member only: what we write is one member.
            flate2::read::GzDecoder::new(&compress(&bytes).unwrap()[..])
                .read_to_end(&mut back)
                .unwrap();
            assert!(back == bytes, "{length} bytes came back as {} others", back.len());
        }
    }

    #[test]
    fn at_most_one_percent_larger_than_gzip_6() {
        // This test's own binary is what we compress all day: machine code.
        let binary = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let mut gzip = Command::new("gzip")
            .args(["-6", "--no-name"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("gzip is installed");
        let mut stdin = gzip.stdin.take().unwrap();
        let input = binary.clone();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let theirs = gzip.wait_with_output().unwrap().stdout.len();
        writer.join().unwrap().unwrap();
        let ours = compress(&binary).unwrap().len();
        assert!(ours * 100 <= theirs * 101, "ours has {ours} bytes, gzip -6 {theirs}");
    }
}
