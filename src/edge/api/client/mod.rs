//! The client of the admin API, for the command line, gateways and the demo.
//!
//! It knows several controllers and uses whichever answers. A request that might have been carried out
//! is repeated elsewhere only if repeating is harmless: GET, PUT, or POST with an idempotency key.

mod answer;
mod connection;
mod error;
mod events;
mod settle;
mod sse;
mod watch;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Method, Request, Uri, header};
use bytes::Bytes;
use http_body_util::Full;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use answer::Answer;
pub use error::ApiError;
pub use events::{EventNews, EventWatch};
pub use watch::{Watch, WatchEvent};

use crate::kernel::domain::EventId;
use answer::{Attempt, AttemptFault, judge, read_all, read_json, read_problem};
use connection::{Connection, SendFault};
use settle::{settled_by, unusable};

/// The entity tag that every state has.
pub const ANY: &str = "*";

/// How long a client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTimes {
    /// For TCP and TLS together.
    pub connect: Duration,
    /// For the whole answer to a request; longer than the cluster's own request timeout.
    pub answer: Duration,
    /// A watch that is silent for this long is given up: three keep-alives of the server.
    pub silence: Duration,
    /// First pause after no controller let the client watch; doubled up to `backoff_max`.
    pub backoff_min: Duration,
    /// Longest pause.
    pub backoff_max: Duration,
}

impl Default for ClientTimes {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            answer: Duration::from_secs(15),
            silence: Duration::from_secs(15),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(3),
        }
    }
}

/// Talks to whichever controller answers. Cheap to share in an [`Arc`].
pub struct ApiClient {
    controllers: Vec<SocketAddr>,
    tls: Option<Arc<rustls::ClientConfig>>,
    token: String,
    times: ClientTimes,
    /// The controller that answered last.
    preferred: AtomicUsize,
    /// At most one connection is kept for the next request.
    idle: Mutex<Option<(SocketAddr, Connection)>>,
}

impl fmt::Debug for ApiClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiClient").field("controllers", &self.controllers).finish_non_exhaustive()
    }
}

/// One request, ready to be sent more than once.
struct Order {
    method: Method,
    path: Uri,
    body: Bytes,
    key: Option<String>,
    /// Entity tag that must still hold.
    condition: Option<String>,
    /// The last event that was heard.
    after: Option<String>,
}

impl Order {
    fn harmless_to_repeat(&self) -> bool {
        self.method != Method::POST || self.key.is_some()
    }
}

impl ApiClient {
    /// A client of these controllers. Their certificates must name their IP addresses. `tls` is `None`
    /// in tests only.
    pub fn new(
        controllers: Vec<SocketAddr>,
        tls: Option<Arc<rustls::ClientConfig>>,
        token: String,
    ) -> Self {
        Self {
            controllers,
            tls,
            token,
            times: ClientTimes::default(),
            preferred: AtomicUsize::new(0),
            idle: Mutex::new(None),
        }
    }

    /// The same, of this controller only.
    #[must_use]
    pub fn of(&self, controller: SocketAddr) -> Self {
        let (tls, token) = (self.tls.clone(), self.token.clone());
        Self::new(vec![controller], tls, token).with_times(self.times)
    }

    /// The same, waiting other times.
    #[must_use]
    pub fn with_times(mut self, times: ClientTimes) -> Self {
        self.times = times;
        self
    }

