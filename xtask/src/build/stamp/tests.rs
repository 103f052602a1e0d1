//! Stamps small images of which every byte is known.

use ferror::Kind;

use super::fixture::{MachO, SIGNATURE_AT, STAMP_AT, STAMP_PAGE, Signed, elf, record};
use super::{Format, Outcome, Version, facts, has_section, normalise, read, remove, verify, write};

const ALL_SIGNED: [Signed; 2] = [Signed::Linker, Signed::TwoHashes];

#[test]
fn a_stamped_mach_o_file_equals_one_that_was_signed_with_its_stamp() {
    for signed in ALL_SIGNED {
        let mut image = MachO::new(signed).image();
        assert_eq!(read(&image).unwrap(), None, "the fixture is not stamped yet");
        assert_eq!(write(&mut image, &record("abc123"), "fixture").unwrap(), Outcome::Stamped);

        let stamp = record("abc123").encode().unwrap();
        let expected = MachO { stamp, ..MachO::new(signed) }.image();
        assert!(image == expected, "bytes differ from the file signed with its stamp");
        assert_eq!(read(&image).unwrap(), Some(record("abc123")));
        verify(&image).unwrap();
    }
}

#[test]
fn stamping_an_elf_file_changes_the_stamp_alone() {
    let before = elf(&[256]);
    let mut image = before.clone();
    assert_eq!(write(&mut image, &record("abc123"), "fixture").unwrap(), Outcome::Stamped);
    assert_eq!(read(&image).unwrap(), Some(record("abc123")));
    assert_eq!(image[..STAMP_AT], before[..STAMP_AT]);
    assert_eq!(image[STAMP_AT + 256..], before[STAMP_AT + 256..]);
    verify(&image).unwrap();
}

#[test]
fn an_earlier_stamp_leaves_no_trace() {
    for fresh in [elf(&[256]), MachO::new(Signed::TwoHashes).image()] {
        let stamped = |image: &[u8], version: &str| {
            let mut image = image.to_vec();
            write(&mut image, &record(version), "fixture").unwrap();
            image
        };
        let longer = stamped(&fresh, "abc123abc123-dirty.0badcafe");
        assert!(stamped(&longer, "def456") == stamped(&fresh, "def456"), "B over A is not B");
        assert!(stamped(&longer, "abc123abc123-dirty.0badcafe") == longer, "A over A is not A");
    }
}

#[test]
fn a_stamp_that_is_removed_leaves_the_binary_as_it_was_linked() {
    let images = ALL_SIGNED.into_iter().map(|signed| MachO::new(signed).image());
    for mut linked in images.chain([elf(&[256])]) {
        normalise(&mut linked).unwrap();
        let mut image = linked.clone();
        write(&mut image, &record("abc123"), "fixture").unwrap();
        assert!(image != linked);
        remove(&mut image).unwrap();
        assert!(image == linked, "something is left of the stamp");
    }
}

#[test]
fn the_uuid_depends_on_the_content_alone() {
    let normal = |made: &MachO| {
        let mut image = made.image();
        normalise(&mut image).unwrap();
        verify(&image).unwrap();
        image
    };
    for signed in ALL_SIGNED {
        let here = MachO::new(signed);
        let elsewhere = MachO { uuid: [9; 16], ..here.clone() };
        let stamped = MachO { stamp: record("abc123").encode().unwrap(), ..here.clone() };
        assert!(here.image() != elsewhere.image(), "the fixtures must differ before");
        assert!(normal(&here) == normal(&elsewhere), "the UUID depends on the folder");

        let at = here.image().windows(16).position(|bytes| bytes == [7; 16]).unwrap();
        let uuid = normal(&here)[at..at + 16].to_vec();
        assert_eq!(normal(&stamped)[at..at + 16], uuid, "the UUID depends on the version");
        assert_eq!((uuid[6] >> 4, uuid[8] >> 6), (8, 2), "not a UUID of version 8");
        let expected = MachO { uuid: uuid.try_into().unwrap(), ..here.clone() }.image();
        assert!(normal(&here) == expected, "more than the UUID and its page hash changed");
    }
    let mut image = elf(&[256]);
    normalise(&mut image).unwrap();
    assert!(image == elf(&[256]), "an ELF file has nothing to normalise");
}

#[test]
fn another_content_has_another_uuid() {
    let uuid = |change: usize| {
        let mut image = MachO::new(Signed::Linker).image();
        let at = image.windows(16).position(|bytes| bytes == [7; 16]).unwrap();
        image[change] ^= 1;
        normalise(&mut image).unwrap();
        image[at..at + 16].to_vec()
    };
    assert_ne!(uuid(0x1000), uuid(0x2000));
}

#[test]
fn two_records_in_one_binary_are_an_error_that_names_it() {
    let made = |stamp_sizes: &[u64]| {
        [
            elf(stamp_sizes),
            MachO { stamp_sizes: stamp_sizes.to_vec(), ..MachO::new(Signed::Linker) }.image(),
        ]
    };
    // The linker joins the sections, or keeps both.
    for image in made(&[512]).into_iter().chain(made(&[256, 256])) {
        let mut written = image.clone();
        let error = write(&mut written, &record("abc123"), "releases").unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("stamping releases"), "does not name the binary: {text}");
        assert!(text.contains("2 versions of the crate `stamp`"), "does not say why: {text}");
        let ours = error.downcast_ref::<ferror::Error>().expect("a Kind");
        assert_eq!(ours.kind(), Kind::Config);
        assert!(ours.hint_text().is_some_and(|hint| hint.contains("cargo tree")), "no way out");
        assert!(written == image, "an image that cannot be stamped was changed");
    }
    for image in made(&[255]) {
        let error = format!("{:#}", read(&image).unwrap_err());
        assert!(error.contains("255 bytes; expected 256"), "{error}");
    }
}

