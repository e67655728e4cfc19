//! Follows events over whichever controller lives, each once.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::{Method, header};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::super::events::GAP;
use super::super::problem::Problem;
use super::super::watch::MEDIA_TYPE;
use super::answer::read_all;
use super::connection::{Connection, SendFault};
use super::sse::SseReader;
use super::{ApiClient, order};
use crate::kernel::domain::EventId;
use crate::kernel::ledger::LoggedEvent;

/// What a follower hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventNews {
    /// Something happened.
    Event(LoggedEvent),
    /// Some events after the last one are not kept any more.
    Gap,
    /// This controller is not followed any more; another one is tried already.
    Lost {
        /// Which.
        controller: SocketAddr,
        /// Why.
        why: String,
        /// Whether it does not let this client in: others will not either, unless they have not heard yet why.
        turned_away: bool,
    },
}

/// Why a controller is not followed.
struct Lost {
    controller: SocketAddr,
    why: String,
    turned_away: bool,
}

struct Open {
    controller: SocketAddr,
    _connection: Connection,
    body: Incoming,
    reader: SseReader,
}

/// A follower that goes on for ever.
pub struct EventWatch {
    client: Arc<ApiClient>,
    last: Option<EventId>,
    open: Option<Open>,
    ready: VecDeque<EventNews>,
    failures: u32,
}

impl std::fmt::Debug for EventWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventWatch").field("last", &self.last).finish_non_exhaustive()
    }
}

impl EventWatch {
    pub(super) const fn new(client: Arc<ApiClient>, last: Option<EventId>) -> Self {
        Self { client, last, open: None, ready: VecDeque::new(), failures: 0 }
    }

    /// The number after which it goes on.
    pub const fn last(&self) -> Option<EventId> {
        self.last
    }

    /// The next news. Cancel-safe: an attempt to connect that is cancelled is made anew, at the next controller.
    pub async fn next(&mut self) -> EventNews {
        loop {
            if let Some(news) = self.ready.pop_front() {
                if let EventNews::Event(event) = &news {
                    self.last = Some(event.id);
                    self.failures = 0;
                }
                return news;
            }
            if let Err(Lost { controller, why, turned_away }) = self.hear().await {
                self.open = None;
                self.failures = self.failures.saturating_add(1);
                self.ready.push_back(EventNews::Lost { controller, why, turned_away });
            }
        }
    }

    async fn hear(&mut self) -> Result<(), Lost> {
        if self.open.is_none() {
            self.open = Some(self.connect().await?);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let controller = open.controller;
        let lost = |why: String| Lost { controller, why, turned_away: false };
        let silence = self.client.times.silence;
        let frame = match tokio::time::timeout(silence, open.body.frame()).await {
            Err(_) => return Err(lost(format!("silent for {} s", silence.as_secs_f32()))),
            Ok(None) => return Err(lost("it ended the watch".to_owned())),
            Ok(Some(Err(error))) => return Err(lost(error.to_string())),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(bytes) = frame.into_data() else { return Ok(()) };
        let mut events = Vec::new();
        open.reader.take(&bytes, &mut events).map_err(|error| lost(error.to_string()))?;
        for event in events {
            if event.event == GAP {
                self.ready.push_back(EventNews::Gap);
                continue;
            }
            let event = serde_json::from_str(&event.data)
                .map_err(|error| lost(format!("event `{}`: {error}", event.event)))?;
            self.ready.push_back(EventNews::Event(event));
        }
        Ok(())
    }

    /// To the next controller in turn; after each round without one, a pause.
    async fn connect(&self) -> Result<Open, Lost> {
        let client = &self.client;
        let count = u32::try_from(client.controllers.len()).unwrap_or(u32::MAX).max(1);
        let rounds = (self.failures / count).min(16);
        if rounds > 0 && self.failures.is_multiple_of(count) {
            let pause = client.times.backoff_min.saturating_mul(1 << (rounds - 1));
            tokio::time::sleep(pause.min(client.times.backoff_max)).await;
        }
        let Some((index, controller)) = client.in_turn().next() else {
            let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
            tokio::time::sleep(client.times.backoff_max).await;
            let why = "no controller is configured".to_owned();
            return Err(Lost { controller: nowhere, why, turned_away: false });
        };
        // Whatever comes of it, the next attempt is at the next one.
        client.preferred.store((index + 1) % client.controllers.len(), Ordering::Relaxed);
        let opened = self.open_at(controller).await;
        opened.map_err(|(why, turned_away)| Lost { controller, why, turned_away })
    }

    /// Or why not, and whether this client is not let in.
    async fn open_at(&self, controller: SocketAddr) -> Result<Open, (String, bool)> {
        let client = &self.client;
        let mut order = order(Method::GET, "/v1/events/watch", Bytes::new(), None)
            .map_err(|error| (error.to_string(), false))?;
        order.after = self.last.map(|last| last.to_string());
        let request = client.request(controller, &order).map_err(|why| (why, false))?;
        let opened = Connection::open(controller, client.tls.as_ref(), client.times.connect).await;
        let mut connection = opened.map_err(|why| (why, false))?;
        let response = match connection.send(request, client.times.answer).await {
            Ok(response) => response,
            Err(SendFault::NotSent(why) | SendFault::Sent(why) | SendFault::Silent(why)) => {
                return Err((why, false));
            }
        };
        let kind = response.headers().get(header::CONTENT_TYPE);
        if response.status() != 200 || kind.is_none_or(|kind| kind != MEDIA_TYPE) {
            let status = response.status();
            let turned_away = matches!(status.as_u16(), 401 | 403);
            let body =
                read_all(response.into_body(), client.times.answer).await.unwrap_or_default();
            let said = serde_json::from_slice::<Problem>(&body);
            let why = said.map_or_else(|_| String::new(), |problem| format!(": {problem}"));
            return Err((format!("it answers {status}{why}"), turned_away));
        }
        let body = response.into_body();
        Ok(Open { controller, _connection: connection, body, reader: SseReader::default() })
    }
}
