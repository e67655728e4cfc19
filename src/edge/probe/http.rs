//! One HTTP/1.1 GET over a connection that is used for nothing else (RFC 9112).

use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, HeaderMap, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::fault::{self, short};
use super::limits;
use crate::kernel::domain::{Endpoint, HttpProbe, ProbeFault, ProbeTimings};

/// Who asks, in the target's logs.
pub(super) const AGENT: &str = concat!("biplane-probe/", env!("CARGO_PKG_VERSION"));

/// Asks and judges the answer.
pub(super) async fn ask<S>(
    stream: S,
    endpoint: &Endpoint,
    probe: &HttpProbe,
    timings: &mut ProbeTimings,
) -> Result<(), ProbeFault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = get(&probe.path, &authority(endpoint, &probe.host, probe.tls))?;
    let wanted = probe.body_contains.as_bytes();
    let head = |answer: &Response<Incoming>| judge_head(probe, answer);
    let body = fetch(stream, request, head, !wanted.is_empty(), timings).await?;
    if wanted.is_empty() || body.text.windows(wanted.len()).any(|window| window == wanted) {
        return Ok(());
    }
    let what = format_args!("{} bytes of body without `{}`", body.length, probe.body_contains);
    Err(ProbeFault::WrongAnswer(short(what)))
}

/// The part of an answer's body that was read.
pub(super) struct Body {
    /// What it says; empty unless it was to be kept.
    pub(super) text: Vec<u8>,
    /// Bytes read.
    pub(super) length: usize,
}

impl Body {
    /// Whether there may be more of it.
    pub(super) const fn is_cut(&self) -> bool {
        self.length >= limits::BODY_BYTES
    }
}

/// Sends a request and reads the answer; an answer whose head is not as it should be is not read on. The
/// connection is driven here, not in a task of its own: dropping this future closes the socket.
pub(super) async fn fetch<S>(
    stream: S,
    request: Request<Empty<Bytes>>,
    judge_head: impl FnOnce(&Response<Incoming>) -> Result<(), ProbeFault>,
    keep: bool,
    timings: &mut ProbeTimings,
) -> Result<Body, ProbeFault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let asked = Instant::now();
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(limits::HEADER_COUNT)
        .max_buf_size(limits::HEADER_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| fault::of_http(&error))?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(|error| fault::of_http(&error))?;
        timings.first_byte = asked.elapsed();
        judge_head(&answer)?;
        read_body(answer.into_body(), keep).await
    };
    tokio::pin!(exchange, connection);
    let mut closed = false;
    loop {
        tokio::select! {
            biased;
            outcome = &mut exchange => return outcome,
            // What ended the connection reaches the exchange too, in its own words.
            _ = &mut connection, if !closed => closed = true,
        }
    }
}

/// Who is asked: as the check says, or the endpoint, without the port that goes without saying.
pub(super) fn authority(endpoint: &Endpoint, host: &str, tls: bool) -> String {
    let usual_port = if tls { 443 } else { 80 };
    if !host.is_empty() {
        host.to_owned()
    } else if endpoint.port == usual_port && !endpoint.host.contains(':') {
        endpoint.host.clone()
    } else {
        endpoint.to_string()
    }
}

/// A request for a path and a query.
pub(super) fn get(target: &str, authority: &str) -> Result<Request<Empty<Bytes>>, ProbeFault> {
    Request::get(target)
        .header(HOST, authority)
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close")
        .body(Empty::new())
        .map_err(|error| ProbeFault::NotProbed(short(format_args!("cannot ask: {error}"))))
}

fn judge_head(probe: &HttpProbe, answer: &Response<Incoming>) -> Result<(), ProbeFault> {
    let (lowest, highest) = probe.status;
    let status = answer.status().as_u16();
    if !(lowest..=highest).contains(&status) {
        let demanded =
            if lowest == highest { lowest.to_string() } else { format!("{lowest} to {highest}") };
        return Err(ProbeFault::WrongAnswer(format!("status {status}, not {demanded}")));
    }
    probe
        .header
        .as_ref()
        .map_or(Ok(()), |(name, value)| judge_header(name, value, answer.headers()))
}

fn judge_header(name: &str, demanded: &str, headers: &HeaderMap) -> Result<(), ProbeFault> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else {
        return Err(ProbeFault::WrongAnswer(short(format_args!("no header `{name}`"))));
    };
    let fits = |value: &hyper::header::HeaderValue| value.as_bytes() == demanded.as_bytes();
    if demanded.is_empty() || fits(first) || values.any(fits) {
        return Ok(());
    }
    let seen = String::from_utf8_lossy(first.as_bytes());
    let what = format_args!("header `{name}` is `{seen}`, not `{demanded}`");
    Err(ProbeFault::WrongAnswer(short(what)))
}

/// Reads to the end of the body or to the bound, whichever comes first: an answer that breaks off or
/// drips is no good answer.
async fn read_body(mut body: Incoming, keep: bool) -> Result<Body, ProbeFault> {
    let mut read = Body { text: Vec::new(), length: 0 };
    while read.length < limits::BODY_BYTES {
        let Some(frame) = body.frame().await else { break };
        let frame = frame.map_err(|error| fault::of_http(&error))?;
        let Some(data) = frame.data_ref() else { continue };
        let room = (limits::BODY_BYTES - read.length).min(data.len());
        read.length += room;
        if keep {
            read.text.extend_from_slice(&data[..room]);
        }
    }
    Ok(read)
}
