//! Calls itself by gRPC, with code that protoc and tonic make from a .proto file.

use knots::knots_client::KnotsClient;
use knots::knots_server::{Knots, KnotsServer};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

mod knots {
    tonic::include_proto!("knots");
}

struct Tied;

#[tonic::async_trait]
impl Knots for Tied {
    async fn tie(&self, request: Request<knots::Name>) -> Result<Response<knots::Knot>, Status> {
        let text = format!("tied a {}", request.into_inner().name);
        Ok(Response::new(knots::Knot { text }))
    }
}

#[tokio::main]
async fn main() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("its address");
    let server = tonic::transport::Server::builder().add_service(KnotsServer::new(Tied));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let mut client = KnotsClient::connect(format!("http://{address}")).await.expect("a client");
    let name = knots::Name { name: "bowline".to_owned() };
    let knot = client.tie(name).await.expect("an answer").into_inner();
    println!("tonic: {}", knot.text);
}
