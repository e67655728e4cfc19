//! `/v1/asks` and `/v1/alarms`: what waits for a person.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ApiState;
use super::command::{command, out_of_scope, reaches};
use super::extract::{Named, json_body, reason};
use super::limits::BODY_BYTES;
use super::problem::Problem;
use super::read::{Seen, no_such};
use crate::kernel::controller::Action;
use crate::kernel::domain::{AlarmId, AskId, Principal};

/// Body of the answers to asks and alarms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonBody {
    /// Why, or what is done about it.
    #[serde(default)]
    pub reason: String,
}

/// `GET /v1/asks`.
pub(super) async fn asks(seen: Seen) -> Result<Response, Problem> {
    let view = Arc::clone(seen.view());
    seen.answer(move |_, _| Ok(view.asks())).await
}

/// `GET /v1/asks/{id}`.
pub(super) async fn ask(Named(id): Named, seen: Seen) -> Result<Response, Problem> {
    let view = Arc::clone(seen.view());
    seen.answer(move |_, _| {
        let known = id.parse::<AskId>().ok().and_then(|id| view.ask(id));
        known.ok_or_else(|| no_such("ask", &id, "/v1/asks"))
    })
    .await
}

/// `GET /v1/alarms`.
pub(super) async fn alarms(seen: Seen) -> Result<Response, Problem> {
    let view = Arc::clone(seen.view());
    seen.answer(move |_, _| Ok(view.alarms())).await
}

/// `POST /v1/asks/{id}/approve`.
pub(super) async fn approve(
    State(state): State<Arc<ApiState>>,
    Extension(principal): Extension<Principal>,
    Named(id): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    answer(&state, &principal, &id, (&headers, body), true).await
}

/// `POST /v1/asks/{id}/deny`.
pub(super) async fn deny(
    State(state): State<Arc<ApiState>>,
    Extension(principal): Extension<Principal>,
    Named(id): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    answer(&state, &principal, &id, (&headers, body), false).await
}

async fn answer(
    state: &ApiState,
    principal: &Principal,
    id: &str,
    (headers, body): (&HeaderMap, Body),
    approve: bool,
) -> Result<Response, Problem> {
    let ask: AskId = id.parse().map_err(|_| no_such("ask", id, "/v1/asks"))?;
    if !principal.groups.is_empty() {
        // What this node has not heard of yet is not known to be in the scope.
        let view = state.backend.view().borrow().clone();
        let group = view.and_then(|view| Some(view.ledger.asks().get(&ask)?.group.clone()));
        reaches(principal, &group.ok_or_else(|| no_such("ask", id, "/v1/asks"))?)?;
    }
    let body: ReasonBody = json_body(headers, body, BODY_BYTES, state.limits.body).await?;
    let action = Action::Answer { ask, approve, reason: reason(body.reason)? };
    command(state, principal, action).await
}

/// `POST /v1/alarms/{id}/ack`.
pub(super) async fn acknowledge(
    State(state): State<Arc<ApiState>>,
    Extension(principal): Extension<Principal>,
    Named(id): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let alarm: AlarmId = id.parse().map_err(|_| no_such("alarm", &id, "/v1/alarms"))?;
    if !principal.groups.is_empty() {
        let view = state.backend.view().borrow().clone();
        let known = view.and_then(|view| view.ledger.alarms_kept().open.get(&alarm).cloned());
        let known = known.ok_or_else(|| no_such("alarm", &id, "/v1/alarms"))?;
        match &known.condition.group {
            Some(group) => reaches(&principal, group)?,
            None => return Err(out_of_scope(&principal, "this alarm is not about a group")),
        }
    }
    let body: ReasonBody = json_body(&headers, body, BODY_BYTES, state.limits.body).await?;
    let action = Action::Acknowledge { alarm, reason: reason(body.reason)? };
    command(&state, &principal, action).await
}