    /// Reads a resource. `path` starts with `/` and may hold a query.
    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.get(path).await.map(|answer| answer.body)
    }

    /// Reads a resource, headers included.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, ApiError> {
        read_json(self.send(order(Method::GET, path, Bytes::new(), None)?).await?)
    }

    /// Reads a text: `/metrics`, `/healthz`, `/readyz`.
    pub async fn get_text(&self, path: &str) -> Result<String, ApiError> {
        let answer = self.send(order(Method::GET, path, Bytes::new(), None)?).await?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Sends a command. Without a `key` it is sent to one controller only, once.
    /// An answer without a body reads as `null`: ask for `()`.
    pub async fn post_json<B, T>(
        &self,
        path: &str,
        body: &B,
        key: Option<&str>,
    ) -> Result<Answer<T>, ApiError>
    where
        B: Serialize + Sync + ?Sized,
        T: DeserializeOwned,
    {
        read_json(self.send(order(Method::POST, path, write_json(body)?, key)?).await?)
    }

    /// The same for what has this entity tag, or [`ANY`].
    pub async fn post_json_over<B, T>(
        &self,
        path: &str,
        body: &B,
        tag: &str,
        key: Option<&str>,
    ) -> Result<Answer<T>, ApiError>
    where
        B: Serialize + Sync + ?Sized,
        T: DeserializeOwned,
    {
        let order = order(Method::POST, path, write_json(body)?, key)?;
        read_json(self.send(Order { condition: Some(tag.to_owned()), ..order }).await?)
    }

    /// Puts a resource.
    pub async fn put_json<B>(&self, path: &str, body: &B) -> Result<(), ApiError>
    where
        B: Serialize + Sync + ?Sized,
    {
        self.send(order(Method::PUT, path, write_json(body)?, None)?).await.map(|_| ())
    }

    /// Removes a resource.
    pub async fn delete(&self, path: &str) -> Result<(), ApiError> {
        self.send(order(Method::DELETE, path, Bytes::new(), None)?).await.map(|_| ())
    }

    /// Puts a resource in the place of the one with this entity tag.
    pub async fn put_json_over<B, T>(
        &self,
        path: &str,
        body: &B,
        tag: &str,
    ) -> Result<Answer<T>, ApiError>
    where
        B: Serialize + Sync + ?Sized,
        T: DeserializeOwned,
    {
        let order = order(Method::PUT, path, write_json(body)?, None)?;
        read_json(self.send(Order { condition: Some(tag.to_owned()), ..order }).await?)
    }

    /// Follows the route table. The watch goes on for ever, whichever controllers live.
    pub fn watch(self: &Arc<Self>) -> Watch {
        Watch::start(Arc::clone(self))
    }

    /// Follows events, from those after `last` on; from now on, if none is named.
    pub const fn events(self: Arc<Self>, last: Option<EventId>) -> EventWatch {
        EventWatch::new(self, last)
    }

    /// One round over the controllers.
    async fn send(&self, order: Order) -> Result<Answer<Bytes>, ApiError> {
        let mut tried = Vec::new();
        let mut refused = None;
        let mut maybe_done: Option<String> = None;
        for (index, controller) in self.in_turn() {
            match self.attempt(controller, &order).await {
                Ok(answer) if answer.status == 503 => {
                    refused = Some(read_problem(&order, answer));
                }
                Ok(answer) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return judge(&order, answer);
                }
                Err(AttemptFault::Unusable(why)) => {
                    return Err(unusable(&order, controller, why));
                }
                Err(AttemptFault::Failed(SendFault::NotSent(why))) => tried.push((controller, why)),
                Err(AttemptFault::Failed(SendFault::Sent(why) | SendFault::Silent(why))) => {
                    if !order.harmless_to_repeat() {
                        let why = format!("{controller} did not answer: {why}");
                        return Err(ApiError::UnknownOutcome {
                            why,
                            settle: settled_by(order.path.path()),
                        });
                    }
                    maybe_done.get_or_insert_with(|| format!("{controller} did not answer: {why}"));
                    tried.push((controller, why));
                }
            }
        }
        match (maybe_done, refused) {
            // A reading leaves nothing behind; a writing may have.
            (Some(why), _) if order.method != Method::GET => {
                Err(ApiError::UnknownOutcome { why, settle: settled_by(order.path.path()) })
            }
            (_, Some(problem)) => Err(problem),
            _ => Err(ApiError::Unreachable(tried)),
        }
    }

    /// The controllers, starting with the one that answered last.
    fn in_turn(&self) -> impl Iterator<Item = (usize, SocketAddr)> + use<> {
        let first = self.preferred.load(Ordering::Relaxed);
        let turn: Vec<_> = self.controllers.iter().copied().enumerate().collect();
        let count = turn.len();
        turn.into_iter().cycle().skip(first).take(count)
    }

    async fn attempt(&self, controller: SocketAddr, order: &Order) -> Attempt<Answer<Bytes>> {
        // A kept connection may be closing at the other end: it is for what can be repeated, and when it
        // breaks a fresh one is tried. A silent controller is not asked twice.
        let mut sent = false;
        if order.harmless_to_repeat()
            && let Some(kept) = self.take_idle(controller)
        {
            match self.on_connection(controller, kept, order).await {
                Err(AttemptFault::Failed(SendFault::NotSent(_))) => {}
                Err(AttemptFault::Failed(SendFault::Sent(_))) => sent = true,
                attempt => return attempt,
            }
        }
        match Connection::open(controller, self.tls.as_ref(), self.times.connect).await {
            Ok(connection) => self.on_connection(controller, connection, order).await,
            Err(why) if sent => Err(AttemptFault::Failed(SendFault::Sent(why))),
            Err(why) => Err(AttemptFault::Failed(SendFault::NotSent(why))),
        }
    }

    async fn on_connection(
        &self,
        controller: SocketAddr,
        mut connection: Connection,
        order: &Order,
    ) -> Attempt<Answer<Bytes>> {
        let request = self.request(controller, order).map_err(AttemptFault::Unusable)?;
        let response =
            connection.send(request, self.times.answer).await.map_err(AttemptFault::Failed)?;
        let (head, body) = response.into_parts();
        let body = read_all(body, self.times.answer).await?;
        if connection.usable() {
            self.keep_idle(controller, connection);
        }
        let (status, headers) = (head.status.as_u16(), head.headers);
        Ok(Answer { controller, status, headers, body })
    }

    fn request(
        &self,
        controller: SocketAddr,
        order: &Order,
    ) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::builder()
            .method(order.method.clone())
            .uri(order.path.clone())
            .header(header::HOST, controller.to_string());
        // Without a token it is the certificate that says who asks.
        if !self.token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        if !order.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(key) = &order.key {
            request = request.header(super::extract::IDEMPOTENCY_KEY, key);
        }
        if let Some(tag) = &order.condition {
            let tag = if tag == ANY { tag.clone() } else { format!("\"{tag}\"") };
            request = request.header(header::IF_MATCH, tag);
        }
        if let Some(id) = &order.after {
            request = request.header(super::events::LAST_EVENT_ID, id);
        }
        request.body(Full::new(order.body.clone())).map_err(|error| error.to_string())
    }

    fn take_idle(&self, controller: SocketAddr) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let (address, connection) = idle.take()?;
        (address == controller && connection.usable()).then_some(connection)
    }

    fn keep_idle(&self, controller: SocketAddr, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        *idle = Some((controller, connection));
    }
}

fn order(method: Method, path: &str, body: Bytes, key: Option<&str>) -> Result<Order, ApiError> {
    let path: Uri =
        path.parse().map_err(|error| ApiError::BadRequest(format!("`{path}`: {error}")))?;
    Ok(Order { method, path, body, key: key.map(str::to_owned), condition: None, after: None })
}

fn write_json<B: Serialize + ?Sized>(body: &B) -> Result<Bytes, ApiError> {
    serde_json::to_vec(body)
        .map(Bytes::from)
        .map_err(|error| ApiError::BadRequest(error.to_string()))
}
