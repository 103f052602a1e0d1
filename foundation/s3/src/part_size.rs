//! How a file is divided into the bodies that are sent: one PUT, or the parts of a multipart upload.
//!
//! (AWS, "Amazon S3 multipart upload limits": parts of 5 MiB to 5 GiB, at most 10,000 of them.)

pub(crate) const MIB: u64 = 1024 * 1024;

/// The size of the largest file that is sent as one PUT; a larger one is a multipart upload. The
/// three further requests of a multipart upload pay off where sending parts in parallel gains more
/// than they cost. Measured with 30 ms to the server: 8 MiB is never faster in parts; 16 MiB takes
/// 0.6 of the time in parts at 15 MB/s a connection and 0.8 at 50, and 90 ms more where the network
/// is faster than that.
pub(crate) const MAX_SINGLE_PUT_BYTES: u64 = 16 * MIB;

/// The size of a part, unless that would need more than 10,000 of them: large enough that the fixed
/// cost of a request is small beside it, small enough that four fit into the default memory.
const PART_BYTES: u64 = 8 * MIB;
const MAX_PARTS: u64 = 10_000;

/// Returns the size of the parts of an object, in bytes: whole MiB, and never more than 10,000 parts.
pub(crate) const fn part_bytes(size_bytes: u64) -> u64 {
    let least = size_bytes.div_ceil(MAX_PARTS).div_ceil(MIB) * MIB;
    if least > PART_BYTES { least } else { PART_BYTES }
}

/// Returns how many bodies a file of this size is sent in: one, or as many as it has parts.
pub fn body_count(size_bytes: u64) -> usize {
    if size_bytes <= MAX_SINGLE_PUT_BYTES {
        return 1;
    }
    usize::try_from(size_bytes.div_ceil(part_bytes(size_bytes))).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{MIB, PART_BYTES, part_bytes};

    #[test]
    fn ten_thousand_parts_always_suffice() {
        let gib = 1024 * MIB;
        for (size_bytes, expected) in [
            (0, PART_BYTES),
            (gib, PART_BYTES),
            (10_000 * PART_BYTES, PART_BYTES),
            (10_000 * PART_BYTES + 1, PART_BYTES + MIB),
            (1024 * gib, 105 * MIB),
            (5 * 1024 * gib, 525 * MIB),
        ] {
            let part = part_bytes(size_bytes);
            assert_eq!(part, expected, "{size_bytes}");
            assert!(size_bytes.div_ceil(part) <= 10_000, "{size_bytes} in parts of {part}");
        }
    }
}
