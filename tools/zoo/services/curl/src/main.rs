//! Fetches by HTTP with libcurl, which the crate looks for on the system.

fn main() {
    let port = zoo_support::serve_http("knots");
    let mut easy = curl::easy::Easy::new();
    easy.url(&format!("http://127.0.0.1:{port}/")).expect("a URL");
    easy.noproxy("*").expect("no proxy");
    let mut text = Vec::new();
    let mut transfer = easy.transfer();
    transfer
        .write_function(|part| {
            text.extend_from_slice(part);
            Ok(part.len())
        })
        .expect("a receiver");
    transfer.perform().expect("an answer");
    drop(transfer);
    let version = curl::Version::get();
    let tls = version.ssl_version().unwrap_or("none");
    println!("curl {}: {}, TLS by {tls}", version.version(), String::from_utf8_lossy(&text));
}
