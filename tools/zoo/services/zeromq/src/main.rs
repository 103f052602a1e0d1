//! Sends itself a message by ZeroMQ.

fn main() {
    let context = zmq::Context::new();
    let (here, there) = (context.socket(zmq::PAIR), context.socket(zmq::PAIR));
    let (here, there) = (here.expect("a socket"), there.expect("a socket"));
    here.bind("inproc://knots").expect("bound");
    there.connect("inproc://knots").expect("connected");
    there.send("bowline", 0).expect("sent");
    let text = here.recv_string(0).expect("received").expect("a text");
    println!("ZeroMQ {:?}: {text}", zmq::version());
}
