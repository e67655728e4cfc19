//! Follows the route table over whichever controller lives.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::http::Method;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::super::watch::{MEDIA_TYPE, ROUTE, RouteChange, TABLE};
use super::connection::{Connection, SendFault};
use super::sse::{SseEvent, SseReader};
use super::{ApiClient, order};
use crate::kernel::controller::{RouteEntry, RouteTable};
use crate::kernel::domain::ServiceName;

/// Events that wait for their reader; a full queue slows the controller's sending down.
const EVENTS: usize = 256;

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// The whole table: first, and again after every reconnect. Another controller may be behind the one
    /// before, so compare epochs and never follow an older one.
    Table(RouteTable),
    /// One route changed.
    Route {
        /// Its name.
        name: ServiceName,
        /// What it is now.
        entry: RouteEntry,
        /// The revision of the table that this belongs to.
        revision: u64,
    },
    /// This controller is not followed any more. Keep what is; another one is tried already.
    Lost {
        /// Which.
        controller: SocketAddr,
        /// Why.
        why: String,
    },
}

/// A watch that goes on for ever. It ends when it is dropped.
#[derive(Debug)]
pub struct Watch {
    events: mpsc::Receiver<WatchEvent>,
    _task: AbortOnDropHandle<()>,
}

impl Watch {
    pub(super) fn start(client: Arc<ApiClient>) -> Self {
        let (sender, events) = mpsc::channel(EVENTS);
        let follower = Follower { client, sender, revision: None, failures: 0 };
        Self { events, _task: AbortOnDropHandle::new(tokio::spawn(follower.run())) }
    }

    /// The next event. Cancel-safe. `None` only when the runtime stops.
    pub async fn next(&mut self) -> Option<WatchEvent> {
        self.events.recv().await
    }
}

struct Follower {
    client: Arc<ApiClient>,
    sender: mpsc::Sender<WatchEvent>,
    /// The highest revision told so far.
    revision: Option<u64>,
    /// Watches that ended early, in a row.
    failures: u32,
}

/// The reader is gone.
struct Gone;

impl Follower {
    async fn run(mut self) {
        let count = u32::try_from(self.client.controllers.len()).unwrap_or(u32::MAX).max(1);
        loop {
            for (index, controller) in self.client.in_turn() {
                let began = Instant::now();
                let why = match self.follow(controller).await {
                    Ok(why) => why,
                    Err(Gone) => return,
                };
                // One that held for a while is no failure; start over with the next controller.
                let held = began.elapsed() >= self.client.times.backoff_max;
                self.failures = if held { 1 } else { self.failures.saturating_add(1) };
                let next = (index + 1) % self.client.controllers.len().max(1);
                self.client.preferred.store(next, Ordering::Relaxed);
                if self.tell(WatchEvent::Lost { controller, why }).await.is_err() {
                    return;
                }
            }
            if self.failures < count && !self.client.controllers.is_empty() {
                continue;
            }
            if self.ask_for_stale().await.is_err() {
                return;
            }
            let rounds = (self.failures / count).min(16);
            let times = self.client.times;
            let pause = times.backoff_min.saturating_mul(1 << (rounds.saturating_sub(1)));
            tokio::time::sleep(pause.min(times.backoff_max)).await;
        }
    }

    async fn tell(&mut self, event: WatchEvent) -> Result<(), Gone> {
        match &event {
            WatchEvent::Table(table) => self.note(table.revision),
            WatchEvent::Route { revision, .. } => self.note(*revision),
            WatchEvent::Lost { .. } => {}
        }
        self.sender.send(event).await.map_err(|_| Gone)
    }

    fn note(&mut self, revision: u64) {
        self.revision = self.revision.max(Some(revision));
    }

    /// Nobody lets us watch: what does a node that is cut off still know? News only.
    async fn ask_for_stale(&mut self) -> Result<(), Gone> {
        let asked = tokio::select! {
            () = self.sender.closed() => return Err(Gone),
            asked = self.client.get_json::<RouteTable>("/v1/routes?stale=true") => asked,
        };
        match asked {
            Ok(table) if self.revision.is_none_or(|known| known < table.revision) => {
                self.tell(WatchEvent::Table(table)).await
            }
            _ => Ok(()),
        }
    }

    /// Follows one controller until that ends; says why.
    async fn follow(&mut self, controller: SocketAddr) -> Result<String, Gone> {
        let (_connection, mut body) = match self.open(controller).await {
            Ok(open) => open,
            Err(why) => return Ok(why),
        };
        let (mut reader, mut events) = (SseReader::default(), Vec::new());
        loop {
            let bytes = match self.piece(&mut body).await {
                Ok(bytes) => bytes,
                Err(why) => return Ok(why),
            };
            if let Err(error) = reader.take(&bytes, &mut events) {
                return Ok(error.to_string());
            }
            for event in events.drain(..) {
                match understand(&event) {
                    Ok(Some(event)) => self.tell(event).await?,
                    Ok(None) => {}
                    Err(why) => return Ok(why),
                }
            }
        }
    }

