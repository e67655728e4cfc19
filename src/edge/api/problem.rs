//! Errors as `application/problem+json` (RFC 9457), each with what to do next.

use std::borrow::Cow;
use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::controller::{Refusal, RefusalKind};

/// One error, as sent and as read by the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// A URI for programs: `urn:biplane:problem:WORD`.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The same for every problem of this type.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here.
    #[serde(default)]
    pub detail: String,
    /// What to do.
    #[serde(default)]
    pub next: String,
    /// The URL that tells what became of the request, when that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<Box<str>>,
}

/// The problems that the API knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// 400.
    Malformed,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 405.
    MethodNotAllowed,
    /// 408.
    SlowRequest,
    /// 409.
    Conflict,
    /// 412.
    StaleEpoch,
    /// 412.
    StaleConfiguration,
    /// 428.
    NoCondition,
    /// 413.
    TooLarge,
    /// 415.
    NotJson,
    /// 422.
    Unprocessable,
    /// 429.
    TooManyFailures,
    /// 500.
    Internal,
    /// 503: this node cannot now; another may.
    Unavailable,
    /// 503: too many at once.
    Busy,
    /// 504: it may or may not have happened.
    UnknownOutcome,
}

impl ProblemKind {
    const fn row(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Malformed => (400, "urn:biplane:problem:malformed", "The request is malformed"),
            Self::Unauthorized => {
                (401, "urn:biplane:problem:unauthorized", "Who asks is not known")
            }
            Self::Forbidden => {
                (403, "urn:biplane:problem:forbidden", "Who asks is known and may not")
            }
            Self::NotFound => (404, "urn:biplane:problem:not-found", "There is no such thing"),
            Self::MethodNotAllowed => {
                (405, "urn:biplane:problem:method-not-allowed", "Not with this method")
            }
            Self::SlowRequest => {
                (408, "urn:biplane:problem:slow-request", "The request took too long to arrive")
            }
            Self::Conflict => (409, "urn:biplane:problem:conflict", "Not now: a guard forbids it"),
            Self::StaleEpoch => {
                (412, "urn:biplane:problem:stale-epoch", "The epoch is no longer current")
            }
            Self::StaleConfiguration => (
                412,
                "urn:biplane:problem:stale-configuration",
                "Another configuration is in force",
            ),
            Self::NoCondition => {
                (428, "urn:biplane:problem:no-condition", "The request needs an If-Match header")
            }
            Self::TooLarge => (413, "urn:biplane:problem:too-large", "The body is too large"),
            Self::NotJson => (415, "urn:biplane:problem:not-json", "The body must be JSON"),
            Self::Unprocessable => {
                (422, "urn:biplane:problem:unprocessable", "The request makes no sense")
            }
            Self::TooManyFailures => {
                (429, "urn:biplane:problem:too-many-failures", "Too many failed logins")
            }
            Self::Internal => (500, "urn:biplane:problem:internal", "This node has a fault"),
            Self::Unavailable => {
                (503, "urn:biplane:problem:unavailable", "This node cannot answer now")
            }
            Self::Busy => (503, "urn:biplane:problem:busy", "Too many requests at once"),
            Self::UnknownOutcome => {
                (504, "urn:biplane:problem:unknown-outcome", "It may or may not have happened")
            }
        }
    }
}

impl Problem {
    /// A problem: what is wrong, and what to do next.
    pub fn new(kind: ProblemKind, detail: impl Into<String>, next: impl Into<String>) -> Self {
        let (status, uri, title) = kind.row();
        Self {
            kind: Cow::Borrowed(uri),
            title: Cow::Borrowed(title),
            status,
            detail: detail.into(),
            next: next.into(),
            settle: None,
        }
    }

    /// The outcome of a write is unknown; the URL tells it later.
    pub fn unknown_outcome(settle: &str) -> Self {
        let detail = "no answer in time: the change may or may not have happened";
        let next = format!(
            "ask GET {settle}; a switch may be repeated with the same Idempotency-Key, anything else as it was"
        );
        Self { settle: Some(settle.into()), ..Self::new(ProblemKind::UnknownOutcome, detail, next) }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal.kind {
            RefusalKind::NotFound => ProblemKind::NotFound,
            RefusalKind::StaleEpoch => ProblemKind::StaleEpoch,
            RefusalKind::StaleConfiguration => ProblemKind::StaleConfiguration,
            RefusalKind::Conflict => ProblemKind::Conflict,
            RefusalKind::Unprocessable => ProblemKind::Unprocessable,
            RefusalKind::Unavailable => ProblemKind::Unavailable,
        };
        Self::new(kind, refusal.why, refusal.next)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.detail.is_empty() { self.title.as_ref() } else { &self.detail };
        f.write_str(text)?;
        if self.next.is_empty() { Ok(()) } else { write!(f, "; {}", self.next) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.status {
            401 => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            429 => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
            }
            503 => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}
