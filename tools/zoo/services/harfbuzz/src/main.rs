//! Finds the direction of a text with HarfBuzz, in C++.

use std::ffi::{CStr, c_char, c_int};

use harfbuzz_sys::{HB_DIRECTION_RTL, hb_buffer_add_utf8, hb_buffer_create, hb_buffer_destroy};
use harfbuzz_sys::{
    hb_buffer_get_direction, hb_buffer_guess_segment_properties, hb_version_string,
};

fn main() {
    let text = "\u{5e7}\u{5e9}\u{5e8}";
    let length = text.len() as c_int;
    // SAFETY: the text has this length, and the buffer is used until it is destroyed.
    let (direction, version) = unsafe {
        let buffer = hb_buffer_create();
        hb_buffer_add_utf8(buffer, text.as_ptr().cast::<c_char>(), length, 0, length);
        hb_buffer_guess_segment_properties(buffer);
        let direction = hb_buffer_get_direction(buffer);
        hb_buffer_destroy(buffer);
        (direction, CStr::from_ptr(hb_version_string()))
    };
    let right_to_left = direction == HB_DIRECTION_RTL;
    println!("HarfBuzz {}: right to left: {right_to_left}", version.to_string_lossy());
}
