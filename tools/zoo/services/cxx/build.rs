//! Compiles the C++ side.

fn main() {
    println!("cargo:rerun-if-changed=src/knot.h");
    cxx_build::bridge("src/main.rs").file("src/knot.cc").std("c++17").compile("knot");
}
