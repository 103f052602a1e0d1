//! Calls C++ by cxx, with a string and an exception.

#[cxx::bridge]
mod ffi {
    unsafe extern "C++" {
        include!("zoo-cxx/src/knot.h");
        fn tie(name: &str) -> Result<String>;
    }
}

fn main() {
    let tied = ffi::tie("bowline").expect("a knot");
    let error = ffi::tie("").expect_err("no knot without a name");
    println!("cxx: {tied}, {error}");
}
