//! `/v1/audit`: the log as it was applied, chained.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use super::ApiState;
use super::command::rendered;
use super::problem::{Problem, ProblemKind};
use super::read::Seen;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FromQuery {
    #[serde(default)]
    from: u64,
}

/// The first entry that is wanted.
pub(super) struct From(u64);

impl FromRequestParts<Arc<ApiState>> for From {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Self, Problem> {
        let Query(query) =
            Query::<FromQuery>::from_request_parts(parts, state).await.map_err(|error| {
                let next = "the one parameter is from=INDEX";
                Problem::new(ProblemKind::Malformed, error.body_text(), next)
            })?;
        Ok(Self(query.from))
    }
}

/// `GET /v1/audit`: what this node kept, from an entry on.
pub(super) async fn page(
    State(state): State<Arc<ApiState>>,
    From(from): From,
) -> Result<Response, Problem> {
    let page = state.backend.audit(from).await.map_err(|why| {
        let next = "ask another node: each keeps the whole trail; and see this one's disk";
        Problem::new(
            ProblemKind::Unavailable,
            format!("the audit trail cannot be read: {why}"),
            next,
        )
    })?;
    rendered(StatusCode::OK, &page)
}

/// `GET /v1/audit/head`: where the chain stands.
pub(super) async fn head(seen: Seen) -> Result<Response, Problem> {
    let view = Arc::clone(seen.view());
    seen.answer(move |_, _| Ok(view.ledger.audit().stands())).await
}
