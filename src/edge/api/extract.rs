//! From a request to checked values: bodies, names, keys.

use std::str::FromStr;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use super::limits::{KEY_CHARS, REASON_CHARS};
use super::problem::{Problem, ProblemKind};
use crate::kernel::domain::Epoch;

/// Header of a repeatable request.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The one variable part of a path, decoded.
#[derive(Debug)]
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(name) = Path::<String>::from_request_parts(parts, state).await.map_err(|e| {
            Problem::new(
                ProblemKind::Malformed,
                format!("the path cannot be read: {}", e.body_text()),
                "percent-encode names as UTF-8",
            )
        })?;
        Ok(Self(name))
    }
}

/// Reads a body of at most `limit` bytes, which must arrive `within` this time.
async fn read_body(body: Body, limit: usize, within: Duration) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(
            ProblemKind::TooLarge,
            format!("the body is larger than {limit} bytes"),
            "send less",
        )
    };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(within, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Problem::new(
            ProblemKind::Malformed,
            format!("the body broke off: {error}"),
            "send the request again",
        )),
        Err(_) => Err(Problem::new(
            ProblemKind::SlowRequest,
            format!("the body did not arrive within {} s", within.as_secs_f32()),
            "send the request again",
        )),
    }
}

/// A JSON body. An empty one counts as `{}`. Unknown fields are refused by name.
pub(super) async fn json_body<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    within: Duration,
) -> Result<T, Problem> {
    let bytes = read_body(body, limit, within).await?;
    if bytes.is_empty() {
        return parse(b"{}");
    }
    let given = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let essence = given.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if essence != "application/json" && !essence.ends_with("+json") {
        let said = if given.is_empty() { "nothing" } else { given };
        return Err(Problem::new(
            ProblemKind::NotJson,
            format!("Content-Type says {said}"),
            "send JSON, with Content-Type: application/json",
        ));
    }
    parse(&bytes)
}

/// Text → value: syntax faults are 400 with a position, others 422 with a path.
///
/// Serde would take an array for a struct, field by field: `[]` would be a switch to the other plane.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| fault(error, "."))?;
        return Err(Problem::new(
            ProblemKind::Unprocessable,
            "the body is not a JSON object",
            "send an object: {\"field\": value}",
        ));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        fault(error.into_inner(), &path)
    })?;
    json.end().map_err(|error| fault(error, "."))?;
    Ok(value)
}

fn fault(error: serde_json::Error, path: &str) -> Problem {
    match error.classify() {
        Category::Data if path == "." || path == "?" => {
            Problem::new(ProblemKind::Unprocessable, error.to_string(), "correct the body")
        }
        Category::Data => Problem::new(
            ProblemKind::Unprocessable,
            format!("at `{path}`: {error}"),
            "correct this field",
        ),
        Category::Syntax | Category::Eof | Category::Io => Problem::new(
            ProblemKind::Malformed,
            format!("this is not JSON: {error}"),
            format!("look at line {}, column {}", error.line(), error.column()),
        ),
    }
}

/// The idempotency key, checked.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = single(headers, IDEMPOTENCY_KEY)? else { return Ok(None) };
    let good =
        (1..=KEY_CHARS).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic());
    if good {
        return Ok(Some(value.to_owned()));
    }
    Err(Problem::new(
        ProblemKind::Malformed,
        "the Idempotency-Key cannot be used",
        format!("send 1 to {KEY_CHARS} visible ASCII characters, new ones for each new request"),
    ))
}

/// What a request says of the state that it is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition<T> {
    /// Nothing.
    Absent,
    /// `*`: any state will do.
    Any,
    /// This one.
    Tag(T),
}

/// The epoch of an `If-Match` header.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Condition<Epoch>, Problem> {
    entity_tag(headers, "an epoch", "/v1/groups/{name}", "\"1.7\"")
}

/// What an `If-Match` header holds. A tag is compared byte for byte (RFC 9110, 8.8.3), so it has one form: the one that was
/// sent.
pub(super) fn entity_tag<T: FromStr + ToString>(
    headers: &HeaderMap,
    what: &str,
    path: &str,
    example: &str,
) -> Result<Condition<T>, Problem> {
    let Some(value) = single(headers, header::IF_MATCH.as_str())? else {
        return Ok(Condition::Absent);
    };
    if value.trim() == "*" {
        return Ok(Condition::Any);
    }
    let bare = value.trim().strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    let same = |text: &str| text.parse().ok().filter(|tag: &T| tag.to_string() == text);
    bare.and_then(same).map(Condition::Tag).ok_or_else(|| {
        Problem::new(
            ProblemKind::Malformed,
            format!("If-Match does not hold {what}"),
            format!("send back the ETag of GET {path}, for example If-Match: {example}"),
        )
    })
}

pub(super) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    let wrong = |what: &str| {
        Problem::new(
            ProblemKind::Malformed,
            format!("the header {name} {what}"),
            "send it once, in ASCII",
        )
    };
    if values.next().is_some() {
        return Err(wrong("stands there more than once"));
    }
    first.to_str().map(Some).map_err(|_| wrong("is not text"))
}

/// Whether a character can garble a terminal or reverse what stands on a line: controls, line and paragraph
/// separators, and the marks of direction (Unicode Standard Annex 9).
fn garbles(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
}

/// A reason, which goes into the log and onto terminals: bounded, one line, no control characters.
pub(super) fn reason(text: String) -> Result<String, Problem> {
    if text.chars().count() <= REASON_CHARS && !text.chars().any(garbles) {
        return Ok(text);
    }
    Err(Problem::new(
        ProblemKind::Unprocessable,
        "`reason` is too long or holds control characters",
        format!("write one line of at most {REASON_CHARS} characters"),
    ))
}