#[test]
fn a_program_without_the_section_stays_as_it_is() {
    let made = MachO { stamp_sizes: Vec::new(), ..MachO::new(Signed::Linker) };
    for before in [elf(&[]), made.image()] {
        let mut image = before.clone();
        let outcome = write(&mut image, &record("abc123"), "fixture").unwrap();
        assert_eq!(outcome, Outcome::NoSection);
        assert!(image == before, "a program without a section was changed");
        assert_eq!((has_section(&image).unwrap(), read(&image).unwrap()), (false, None));
        verify(&image).unwrap();
    }
    assert!(has_section(&elf(&[256])).unwrap());
}

#[test]
fn an_image_signed_with_a_certificate_is_refused_unchanged() {
    let before = MachO::new(Signed::Certificate).image();
    verify(&before).unwrap();
    let mut image = before.clone();
    let error = format!("{:#}", write(&mut image, &record("abc123"), "fixture").unwrap_err());
    assert!(error.contains("signed with a certificate"), "{error}");
    assert!(image == before, "the signed image was changed");
}

#[test]
fn verify_finds_a_changed_page_and_a_missing_signature() {
    for signed in ALL_SIGNED {
        let mut image = MachO::new(signed).image();
        image[STAMP_AT + 300] ^= 1;
        let error = format!("{:#}", verify(&image).unwrap_err());
        assert!(error.contains(&format!("page {STAMP_PAGE} of 3")), "{error}");
    }
    let error = format!("{:#}", verify(&MachO::new(Signed::Nobody).image()).unwrap_err());
    assert!(error.contains("without a code signature"), "{error}");

    let mut image = elf(&[256]);
    image[STAMP_AT] = b'x';
    let error = format!("{:#}", verify(&image).unwrap_err());
    assert!(error.contains("neither zero nor a stamp"), "{error}");
}

#[test]
fn a_malformed_signature_is_refused_before_the_image_is_changed() {
    let check = |at: usize, value: u8, expected: &str| {
        let mut image = MachO::new(Signed::Linker).image();
        image[SIGNATURE_AT + at] = value;
        let before = image.clone();
        let error = format!("{:#}", write(&mut image, &record("abc123"), "fixture").unwrap_err());
        assert!(error.contains(expected), "byte {at} is {value}: expected {expected:?} in {error}");
        assert!(image == before, "byte {at} is {value}: the image was changed");
    };
    check(0, 0, "begins with 00de0cc0");
    check(8, 1, "16777217 blobs");
    check(15, 5, "no code directory");
    // The one code directory follows the super blob's 20 bytes.
    check(20, 0, "wrong magic number");
    check(20 + 5, 1, "cut off");
    check(20 + 19, 0xff, "cut off");
    check(20 + 31, 2, "2 page hashes for 8720 bytes");
    check(20 + 35, 0x11, "covers more than the bytes before it");
    check(20 + 36, 20, "an unknown hash");
    check(20 + 37, 9, "an unknown hash");
    check(20 + 39, 0, "not of 4 to 64 KiB");
    check(20 + 47, 1, "scattered");
    check(20 + 35, 0x0f, "covers 8719 of the 8720 bytes before it");
    check(20 + 63, 1, "covers 1 of the 8720 bytes before it");
}

#[test]
fn facts_are_read_from_the_file() {
    let found = facts(&MachO::new(Signed::TwoHashes).image()).unwrap();
    assert_eq!((found.format, found.cpu.as_str()), (Format::MachO, "aarch64"));
    assert_eq!(found.minimum, Some(Version(11, 0, 0)));
    assert_eq!(found.libraries, ["/usr/lib/libSystem.B.dylib"]);
    assert_eq!(found.signed_pages, Some(3));

    let found = facts(&elf(&[256])).unwrap();
    assert_eq!((found.format, found.cpu.as_str()), (Format::Elf, "x86_64"));
    assert_eq!(found.minimum, Some(Version(2, 17, 0)));
    assert_eq!(found.libraries, ["libc.so.6"]);
    assert_eq!(found.signed_pages, None);
}

#[test]
fn the_error_for_another_kind_of_file_names_it_and_what_was_expected() {
    let check = |start: &[u8], expected: &str| {
        let error = read(start).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.starts_with(expected), "{start:x?}: {text}");
        assert!(text.contains("expected a 64-bit little-endian ELF file"), "{text}");
        assert_eq!(
            error.downcast_ref::<ferror::Error>().map(ferror::Error::kind),
            Some(Kind::Invalid)
        );
    };
    check(b"\x7fELF\x01\x01\x01", "a 32-bit or big-endian ELF file");
    check(b"\x7fELF\x02\x02\x01", "a 32-bit or big-endian ELF file");
    check(b"\xca\xfe\xba\xbe\0\0\0\x02", "a universal (fat) Mach-O file");
    check(b"\xca\xfe\xba\xbf\0\0\0\x02", "a universal (fat) Mach-O file");
    check(b"\xce\xfa\xed\xfe\x07\0\0\0", "a 32-bit Mach-O file");
    check(b"\xfe\xed\xfa\xcf\x01\0\0\0", "a big-endian Mach-O file");
    check(b"MZ\x90\0", "a Windows (PE) file");
    check(b"#!/bin/sh\n", "not an executable");
    check(b"", "not an executable");
}
