//! One call of the standard health service of gRPC, `grpc.health.v1.Health/Check`, over HTTP/2.
//!
//! The two messages have one field each, so they are written and read here, within bounds.

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::{RecvStream, client};
use hyper::header::{CONTENT_TYPE, HeaderMap, USER_AGENT};
use hyper::{Method, Request, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::fault::{self, short};
use super::http::{AGENT, authority};
use super::limits;
use crate::kernel::domain::{Endpoint, GrpcProbe, ProbeFault, ProbeTimings};

const METHOD: &str = "/grpc.health.v1.Health/Check";
/// Of every message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// Asks and judges the answer. The connection is driven here, not in a task of its own: dropping this
/// future closes the socket.
pub(super) async fn ask<S>(
    stream: S,
    endpoint: &Endpoint,
    probe: &GrpcProbe,
    timings: &mut ProbeTimings,
) -> Result<(), ProbeFault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = request(endpoint, probe)?;
    let asked = Instant::now();
    let (sender, connection) = client::Builder::new()
        .enable_push(false)
        .max_header_list_size(limits::HTTP2_HEADER_BYTES)
        .initial_window_size(limits::HTTP2_WINDOW)
        .initial_connection_window_size(limits::HTTP2_WINDOW)
        .handshake::<_, Bytes>(stream)
        .await
        .map_err(|error| fault::of_http2(&error))?;
    let exchange = async {
        let mut sender = sender.ready().await.map_err(|error| fault::of_http2(&error))?;
        let sent = sender.send_request(request, false);
        let (answer, mut body) = sent.map_err(|error| fault::of_http2(&error))?;
        let sent = body.send_data(question(&probe.service), true);
        sent.map_err(|error| fault::of_http2(&error))?;
        let answer = answer.await.map_err(|error| fault::of_http2(&error))?;
        timings.first_byte = asked.elapsed();
        judge_head(answer.status(), answer.headers())?;
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

fn request(endpoint: &Endpoint, probe: &GrpcProbe) -> Result<Request<()>, ProbeFault> {
    let scheme = if probe.tls { "https" } else { "http" };
    let authority = authority(endpoint, &probe.host, probe.tls);
    Request::builder()
        .version(Version::HTTP_2)
        .method(Method::POST)
        .uri(format!("{scheme}://{authority}{METHOD}"))
        .header(CONTENT_TYPE, "application/grpc")
        .header("te", "trailers")
        .header(USER_AGENT, AGENT)
        .body(())
        .map_err(|error| ProbeFault::NotProbed(short(format_args!("cannot ask: {error}"))))
}

/// A `HealthCheckRequest`: field 1 is the service.
fn question(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(1 << 3 | 2);
        let mut length = service.len();
        while length >= 0x80 {
            message.put_u8(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
            length >>= 7;
        }
        message.put_u8(u8::try_from(length).unwrap_or(0));
        message.put_slice(service.as_bytes());
    }
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(0));
    framed.put_slice(&message);
    framed.freeze()
}

fn wrong<T>(what: impl ToString) -> Result<T, ProbeFault> {
    Err(ProbeFault::WrongAnswer(short(what)))
}

fn judge_head(status: StatusCode, head: &HeaderMap) -> Result<(), ProbeFault> {
    if status != StatusCode::OK {
        return wrong(format_args!("no gRPC answer: HTTP status {}", status.as_u16()));
    }
    let content = head.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    if !content.starts_with(b"application/grpc") {
        let content = String::from_utf8_lossy(content);
        return wrong(format_args!("no gRPC answer: content-type is `{content}`"));
    }
    // An error may come without a body: its status stands in the head then.
    if head.contains_key("grpc-status") { judge_status(head) } else { Ok(()) }
}

async fn judge_body(probe: &GrpcProbe, mut body: RecvStream) -> Result<(), ProbeFault> {
    let mut message = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(|error| fault::of_http2(&error))?;
        if message.len() + data.len() > PREFIX + limits::GRPC_MESSAGE_BYTES {
            let most = limits::GRPC_MESSAGE_BYTES;
            return wrong(format_args!("an answer of more than {most} bytes"));
        }
        message.extend_from_slice(&data);
        // Fails only on more than what came.
        let _ = body.flow_control().release_capacity(data.len());
    }
    match body.trailers().await.map_err(|error| fault::of_http2(&error))? {
        Some(trailers) => judge_status(&trailers)?,
        None => return wrong("no gRPC answer: it ends without a grpc-status"),
    }
    let Some(status) = unframed(&message).and_then(serving_status) else {
        return wrong("no HealthCheckResponse");
    };
    let name = match status {
        1 => return Ok(()),
        0 => "UNKNOWN".to_owned(),
        2 => "NOT_SERVING".to_owned(),
        3 => "SERVICE_UNKNOWN".to_owned(),
        other => format!("status {other}"),
    };
    let of = if probe.service.is_empty() { "the server" } else { &probe.service };
    wrong(format_args!("{of} is {name}, not SERVING"))
}

