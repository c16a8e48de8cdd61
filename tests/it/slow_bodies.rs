//! Bodies that do not end, over a real socket.

use std::time::{Duration, Instant};

use tillwatch::domain::{KeyMode, KeyScope, StoreSet};
use tillwatch::web::api::BodyLimits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::api::key;
use crate::service::TestService;

const ROW: &str = r#"{"transaction_id":"a","created_at":"2026-10-31T10:00:00Z","status":"succeeded","amount":1,"currency":"CNY"}"#;

/// A server with little patience, its address and a key.
async fn impatient() -> (TestService, std::net::SocketAddr, String) {
    let service = TestService::start().await;
    service.owner().await;
    let key = key(&service, KeyScope::Ingest, KeyMode::Live, StoreSet::All).await;
    let state = service.state.clone();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let limits = BodyLimits {
                patience: Duration::from_millis(300),
                bytes_per_second: 1 << 20,
                bytes_per_second_min: 10_000,
                ..BodyLimits::default()
            };
            let server = actix_web::HttpServer::new(move || {
                actix_web::App::new()
                    .app_data(actix_web::web::Data::new(state.clone()))
                    .app_data(actix_web::web::Data::new(limits))
                    .wrap(actix_web::middleware::from_fn(tillwatch::web::gate))
                    .configure(tillwatch::web::routes)
            })
            .workers(1)
            .bind("127.0.0.1:0")
            .unwrap();
            sender.send(server.addrs()[0]).unwrap();
            server.run().await.unwrap();
        });
    });
    let address = receiver.recv().unwrap();
    (service, address, key)
}

/// Sends a head and pieces of a body with pauses; returns what comes back until the answer's body is there.
async fn send(
    address: std::net::SocketAddr,
    key: &str,
    told: usize,
    pieces: &[&str],
    pause: Duration,
) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/v1/transactions HTTP/1.1\r\nhost: x\r\nauthorization: {key}\r\ncontent-type: application/json\r\n\
         content-length: {told}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for piece in pieces {
        if stream.write_all(piece.as_bytes()).await.is_err() {
            break;
        }
        tokio::time::sleep(pause).await;
    }
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !String::from_utf8_lossy(&answer).trim_end().ends_with('}') {
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut piece)).await;
        match read.expect("no answer") {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(&piece[..count]),
        }
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_is_given_up_and_the_next_one_is_taken() {
    let (service, address, key) = impatient().await;
    let begun = Instant::now();
    let answer = send(address, &key, ROW.len(), &[&ROW[..20]], Duration::ZERO).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("body_too_slow"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    // A byte now and then does not keep it open either.
    let drips: Vec<&str> = ROW.split_inclusive('"').collect();
    let answer = send(address, &key, 1 << 20, &drips, Duration::from_millis(40)).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let answer = send(address, &key, ROW.len(), &[ROW], Duration::ZERO).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(crate::api::ids_in_inbox(&service.state.database).await, ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_says_it_is_too_large_is_refused_before_it_is_sent() {
    let (_service, address, key) = impatient().await;
    let answer = send(address, &key, (16 << 20) + 1, &[], Duration::ZERO).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}
