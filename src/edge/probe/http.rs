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
const AGENT: &str = concat!("biplane-probe/", env!("CARGO_PKG_VERSION"));

/// Asks and judges the answer. The connection is driven here, not in a task of its own: dropping this
/// future closes the socket.
pub(super) async fn ask<S>(
    stream: S,
    endpoint: &Endpoint,
    probe: &HttpProbe,
    timings: &mut ProbeTimings,
) -> Result<(), ProbeFault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = request(endpoint, probe)?;
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
        judge_head(probe, &answer)?;
        judge_body(probe, answer.into_body()).await
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

fn request(endpoint: &Endpoint, probe: &HttpProbe) -> Result<Request<Empty<Bytes>>, ProbeFault> {
    let usual_port = if probe.tls { 443 } else { 80 };
    let host = if !probe.host.is_empty() {
        probe.host.clone()
    } else if endpoint.port == usual_port && !endpoint.host.contains(':') {
        endpoint.host.clone()
    } else {
        endpoint.to_string()
    };
    Request::get(&probe.path)
        .header(HOST, host)
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
async fn judge_body(probe: &HttpProbe, mut body: Incoming) -> Result<(), ProbeFault> {
    let wanted = probe.body_contains.as_bytes();
    let mut text = Vec::new();
    let mut length = 0_usize;
    while length < limits::BODY_BYTES {
        let Some(frame) = body.frame().await else { break };
        let frame = frame.map_err(|error| fault::of_http(&error))?;
        let Some(data) = frame.data_ref() else { continue };
        let room = (limits::BODY_BYTES - length).min(data.len());
        length += room;
        if !wanted.is_empty() {
            text.extend_from_slice(&data[..room]);
        }
    }
    if wanted.is_empty() || text.windows(wanted.len()).any(|window| window == wanted) {
        return Ok(());
    }
    let what = format_args!("{length} bytes of body without `{}`", probe.body_contains);
    Err(ProbeFault::WrongAnswer(short(what)))
}
