//! Asks for a broker by the MQTT client of Eclipse Paho.

fn main() {
    let client = paho_mqtt::Client::new("tcp://127.0.0.1:1").expect("a client");
    let error = client.connect(None).err().expect("nothing listens at port 1");
    println!("Paho MQTT: connected {}, {error}", client.is_connected());
}
