//! Looks a function up by its name at run time.

use std::ffi::c_int;

use libloading::os::unix::{Library, Symbol};

fn main() {
    let library = Library::this();
    // SAFETY: that is the signature of C's `abs`.
    let abs = unsafe { library.get::<unsafe extern "C" fn(c_int) -> c_int>(b"abs") };
    let abs: Symbol<unsafe extern "C" fn(c_int) -> c_int> = abs.expect("C's abs");
    // SAFETY: `abs` of this number is defined.
    println!("libloading: {}", unsafe { abs(-42) });
}
