//! What can go wrong between a client and the controllers.

use std::net::SocketAddr;

use super::super::problem::Problem;

/// Why there is no answer. [`ApiError::UnknownOutcome`] and [`ApiError::BadAnswer`] leave open whether a
/// write happened; the others say that it did not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// No controller could be reached: nothing happened.
    #[error("no controller answers: {}; see that one of them runs, and that `controllers` and `ca` in client.toml are those of this cluster", tried(.0))]
    Unreachable(Vec<(SocketAddr, String)>),
    /// A controller answered with an error: nothing happened.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// The request was sent, and what became of it is not known.
    #[error("{why}: the change may or may not have happened; ask GET {settle}")]
    UnknownOutcome {
        /// What was seen.
        why: String,
        /// The path that tells it.
        settle: String,
    },
    /// An answer that is not of this API, or larger than a client takes.
    #[error("{controller} gave an answer that cannot be used: {why}")]
    BadAnswer {
        /// Who.
        controller: SocketAddr,
        /// What is wrong with it.
        why: String,
    },
    /// The request itself cannot be sent.
    #[error("the request cannot be sent: {0}")]
    BadRequest(String),
}

impl ApiError {
    /// The HTTP status, if a controller gave one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem) => Some(problem.status),
            Self::UnknownOutcome { .. } => Some(504),
            _ => None,
        }
    }
}

fn tried(addresses: &[(SocketAddr, String)]) -> String {
    if addresses.is_empty() {
        return "none is configured".to_owned();
    }
    // One cause is told once.
    let (_, first) = &addresses[0];
    if addresses.iter().all(|(_, why)| why == first) {
        let all: Vec<_> = addresses.iter().map(|(address, _)| address.to_string()).collect();
        return format!("{} ({first})", all.join(", "));
    }
    let each: Vec<_> =
        addresses.iter().map(|(address, why)| format!("{address} ({why})")).collect();
    each.join(", ")
}
