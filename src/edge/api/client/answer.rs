//! From the bytes of an answer to a value or an error.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Incoming};
use serde::de::DeserializeOwned;

use super::super::limits::ANSWER_BYTES;
use super::super::problem::Problem;
use super::Order;
use super::connection::SendFault;
use super::error::ApiError;
use super::settle::{settled_by, unusable};

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// Who gave it.
    pub controller: SocketAddr,
    /// HTTP status: always a success.
    pub status: u16,
    /// Headers: `location`, `etag`, `biplane-node`, `biplane-applied`, `biplane-stale`.
    pub headers: HeaderMap,
    /// The body.
    pub body: T,
}

/// Why one controller gave no answer.
pub(super) enum AttemptFault {
    Failed(SendFault),
    Unusable(String),
}

pub(super) type Attempt<T> = Result<T, AttemptFault>;

pub(super) async fn read_all(body: Incoming, within: Duration) -> Attempt<Bytes> {
    let too_long = || AttemptFault::Unusable(format!("it is longer than {ANSWER_BYTES} bytes"));
    if body.size_hint().lower() > ANSWER_BYTES as u64 {
        return Err(too_long());
    }
    let failed = match tokio::time::timeout(within, Limited::new(body, ANSWER_BYTES).collect())
        .await
    {
        Ok(Ok(collected)) => return Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => return Err(too_long()),
        Ok(Err(error)) => SendFault::Sent(error.to_string()),
        Err(_) => SendFault::Silent("the answer stopped arriving".to_owned()),
    };
    Err(AttemptFault::Failed(failed))
}

pub(super) fn judge(order: &Order, answer: Answer<Bytes>) -> Result<Answer<Bytes>, ApiError> {
    match answer.status {
        200..300 => Ok(answer),
        // It broke after it had begun.
        500 if order.method != Method::GET => {
            let why = format!("{} had a fault of its own", answer.controller);
            Err(ApiError::UnknownOutcome { why, settle: settled_by(order.path.path()) })
        }
        _ => Err(read_problem(order, answer)),
    }
}

pub(super) fn read_problem(order: &Order, answer: Answer<Bytes>) -> ApiError {
    let Answer { controller, status, body, .. } = answer;
    match serde_json::from_slice::<Problem>(&body) {
        Ok(Problem { status: 504, detail, settle, .. }) => ApiError::UnknownOutcome {
            why: detail,
            settle: settle.map_or_else(|| settled_by(order.path.path()), String::from),
        },
        Ok(problem) => ApiError::Problem(Box::new(problem)),
        Err(_) => unusable(order, controller, format!("status {status} without a word")),
    }
}

pub(super) fn read_json<T: DeserializeOwned>(answer: Answer<Bytes>) -> Result<Answer<T>, ApiError> {
    let Answer { controller, status, headers, body } = answer;
    let text: &[u8] = if body.is_empty() { b"null" } else { &body };
    let body = serde_json::from_slice(text)
        .map_err(|error| ApiError::BadAnswer { controller, why: error.to_string() })?;
    Ok(Answer { controller, status, headers, body })
}
