//! Servers of tonic, whose requests go through a `TraceLayer` and through tonic's own span, which is
//! entered by a guard as well. The service is what its generator writes, by hand.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use axum::response::Response;
use exectrace_middleware::Tasks;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt, iter};
use tonic::Status;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, ServerStreamingService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic_prost::ProstCodec;
use tower::{Service, ServiceBuilder};
use tower_http::trace::{DefaultMakeSpan, GrpcMakeClassifier, TraceLayer};
use tracing::{Level, info_span, instrument};

use crate::load::{sleep, turn};
use crate::servers::{Numbers, SEEN_BY_HOOKS, compared, serve, served_until_all_are_done};

/// The one message: a number.
#[derive(Clone, PartialEq, prost::Message)]
struct Order {
    #[prost(uint64, tag = "1")]
    number: u64,
}

#[derive(Clone, Copy, Debug)]
struct Orders;

#[instrument(skip_all)]
async fn place(number: u64) -> u64 {
    turn().await;
    save(number).await;
    number + 1
}

#[instrument(skip_all)]
async fn save(number: u64) {
    for _ in 0..number % 3 {
        sleep(1).await;
    }
}

#[instrument(skip_all)]
async fn part(number: u64, part: u64) -> Result<Order, Status> {
    turn().await;
    Ok(Order {
        number: number + part,
    })
}

impl UnaryService<Order> for Orders {
    type Response = Order;
    type Future = BoxFuture<'static, Result<tonic::Response<Order>, Status>>;

    fn call(&mut self, request: tonic::Request<Order>) -> Self::Future {
        Box::pin(async move {
            let number = place(request.into_inner().number).await;
            Ok(tonic::Response::new(Order { number }))
        })
    }
}

impl ServerStreamingService<Order> for Orders {
    type Response = Order;
    type ResponseStream = BoxStream<'static, Result<Order, Status>>;
    type Future = BoxFuture<'static, Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Order>) -> Self::Future {
        Box::pin(async move {
            let number = place(request.into_inner().number).await;
            let parts = iter(0..3).then(move |index| part(number, index));
            Ok(tonic::Response::new(parts.boxed()))
        })
    }
}

impl NamedService for Orders {
    const NAME: &'static str = "orders.Orders";
}

impl<B> Service<axum::http::Request<B>> for Orders
where
    B: axum::body::HttpBody<Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send>
        + Send
        + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: axum::http::Request<B>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::<Order, Order>::default());
            Ok(match request.uri().path() {
                "/orders.Orders/Place" => grpc.unary(Orders, request).await,
                _ => grpc.server_streaming(Orders, request).await,
            })
        })
    }
}

fn trace_layer() -> TraceLayer<GrpcMakeClassifier> {
    TraceLayer::new_for_grpc().make_span_with(DefaultMakeSpan::new().level(Level::INFO))
}

/// A client that does its share of the requests on one connection, and compares the answers.
fn client(address: SocketAddr, numbers: Numbers, method: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let server = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let mut server = tonic::client::Grpc::new(server.connect().await.unwrap());
        for number in numbers {
            server.ready().await.unwrap();
            let request = tonic::Request::new(Order { number });
            let codec = ProstCodec::<Order, Order>::default();
            let path = axum::http::uri::PathAndQuery::from_static(method);
            if method.ends_with("Place") {
                let answer = server.unary(request, path, codec).await.unwrap();
                assert_eq!(answer.into_inner().number, number + 1);
                continue;
            }
            let parts = server.server_streaming(request, path, codec).await.unwrap();
            let parts: Vec<_> = parts
                .into_inner()
                .map(|part| part.unwrap().number)
                .collect()
                .await;
            assert_eq!(parts, [number + 1, number + 2, number + 3]);
        }
    });
}

fn placing(address: SocketAddr, numbers: Numbers) {
    client(address, numbers, "/orders.Orders/Place");
}

fn listing(address: SocketAddr, numbers: Numbers) {
    client(address, numbers, "/orders.Orders/List");
}

#[test]
fn each_call_of_a_method_is_one_request_with_its_spans() {
    let serve = || {
        let service = ServiceBuilder::new().layer(trace_layer()).service(Orders);
        serve(placing, service)
    };
    compared(&["request", "place", "save"], serve, Tasks::Followed);
}

#[test]
fn a_request_lasts_until_its_stream_of_answers_has_ended() {
    let serve = || {
        let service = ServiceBuilder::new().layer(trace_layer()).service(Orders);
        serve(listing, service)
    };
    compared(&["request", "place", "save"], serve, Tasks::Followed);
}

#[test]
fn calls_are_whole_where_tonic_spawns_the_connections_and_has_a_span_too() {
    let serve = || {
        served_until_all_are_done(placing, |listener, done| async {
            let server = Server::builder()
                .trace_fn(|_| info_span!("rpc"))
                .layer(trace_layer())
                .add_service(Orders)
                .serve_with_incoming_shutdown(TcpIncoming::from(listener), done);
            server.await.unwrap();
        })
    };
    compared(&["rpc", "request", "place", "save"], serve, SEEN_BY_HOOKS);
}
