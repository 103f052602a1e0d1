//! Makes a producer with librdkafka.

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

fn main() {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", "127.0.0.1:1")
        .set("log_level", "0")
        .create()
        .expect("a producer");
    producer.send(BaseRecord::to("knots").key("knot").payload("bowline")).expect("queued");
    let (_, version) = rdkafka::util::get_rdkafka_version();
    println!("librdkafka {version}: {} queued", producer.in_flight_count());
}
