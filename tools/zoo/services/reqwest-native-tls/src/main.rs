//! Fetches by HTTP with reqwest, whose default TLS is the system's, or OpenSSL on Linux.

fn main() {
    let client = reqwest::blocking::Client::builder().no_proxy().build().expect("a client");
    let port = zoo_support::serve_http("knots");
    let url = format!("http://127.0.0.1:{port}/");
    let text = client.get(url).send().and_then(|answer| answer.text()).expect("an answer");
    // A server that does not speak TLS: the client's side of a handshake runs, and fails.
    let port = zoo_support::serve_http("no TLS");
    let error = client.get(format!("https://127.0.0.1:{port}/")).send().expect_err("no TLS there");
    println!(
        "reqwest with native-tls: {text} by http, connect error by https: {}",
        error.is_connect()
    );
}
