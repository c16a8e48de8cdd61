//! The HTTP server around the routes.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::{App, HttpServer, web};
use anyhow::Context;

use crate::web::connections::Connections;
use crate::web::{AppState, gate, measure, routes};

/// Time a client has for the head of its request.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a closing connection may linger.
const DISCONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Connections of all workers.
const CONNECTIONS_MAX: usize = 12_000;
/// How long running requests may take at the end, in seconds.
const SHUTDOWN_S: u64 = 20;

/// Binds the address and returns the server (which runs when awaited) and where it listens.
///
/// # Errors
/// When the address cannot be used.
pub fn bind(state: &AppState, listen: SocketAddr) -> anyhow::Result<(Server, SocketAddr)> {
    let data = web::Data::new(state.clone());
    let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let connections = Connections::new(&state.config.trusted_proxies);
    let server = HttpServer::new(move || {
        App::new().app_data(data.clone()).wrap(from_fn(gate)).wrap(from_fn(measure)).configure(routes)
    })
    .on_connect(move |io, data| {
        if let Some(peer) = io.downcast_ref::<TcpStream>().and_then(|stream| stream.peer_addr().ok()) {
            data.insert(connections.open(peer.ip()));
        }
    })
    .workers(workers)
    .client_request_timeout(HEAD_WITHIN)
    .keep_alive(KEEP_ALIVE)
    .client_disconnect_timeout(DISCONNECT_WITHIN)
    .max_connections(CONNECTIONS_MAX.div_ceil(workers))
    .shutdown_timeout(SHUTDOWN_S)
    .bind(listen)
    .with_context(|| {
        format!("listening on {listen} (is another program there? choose another with --listen)")
    })?;
    let bound = server.addrs().first().copied().unwrap_or(listen);
    Ok((server.run(), bound))
}
