//! This process as a crowd of API clients: many that only hold a connection, and some that ask for the status over and
//! over. They come from many addresses, as a crowd does.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{Request, StatusCode};
use biplane::edge::identity::api_client_tls;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The name of the measurement's own process when it plays the crowd.
pub(crate) const PLAY_CROWD: &str = "play-crowd";

/// Addresses that the crowd comes from, 127.0.1.1 and on: fewer than 256 connections from each.
const ADDRESSES: usize = 40;
/// Who was turned away comes again after this long.
const AGAIN: Duration = Duration::from_secs(2);
/// They come one after the other.
const APART: Duration = Duration::from_millis(2);

/// What the crowd saw.
#[derive(Debug, Default)]
struct Seen {
    /// Connections open now, after their handshake.
    idle: AtomicU64,
    busy: AtomicU64,
    /// Turned away before the handshake was over.
    refused: AtomicU64,
    /// Closed by the node while idle.
    closed: AtomicU64,
    answers: AtomicU64,
    /// Answers of 503: too many requests at once.
    too_many: AtomicU64,
}

#[derive(Clone)]
struct Door {
    address: SocketAddr,
    tls: TlsConnector,
    token: Arc<str>,
    seen: Arc<Seen>,
}

/// `ADDRESS CA TOKEN IDLE BUSY`: comes, and stays until it is killed. Each second it prints what it saw.
pub(crate) fn play(given: &[String]) {
    let [address, ca, token, idle, busy] = given else { panic!("five words: {given:?}") };
    let (idle, busy): (usize, usize) = (idle.parse().unwrap(), busy.parse().unwrap());
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).unwrap();
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let soft = limit.maximum;
    let all = rustix::process::Rlimit { current: soft, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, all).unwrap();
    let wanted = (idle + busy + 100) as u64;
    assert!(soft.is_none_or(|soft| soft >= wanted), "{wanted} descriptors are needed: ulimit -Hn");
    let door = Door {
        address: address.parse().unwrap(),
        tls: TlsConnector::from(api_client_tls(Path::new(ca)).unwrap()),
        token: Arc::from(std::fs::read_to_string(token).unwrap().trim()),
        seen: Arc::default(),
    };
    super::cluster::block_on(async {
        for place in 0..idle + busy {
            let door = door.clone();
            let from = Ipv4Addr::new(127, 0, 1, 1 + u8::try_from(place % ADDRESSES).unwrap());
            tokio::spawn(async move {
                tokio::time::sleep(APART * u32::try_from(place).unwrap()).await;
                if place < busy { door.ask(from).await } else { door.idle(from).await }
            });
        }
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let Seen { idle, busy, refused, closed, answers, too_many } = &*door.seen;
            let [idle, busy, refused, closed, answers, too_many] =
                [idle, busy, refused, closed, answers, too_many].map(|c| c.load(Ordering::Relaxed));
            println!("{idle} {busy} {refused} {closed} {answers} {too_many}");
        }
    });
}

impl Door {
    async fn open(&self, from: Ipv4Addr) -> Option<TlsStream<TcpStream>> {
        let opened = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind((from, 0).into())?;
            let stream = socket.connect(self.address).await?;
            stream.set_nodelay(true)?;
            self.tls.connect(ServerName::IpAddress(self.address.ip().into()), stream).await
        };
        let opened = opened.await;
        if opened.is_err() {
            self.seen.refused.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(AGAIN).await;
        }
        opened.ok()
    }

    /// Holds a connection; when the node closes it, another one.
    async fn idle(self, from: Ipv4Addr) {
        loop {
            let Some(mut stream) = self.open(from).await else { continue };
            self.seen.idle.fetch_add(1, Ordering::Relaxed);
            let _ = stream.read(&mut [0; 64]).await;
            self.seen.idle.fetch_sub(1, Ordering::Relaxed);
            self.seen.closed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Asks over and over.
    async fn ask(self, from: Ipv4Addr) {
        loop {
            let Some(stream) = self.open(from).await else { continue };
            let Ok((mut sender, connection)) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await
            else {
                continue;
            };
            let connection = tokio::spawn(connection);
            self.seen.busy.fetch_add(1, Ordering::Relaxed);
            while let Ok(status) = self.once(&mut sender).await {
                let seen =
                    if status == StatusCode::OK { &self.seen.answers } else { &self.seen.too_many };
                seen.fetch_add(1, Ordering::Relaxed);
            }
            self.seen.busy.fetch_sub(1, Ordering::Relaxed);
            connection.abort();
        }
    }

    async fn once(
        &self,
        sender: &mut hyper::client::conn::http1::SendRequest<Empty<Bytes>>,
    ) -> Result<StatusCode, hyper::Error> {
        let request = Request::get("/v1/status")
            .header("host", self.address.to_string())
            .header("authorization", format!("Bearer {}", self.token))
            .body(Empty::new())
            .expect("a good request");
        sender.ready().await?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        answer.into_body().collect().await?;
        Ok(status)
    }
}