/// Whether the call itself went well.
fn judge_status(head: &HeaderMap) -> Result<(), ProbeFault> {
    let text = |key: &str| {
        let value = head.get(key).map_or(&b""[..], |value| value.as_bytes());
        String::from_utf8_lossy(value).into_owned()
    };
    let status = text("grpc-status");
    let name = match status.as_str() {
        "0" => return Ok(()),
        "5" => "NOT_FOUND: it knows no such service",
        "12" => "UNIMPLEMENTED: it has no health service",
        "7" => "PERMISSION_DENIED",
        "14" => "UNAVAILABLE",
        "16" => "UNAUTHENTICATED",
        _ => "",
    };
    let blank = if name.is_empty() { "" } else { " " };
    match text("grpc-message") {
        said if said.is_empty() => wrong(format_args!("grpc-status {status}{blank}{name}")),
        said => wrong(format_args!("grpc-status {status}{blank}{name} (`{said}`)")),
    }
}

/// The one message of an answer, if it is whole and not compressed.
fn unframed(body: &[u8]) -> Option<&[u8]> {
    let (prefix, message) = body.split_at_checked(PREFIX)?;
    let [0, length @ ..] = prefix else { return None };
    let length = u32::from_be_bytes(length.try_into().ok()?);
    (u32::try_from(message.len()) == Ok(length)).then_some(message)
}

/// Field 1 of a `HealthCheckResponse`; zero where it is not written. Fields that are not known are passed over.
fn serving_status(mut message: &[u8]) -> Option<u64> {
    let mut status = 0;
    while !message.is_empty() {
        let (tag, rest) = varint(message)?;
        (message, status) = match (tag >> 3, tag & 7) {
            (0, _) => return None,
            (1, 0) => {
                let (value, rest) = varint(rest)?;
                (rest, value)
            }
            (_, 0) => (varint(rest)?.1, status),
            (_, 1) => (rest.get(8..)?, status),
            (_, 2) => {
                let (length, rest) = varint(rest)?;
                (rest.get(usize::try_from(length).ok()?..)?, status)
            }
            (_, 5) => (rest.get(4..)?, status),
            _ => return None,
        };
    }
    Some(status)
}

/// Seven bits a byte, the lowest first, at most ten bytes; and what comes after it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        let shift = u32::try_from(place * 7).ok()?;
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some((value, &bytes[place + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_question_names_the_service_with_its_length() {
        assert_eq!(question(""), Bytes::from_static(&[0, 0, 0, 0, 0]));
        assert_eq!(question("ab"), Bytes::from_static(&[0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']));
        let long = question(&"x".repeat(300));
        assert_eq!(long[..8], [0, 0, 0, 1, 47, 0x0a, 0xac, 0x02]);
    }

    #[test]
    fn the_status_is_found_among_fields_that_are_not_known() {
        assert_eq!(serving_status(&[]), Some(0));
        assert_eq!(serving_status(&[0x08, 1]), Some(1));
        assert_eq!(serving_status(&[0x12, 2, 7, 7, 0x18, 0x80, 1, 0x08, 2]), Some(2));
        assert_eq!(
            serving_status(&[0x21, 0, 0, 0, 0, 0, 0, 0, 0, 0x2d, 0, 0, 0, 0, 0x08, 1]),
            Some(1)
        );
        for broken in [&[0x08][..], &[0x12, 9, 1], &[0x00, 1], &[0x0b], &[0xff; 11], &[0x2d, 1]] {
            assert_eq!(serving_status(broken), None, "{broken:?}");
        }
        assert_eq!(unframed(&[0, 0, 0, 0, 2, 8, 1]), Some(&[8, 1][..]));
        for broken in [&[][..], &[0, 0, 0, 0], &[1, 0, 0, 0, 0], &[0, 0, 0, 0, 3, 8, 1]] {
            assert_eq!(unframed(broken), None, "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn no_message_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = unframed(&bytes).and_then(serving_status);
            let _ = serving_status(&bytes);
        }
    }
}