    async fn open(&self, controller: SocketAddr) -> Result<(Connection, Incoming), String> {
        let client = &self.client;
        let order =
            order(Method::GET, "/v1/watch", Bytes::new(), None).map_err(|e| e.to_string())?;
        let request = client.request(controller, &order)?;
        let mut connection =
            Connection::open(controller, client.tls.as_ref(), client.times.connect).await?;
        let response = match connection.send(request, client.times.answer).await {
            Ok(response) => response,
            Err(SendFault::NotSent(why) | SendFault::Sent(why) | SendFault::Silent(why)) => {
                return Err(why);
            }
        };
        let kind = response.headers().get(axum::http::header::CONTENT_TYPE);
        if response.status() != 200 || kind.is_none_or(|kind| kind != MEDIA_TYPE) {
            return Err(format!("it answers {}", response.status()));
        }
        Ok((connection, response.into_body()))
    }

    async fn piece(&self, body: &mut Incoming) -> Result<Bytes, String> {
        let silence = self.client.times.silence;
        loop {
            match tokio::time::timeout(silence, body.frame()).await {
                Err(_) => return Err(format!("silent for {} s", silence.as_secs_f32())),
                Ok(None) => return Err("it ended the watch".to_owned()),
                Ok(Some(Err(error))) => return Err(error.to_string()),
                Ok(Some(Ok(frame))) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(bytes);
                    }
                }
            }
        }
    }
}

/// Unknown events are for later versions.
fn understand(event: &SseEvent) -> Result<Option<WatchEvent>, String> {
    let wrong = |error: serde_json::Error| format!("event `{}`: {error}", event.event);
    match event.event.as_str() {
        TABLE => serde_json::from_str(&event.data).map(WatchEvent::Table).map(Some).map_err(wrong),
        ROUTE => {
            let change: RouteChange = serde_json::from_str(&event.data).map_err(wrong)?;
            let RouteChange { name, entry, revision } = change;
            Ok(Some(WatchEvent::Route { name, entry, revision }))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpSocket;

    use super::*;
    use crate::kernel::domain::{Epoch, GroupName, PlaneName};
    use crate::kernel::ledger::OnSwitch;

    /// Events beyond those that the queue holds: each has 64 KiB of comment, so no socket holds them all.
    const BEYOND: u64 = 200;
    const PATIENCE: Duration = Duration::from_secs(20);

    fn event(revision: u64) -> String {
        let entry = RouteEntry {
            group: GroupName::new("shop").unwrap(),
            plane: PlaneName::new("east").unwrap(),
            epoch: Epoch { generation: 1, counter: revision },
            on_switch: OnSwitch::Cut,
            upstream: BTreeMap::new(),
        };
        let change = RouteChange { name: ServiceName::new("web").unwrap(), entry, revision };
        let long = if revision > EVENTS as u64 { 64 * 1024 } else { 0 };
        let (data, comment) = (serde_json::to_string(&change).unwrap(), "x".repeat(long));
        format!("event: {ROUTE}\ndata: {data}\n: {comment}\n\n")
    }

    /// A controller that tells changes as fast as they are taken, and counts them.
    fn telling(told: Arc<AtomicU64>) -> SocketAddr {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(64 * 1024).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {MEDIA_TYPE}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            for revision in 1..=EVENTS as u64 + BEYOND {
                stream.write_all(event(revision).as_bytes()).await.unwrap();
                told.store(revision, Ordering::Relaxed);
            }
            // Until the client hangs up.
            let _ = stream.read(&mut [0]).await;
        });
        address
    }

    #[tokio::test]
    async fn so_many_events_wait_for_their_reader_and_the_others_at_the_controller() {
        let told = Arc::new(AtomicU64::new(0));
        let controller = telling(Arc::clone(&told));
        let client = Arc::new(ApiClient::new(vec![controller], None, String::new()));
        let mut watch = client.watch();
        let full = async {
            while watch.events.len() < EVENTS {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, full).await.expect("the queue fills");
        assert_eq!(watch.events.max_capacity(), EVENTS);
        let all = EVENTS as u64 + BEYOND;
        assert!(told.load(Ordering::Relaxed) < all, "they were all taken though nobody reads");
        for expected in 1..=all {
            let next = tokio::time::timeout(PATIENCE, watch.next()).await.expect("in time");
            let Some(WatchEvent::Route { revision, .. }) = next else { panic!("{next:?}") };
            assert_eq!(revision, expected, "none is lost");
        }
    }
}
