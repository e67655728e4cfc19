//! The listener: bounded connections, TLS, slow clients cut off.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::admit::{Peer, turned_away};
use super::backend::Backend;
use super::crowd::Crowd;
use super::limits::{ACCEPT_AGAIN, ACCEPT_PAUSE, HEADER_BYTES, HEADER_COUNT, Limits, PEER_DEAD};
use super::stall::StallGuard;
use super::{ApiSettings, ApiState, CheckCertificate, router};

/// Listens and serves until `shutdown`; then connections get a short time to end.
///
/// Returns the address listened on (with the real port when 0 was asked for) and the task, which never
/// fails. Errors: the address cannot be bound.
pub async fn serve(
    settings: ApiSettings,
    backend: Arc<dyn Backend>,
    shutdown: CancellationToken,
) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(settings.listen).await?;
    let address = listener.local_addr()?;
    let state = Arc::new(ApiState::new(&settings, backend, shutdown.clone()));
    Ok((address, serve_on(listener, &settings, state, shutdown)))
}

/// The same on a socket that listens already.
pub(super) fn serve_on(
    listener: TcpListener,
    settings: &ApiSettings,
    state: Arc<ApiState>,
    shutdown: CancellationToken,
) -> JoinHandle<()> {
    let limits = settings.limits;
    let tls = settings.tls.clone().map(TlsAcceptor::from);
    let router = router(&state);
    let check_certificate = Arc::clone(&settings.check_certificate);
    let door = Door { tls, check_certificate, state, router, limits, shutdown };
    tokio::spawn(door.run(listener))
}

#[derive(Clone)]
struct Door {
    tls: Option<TlsAcceptor>,
    check_certificate: CheckCertificate,
    state: Arc<ApiState>,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
}

impl Door {
    async fn run(self, listener: TcpListener) {
        let room = Arc::new(Semaphore::new(self.limits.connections));
        let crowd = Arc::new(Crowd::default());
        let mut connections = JoinSet::new();
        let mut told: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                () = self.shutdown.cancelled() => break,
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            let (stream, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    if told.is_none_or(|at| at.elapsed() >= ACCEPT_AGAIN) {
                        told = Some(Instant::now());
                        tracing::warn!(%error, "the API cannot accept connections: give it more descriptors");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let place = crowd.enter(from.ip(), self.limits.connections_per_address);
            let permit = Arc::clone(&room).try_acquire_owned();
            let (Some(place), Ok(permit)) = (place, permit) else {
                metrics::counter!("biplane_api_connections_refused_total").increment(1);
                continue;
            };
            let door = self.clone();
            connections.spawn(async move {
                door.connection(stream, from.ip()).await;
                drop((permit, place));
            });
        }
        drop(listener);
        let ended = async { while connections.join_next().await.is_some() {} };
        // Whatever is left after this is aborted with the set.
        let _ = tokio::time::timeout(self.limits.shutdown_grace, ended).await;
    }

    async fn connection(self, stream: TcpStream, address: IpAddr) {
        let socket = socket2::SockRef::from(&stream);
        // Comfort, not need: a socket without these options still works.
        let _ = socket.set_tcp_nodelay(true);
        let _ = socket.set_tcp_user_timeout(Some(PEER_DEAD));
        let stranger = Peer { address, certified: None };
        let Some(tls) = self.tls.clone() else { return self.http(stream, stranger).await };
        let handshake = tokio::time::timeout(self.limits.handshake, tls.accept(stream));
        let result = tokio::select! {
            () = self.shutdown.cancelled() => return,
            result = handshake => result,
        };
        match result {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates();
                let certified = shown.and_then(|shown| (self.check_certificate)(shown));
                self.http(stream, Peer { certified, ..stranger }).await;
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake with the API failed");
                if let Some(why) = bad_certificate(&error) {
                    turned_away(&self.state, Some(&stranger), why);
                }
            }
            Err(_) => tracing::debug!("a TLS handshake with the API took too long"),
        }
    }

    async fn http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S, peer: Peer) {
        let router = self.router;
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            router.clone().oneshot(request)
        });
        let io = TokioIo::new(StallGuard::new(stream, self.limits.write_stall));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header)
            .max_headers(HEADER_COUNT)
            .max_buf_size(HEADER_BYTES)
            // A buffer may grow beyond what is asked of it.
            .max_header_size(HEADER_BYTES)
            .serve_connection(io, service);
        tokio::pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = self.shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, "a connection to the API broke");
        }
    }
}

/// What is wrong with the certificate that a client showed, if that is why a handshake failed: a failed login.
fn bad_certificate(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::InvalidCertificate(why) = error else { return None };
    Some(format!("its certificate is not good here: {why}"))
}
