//! Lists the network interfaces.

fn main() {
    let interfaces = if_addrs::get_if_addrs().expect("interfaces");
    let loopback = interfaces.iter().any(|interface| interface.is_loopback());
    println!("if-addrs: loopback {loopback}, {} addresses", interfaces.len());
}
