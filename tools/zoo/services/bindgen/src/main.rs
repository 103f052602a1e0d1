//! Calls C by bindings that bindgen makes from a header.

#[expect(non_camel_case_types, dead_code, reason = "the names are those of the header, all of it")]
mod knot {
    include!(concat!(env!("OUT_DIR"), "/knot.rs"));
}

fn main() {
    let knot = knot::knot { turns: 40, ends: knot::KNOT_ENDS };
    // SAFETY: the function reads the knot, and nothing else.
    println!("bindgen: {}", unsafe { knot::knot_sum(&raw const knot) });
}
