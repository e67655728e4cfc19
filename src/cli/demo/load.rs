//! The client of the demo: users as they come, and a question to every DNS server every ten milliseconds.
//! Open loop: the next question leaves on time, whether or not the one before was answered.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;

use super::log::{Asked, ClientLog, Heard};
use super::ports::{Block, NODES, PLANES};
use crate::edge::dns::ask_addresses;

/// 100 questions a second, of each kind.
const EVERY: Duration = Duration::from_millis(10);
/// A user who waited for this long has gone.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes of an answer that the client reads.
const ANSWER_BYTES: usize = 64 * 1024;
/// The name that users resolve.
pub(super) const NAME: &str = "shop.biplane.test";

/// The running load. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Load {
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl Load {
    /// Begins to ask.
    pub(super) fn start(block: &Block, log: &Arc<ClientLog>) -> Self {
        let mut tasks = Vec::new();
        let gateway = block.gateway();
        tasks.push(every(Arc::clone(log), Asked::Gateway, move || request(gateway)));
        for node in 0..NODES.len() {
            let server = block.dns(node);
            tasks.push(every(Arc::clone(log), Asked::Dns(node), move || query(server)));
        }
        Self { _tasks: tasks }
    }
}

/// Asks every ten milliseconds. Each question ends within [`PATIENCE`], which bounds how many are under way.
fn every<A, F>(log: Arc<ClientLog>, asked: Asked, ask: A) -> AbortOnDropHandle<()>
where
    A: Fn() -> F + Send + 'static,
    F: Future<Output = Heard> + Send + 'static,
{
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        // A machine that froze owes no burst of users.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let (log, sent, answer) = (Arc::clone(&log), log.now(), ask());
            tokio::spawn(async move {
                let heard = tokio::time::timeout(PATIENCE, answer).await;
                let heard = heard.unwrap_or_else(|_| Heard::Fault("no answer in time".to_owned()));
                log.note(asked, sent, heard);
            });
        }
    }))
}

async fn request(gateway: SocketAddr) -> Heard {
    get(gateway).await.unwrap_or_else(Heard::Fault)
}

/// One request on a fresh connection, as a user's first would be.
async fn get(gateway: SocketAddr) -> Result<Heard, String> {
    let stream = TcpStream::connect(gateway).await.map_err(|error| format!("connect: {error}"))?;
    // Comfort, not need.
    let _ = stream.set_nodelay(true);
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let request = Request::get("/")
        .header("host", NAME)
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = response.status();
    let plane = response.headers().get("x-plane").cloned();
    Limited::new(response.into_body(), ANSWER_BYTES)
        .collect()
        .await
        .map_err(|error| format!("body: {error}"))?;
    drop(connection);
    if !status.is_success() {
        return Err(format!("status {}", status.as_u16()));
    }
    let plane = plane.as_ref().and_then(|plane| plane.to_str().ok()).unwrap_or_default();
    let known = PLANES.iter().position(|name| *name == plane);
    known.map(Heard::Plane).ok_or_else(|| format!("unknown plane `{plane}`"))
}

async fn query(server: SocketAddr) -> Heard {
    match ask_addresses(server, NAME, PATIENCE).await {
        Ok(addresses) => plane_of(&addresses),
        Err(why) => Heard::Fault(why),
    }
}

/// The plane that all of these addresses belong to.
fn plane_of(addresses: &[IpAddr]) -> Heard {
    let of = |plane: usize| IpAddr::V4(Block::plane(plane));
    let known = (0..PLANES.len())
        .find(|plane| !addresses.is_empty() && addresses.iter().all(|a| *a == of(*plane)));
    known.map_or_else(|| Heard::Fault(format!("addresses {addresses:?}")), Heard::Plane)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// What a user hears of a gateway whose answer has a body of so many bytes.
    async fn heard(bytes: usize) -> Result<Heard, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = listener.local_addr().unwrap();
        let answering = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            let plane = PLANES[1];
            let head =
                format!("HTTP/1.1 200 OK\r\nx-plane: {plane}\r\ncontent-length: {bytes}\r\n\r\n");
            // A user who has heard enough hangs up.
            let _ = stream.write_all(&[head.into_bytes(), vec![b'x'; bytes]].concat()).await;
        });
        let heard = get(gateway).await;
        answering.await.unwrap();
        heard
    }

    #[tokio::test]
    async fn an_answer_of_the_limit_is_read_and_one_byte_more_is_a_fault() {
        assert_eq!(heard(ANSWER_BYTES).await, Ok(Heard::Plane(1)));
        let why = heard(ANSWER_BYTES + 1).await.expect_err("too long");
        assert!(why.starts_with("body: length limit exceeded"), "{why}");
    }

    #[test]
    fn an_empty_or_mixed_answer_is_a_fault() {
        let (east, west) = (IpAddr::V4(Block::plane(0)), IpAddr::V4(Block::plane(1)));
        assert_eq!(plane_of(&[west]), Heard::Plane(1));
        for bad in [vec![], vec![east, west], vec![IpAddr::from([192, 0, 2, 1])]] {
            assert!(matches!(plane_of(&bad), Heard::Fault(_)), "{bad:?}");
        }
    }
}
