//! Makes bindings of `knot.h`, and compiles `knot.c`.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=src/knot.h");
    cc::Build::new().file("src/knot.c").compile("knot");
    let bindings = bindgen::Builder::default().header("src/knot.h").generate().expect("bindings");
    let folder = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    bindings.write_to_file(Path::new(&folder).join("knot.rs")).expect("a file");
}
