//! Makes the client and the server of `knots.proto`.

fn main() {
    tonic_prost_build::compile_protos("src/knots.proto").expect("code from knots.proto");
}
