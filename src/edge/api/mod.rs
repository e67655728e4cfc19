//! The admin API: `/v1`, JSON over HTTP/1.1 and TLS, and the client for it.
//!
//! - Every node takes every request. Reads are linearizable; `?stale=true` answers from this node alone.
//! - Errors are problem+json (RFC 9457) and say what to do next.
//! - Everything is bounded: see [`Limits`] and the constants in `limits`.
//! - `/healthz`, `/readyz` and `/metrics` need no token; everything else does.

mod admit;
mod alarm;
mod audit;
mod backend;
pub mod client;
mod command;
mod config;
mod crowd;
mod events;
mod extract;
mod knock;
mod leave;
pub mod limits;
mod openapi;
mod operations;
mod problem;
mod read;
mod roles;
mod sending;
mod server;
mod stall;
#[cfg(test)]
mod tests;
mod token;
mod watch;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::routing::{delete, get, post, put};
use axum::{Router, middleware};
use rustls::pki_types::CertificateDer;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use alarm::ReasonBody;
pub use backend::{Backend, Records, Shows};
pub use command::{AcceptedBody, DrainBody, FreezeBody, SwitchBody};
pub use config::{ConfigBody, ConfigOrigin, ConfigWish, ConfiguredBody, ReadConfig};
pub use events::EventsBody;
pub use limits::Limits;
pub use openapi::text as openapi_text;
pub use problem::{Problem, ProblemKind};
pub use read::ServiceInGroup;
pub use roles::{ROUTES, RouteRow, page as roles_page};
pub use server::serve;
pub use token::{NewToken, TokenShown};
pub use watch::RouteChange;

use crate::kernel::domain::{Principal, WallTime};

/// From a token of this node's own file to its owner at this time, or why it is nobody's.
pub type CheckToken = Arc<dyn Fn(&str, WallTime) -> Result<Principal, String> + Send + Sync>;

/// From a token to its hash, as the log holds it.
pub type HashToken = fn(&str) -> String;

/// From the certificates that a client showed, already verified, to who it is and until when that is good.
pub type CheckCertificate =
    Arc<dyn Fn(&[CertificateDer<'_>]) -> Option<(Principal, Option<WallTime>)> + Send + Sync>;

/// How the API is served.
#[derive(Clone)]
pub struct ApiSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The server's certificate. `None` serves plain HTTP: in tests only.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Who may come in by this node's own file. Must compare in constant time.
    pub check_token: CheckToken,
    /// How tokens are hashed.
    pub hash_token: HashToken,
    /// Who may come in by a certificate.
    pub check_certificate: CheckCertificate,
    /// Reads a cluster file that a client sends.
    pub read_config: ReadConfig,
    /// Bounds.
    pub limits: Limits,
}

impl fmt::Debug for ApiSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiSettings")
            .field("listen", &self.listen)
            .field("tls", &self.tls.is_some())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What every handler sees.
struct ApiState {
    backend: Arc<dyn Backend>,
    check_token: CheckToken,
    hash_token: HashToken,
    knocks: knock::Knocks,
    read_config: ReadConfig,
    /// One configuration at a time is read.
    configuring: Semaphore,
    limits: Limits,
    requests: Arc<Semaphore>,
    under_way: sending::UnderWay,
    /// What was shown of the configurations that are kept.
    shown: tokio::sync::Mutex<config::Shown>,
    hub: watch::Hub,
}

impl ApiState {
    fn new(settings: &ApiSettings, backend: Arc<dyn Backend>, shutdown: CancellationToken) -> Self {
        let limits = settings.limits;
        Self {
            hub: watch::Hub::start(Arc::clone(&backend), limits, shutdown),
            backend,
            check_token: Arc::clone(&settings.check_token),
            hash_token: settings.hash_token,
            knocks: knock::Knocks::new(limits.failed_logins),
            read_config: Arc::clone(&settings.read_config),
            configuring: Semaphore::new(1),
            limits,
            requests: Arc::new(Semaphore::new(limits.requests)),
            under_way: sending::UnderWay::new(limits.answer_bytes),
            shown: tokio::sync::Mutex::default(),
        }
    }
}

fn router(state: &Arc<ApiState>) -> Router {
    Router::new()
        .route("/healthz", get(read::healthz))
        .route("/readyz", get(read::readyz))
        .route("/metrics", get(read::metrics))
        .route("/v1/openapi.json", get(openapi::serve))
        .route("/v1/status", get(read::status))
        .route("/v1/groups", get(read::groups))
        .route("/v1/groups/{name}", get(read::group))
        .route("/v1/groups/{name}/switch", post(command::switch))
        .route("/v1/groups/{name}/freeze", post(command::freeze_group))
        .route("/v1/freeze", post(command::freeze_all))
        .route("/v1/services", get(read::services))
        .route("/v1/services/{name}", get(read::service))
        .route("/v1/planes", get(read::planes))
        .route("/v1/planes/{name}/drain", post(command::drain))
        .route("/v1/members", get(read::members))
        .route("/v1/gateways", get(read::gateways))
        .route("/v1/gateways/{name}", put(command::report))
        .route("/v1/hints", post(command::hint))
        .route("/v1/switchovers", get(read::switchovers))
        .route("/v1/switchovers/{id}", get(read::switchover))
        .route("/v1/asks", get(alarm::asks))
        .route("/v1/asks/{id}", get(alarm::ask))
        .route("/v1/asks/{id}/approve", post(alarm::approve))
        .route("/v1/asks/{id}/deny", post(alarm::deny))
        .route("/v1/alarms", get(alarm::alarms))
        .route("/v1/alarms/{id}/ack", post(alarm::acknowledge))
        .route("/v1/explain/{group}", get(read::explain))
        .route("/v1/routes", get(read::routes))
        .route("/v1/events", get(events::list))
        .route("/v1/events/watch", get(events::watch))
        .route("/v1/audit", get(audit::page))
        .route("/v1/audit/head", get(audit::head))
        .route("/v1/config", get(config::in_force).put(config::put))
        .route("/v1/config/{version}", get(config::kept))
        .route("/v1/tokens", get(token::list).post(token::create))
        .route("/v1/tokens/{name}", delete(token::revoke))
        .route("/v1/watch", get(watch::watch))
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(state), admit::admit))
        .with_state(Arc::clone(state))
}

async fn no_such_path(uri: axum::http::Uri) -> Problem {
    let next = "the API lives under /v1, for example GET /v1/status";
    Problem::new(ProblemKind::NotFound, format!("there is nothing at {}", uri.path()), next)
}

async fn wrong_method(method: axum::http::Method, uri: axum::http::Uri) -> Problem {
    let why = format!("{} does not take {method}", uri.path());
    Problem::new(ProblemKind::MethodNotAllowed, why, "the Allow header names what it takes")
}
