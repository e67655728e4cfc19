//! The admin port: what this gateway does, for people, load balancers and Prometheus.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::limits;
use super::running::Shared;
use crate::kernel::domain::{Epoch, GatewayName, GroupName, PlaneName, ServiceName};
use crate::kernel::ledger::OnSwitch;

/// `GET /routes`.
#[derive(Serialize)]
struct Routes<'a> {
    gateway: &'a GatewayName,
    routes: BTreeMap<&'a ServiceName, RouteShown>,
}

/// One route; without a plane while no table has come.
#[derive(Serialize)]
struct RouteShown {
    group: Option<GroupName>,
    plane: Option<PlaneName>,
    epoch: Option<Epoch>,
    on_switch: Option<OnSwitch>,
    /// Open connections by plane.
    open: BTreeMap<PlaneName, usize>,
}

/// Answers until the gateway stops.
pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let room = Arc::new(Semaphore::new(limits::ADMIN_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(limits::ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let answer = answer(&shared, &request);
                async { Ok::<_, Infallible>(answer) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits::ADMIN_PATIENCE)
                .max_buf_size(limits::ADMIN_HEADER_BYTES)
                // A buffer may grow beyond what is asked of it.
                .max_header_size(limits::ADMIN_HEADER_BYTES)
                // One request a connection: nobody holds one of the few for longer than it takes.
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // What a client did wrong is the client's to find out.
            let _ = tokio::time::timeout(limits::ADMIN_PATIENCE * 2, connection).await;
            drop(permit);
        });
    }
}

fn answer(shared: &Shared, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
        refused.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" => ready(shared),
        "/routes" => routes(shared),
        "/metrics" => text(StatusCode::OK, (shared.metrics)()),
        _ => {
            let known = "not found; there are /healthz, /readyz, /routes and /metrics\n";
            text(StatusCode::NOT_FOUND, known.to_owned())
        }
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", body)
}

fn typed(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}

/// Ready when every listener knows where to.
fn ready(shared: &Shared) -> Response<Full<Bytes>> {
    let waiting = shared.routes.values().filter(|route| route.entry.borrow().is_none());
    let waiting: Vec<&str> = waiting.map(|route| route.name.as_str()).collect();
    if waiting.is_empty() {
        return text(StatusCode::OK, "ok\n".to_owned());
    }
    let why = format!("no route yet for: {}\n", waiting.join(", "));
    text(StatusCode::SERVICE_UNAVAILABLE, why)
}

fn routes(shared: &Shared) -> Response<Full<Bytes>> {
    let shown = shared.routes.iter().map(|(name, route)| {
        let entry = route.entry.borrow().clone();
        let shown = RouteShown {
            group: entry.as_ref().map(|entry| entry.group.clone()),
            plane: entry.as_ref().map(|entry| entry.plane.clone()),
            epoch: entry.as_ref().map(|entry| entry.epoch),
            on_switch: entry.as_ref().map(|entry| entry.on_switch),
            open: route.open(),
        };
        (name, shown)
    });
    let routes = Routes { gateway: &shared.settings.name, routes: shown.collect() };
    match serde_json::to_string(&routes) {
        Ok(body) => typed(StatusCode::OK, "application/json", body),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}
