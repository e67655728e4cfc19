//! Writes: an operator's commands, a gateway's reports and hints.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ApiState;
use super::config::configured;
use super::extract::{Condition, Named, idempotency_key, if_match, json_body, reason};
use super::limits::{BODY_BYTES, REPORT_BYTES, SPAN_MAX_MS};
use super::problem::{Problem, ProblemKind};
use super::read::{json_bytes, no_such};
use crate::kernel::controller::{
    Action, DataPlaneHint, GatewayReport, Response as Reply, SwitchKind, SwitchRequest,
};
use crate::kernel::domain::{
    Epoch, GatewayName, GroupName, Incarnation, PlaneName, Principal, ServiceName,
};

/// Body of `POST /v1/groups/{name}/switch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchBody {
    /// To where; the other plane when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<PlaneName>,
    /// `planned` or `forced`.
    #[serde(default)]
    pub kind: SwitchKind,
    /// Only say what would happen.
    #[serde(default)]
    pub dry_run: bool,
    /// The epoch that the operator saw. `If-Match` says the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// Body of `POST /v1/freeze` and `/v1/groups/{name}/freeze`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FreezeBody {
    /// On or off.
    pub on: bool,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// For how long, in milliseconds; until thawed when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000_000_u64))]
    pub for_ms: Option<u64>,
    /// Whether switchovers under way turn back, as far as their route has not changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abort: bool,
}

/// Body of `POST /v1/planes/{name}/drain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrainBody {
    /// On or off.
    pub on: bool,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// For how long, in milliseconds; until lifted when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000_000_u64))]
    pub for_ms: Option<u64>,
}

/// The answer to an accepted switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AcceptedBody {
    /// The id of the switchover.
    pub switchover: String,
    /// Whether an earlier request with the same key made it.
    pub repeated: bool,
    /// Where to follow it; also in `Location`.
    pub url: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportBody {
    gateway: GatewayName,
    incarnation: Incarnation,
    groups: BTreeMap<GroupName, Epoch>,
    connections_failed: u64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HintBody {
    gateway: GatewayName,
    route: ServiceName,
    plane: PlaneName,
}

/// `POST /v1/groups/{name}/switch`.
pub(super) async fn switch(
    State(state): State<Arc<ApiState>>,
    Extension(principal): Extension<Principal>,
    Named(name): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let group = group_name(&name)?;
    reaches(&principal, &group)?;
    let idempotency_key = idempotency_key(&headers)?;
    let condition = if_match(&headers)?;
    let body: SwitchBody = json_body(&headers, body, BODY_BYTES, state.limits.body).await?;
    let epoch = match condition {
        Condition::Tag(epoch) => Some(epoch),
        Condition::Any | Condition::Absent => body.epoch,
    };
    if condition == Condition::Absent && epoch.is_none() && !body.dry_run {
        let why = "a group is moved only by one who says from which epoch";
        let next = "send back the ETag of GET /v1/groups/{name}, for example If-Match: \"1.7\"; or If-Match: * for \
                    whichever it is";
        return Err(Problem::new(ProblemKind::NoCondition, why, next));
    }
    if let (Some(a), Some(b)) = (epoch, body.epoch)
        && a != b
    {
        return Err(Problem::new(
            ProblemKind::Unprocessable,
            format!("If-Match says epoch {a}, the body says {b}"),
            "send one of them, or the same twice",
        ));
    }
    let action = Action::Switch(SwitchRequest {
        group,
        to: body.to,
        kind: body.kind,
        epoch,
        dry_run: body.dry_run,
        reason: reason(body.reason)?,
        idempotency_key,
    });
    command(&state, &principal, action).await
}

/// `POST /v1/groups/{name}/freeze`.
pub(super) async fn freeze_group(
    State(state): State<Arc<ApiState>>,
    Extension(principal): Extension<Principal>,
    Named(name): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let group = group_name(&name)?;
    reaches(&principal, &group)?;
    let groups = vec![group];
    let body: FreezeBody = json_body(&headers, body, BODY_BYTES, state.limits.body).await?;
    let action = freeze(groups, body)?;
    command(&state, &principal, action).await
}

/// `POST /v1/freeze`: all groups.
pub(super) async fn freeze_all(
    State(state): State<Arc<ApiState>>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    unscoped(&principal)?;
    let body: FreezeBody = json_body(&headers, body, BODY_BYTES, state.limits.body).await?;
    let action = freeze(Vec::new(), body)?;
    command(&state, &principal, action).await
}

fn freeze(groups: Vec<GroupName>, body: FreezeBody) -> Result<Action, Problem> {
    let FreezeBody { on, reason: why, for_ms, abort } = body;
    let for_ms = span(on, for_ms)?;
    if abort && !on {
        return Err(Problem::new(
            ProblemKind::Unprocessable,
            "a thaw aborts nothing",
            "leave `abort` out, or freeze",
        ));
    }
    Ok(Action::Freeze { groups, on, reason: reason(why)?, for_ms, abort })
}

/// A time for which something is put in place: above zero, and at most a year.
fn span(on: bool, for_ms: Option<u64>) -> Result<Option<u64>, Problem> {
    match for_ms {
        Some(_) if !on => Err(Problem::new(
            ProblemKind::Unprocessable,
            "what is ended has no time to last",
            "leave `for_ms` out",
        )),
        Some(ms) if ms == 0 || ms > SPAN_MAX_MS => Err(Problem::new(
            ProblemKind::Unprocessable,
            format!("`for_ms` is {ms}: it must be from 1 to {SPAN_MAX_MS}, a year"),
            "leave it out for a time without end",
        )),
        for_ms => Ok(for_ms),
    }
}

/// `POST /v1/planes/{name}/drain`.
pub(super) async fn drain(
    State(state): State<Arc<ApiState>>,
    Extension(principal): Extension<Principal>,
    Named(name): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    unscoped(&principal)?;
    let plane = PlaneName::new(&name).map_err(|_| no_such("plane", &name, "/v1/planes"))?;
    let DrainBody { on, reason: why, for_ms } =
        json_body(&headers, body, BODY_BYTES, state.limits.body).await?;
    let for_ms = span(on, for_ms)?;
    let action = Action::Drain { plane, on, reason: reason(why)?, for_ms };
    command(&state, &principal, action).await
}

/// `PUT /v1/gateways/{name}`.
pub(super) async fn report(
    State(state): State<Arc<ApiState>>,
    Named(name): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body: ReportBody = json_body(&headers, body, REPORT_BYTES, state.limits.body).await?;
    if body.gateway.as_str() != name {
        return Err(Problem::new(
            ProblemKind::Unprocessable,
            format!("the path says gateway `{name}`, the body says `{}`", body.gateway),
            "a gateway reports for itself",
        ));
    }
    let ReportBody { gateway, incarnation, groups, connections_failed } = body;
    let report = GatewayReport { gateway, incarnation, groups, connections_failed };
    taken(state.backend.gateway(report))
}

/// `POST /v1/hints`.
pub(super) async fn hint(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let HintBody { gateway, route, plane } =
        json_body(&headers, body, BODY_BYTES, state.limits.body).await?;
    taken(state.backend.hint(DataPlaneHint { gateway, route, plane }))
}

/// Whether the group is in the token's scope.
pub(super) fn reaches(principal: &Principal, group: &GroupName) -> Result<(), Problem> {
    if principal.reaches(group) {
        return Ok(());
    }
    Err(out_of_scope(principal, &format!("group `{group}` is not one of them")))
}

/// Whether the token may act on all groups.
fn unscoped(principal: &Principal) -> Result<(), Problem> {
    if principal.groups.is_empty() {
        return Ok(());
    }
    Err(out_of_scope(principal, "this would act on all"))
}

pub(super) fn out_of_scope(principal: &Principal, why: &str) -> Problem {
    let groups: Vec<&str> = principal.groups.iter().map(GroupName::as_str).collect();
    Problem::new(
        ProblemKind::Forbidden,
        format!("`{}` may act on {} only: {why}", principal.name, groups.join(", ")),
        "ask with a token of a wider scope; an admin makes one with `biplane token create`",
    )
}

fn taken(taken: bool) -> Result<Response, Problem> {
    if taken {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let why = "this node's queue is full";
    Err(Problem::new(ProblemKind::Busy, why, "try again in a second, or tell another node"))
}

fn group_name(name: &str) -> Result<GroupName, Problem> {
    GroupName::new(name).map_err(|_| no_such("group", name, "/v1/groups"))
}

/// Asks the kernel and puts its reply into words of HTTP.
pub(super) async fn command(
    state: &ApiState,
    principal: &Principal,
    action: Action,
) -> Result<Response, Problem> {
    let settled_by = action.settled_by();
    let asked = state.backend.ask(principal.name.to_string(), action);
    match tokio::time::timeout(state.limits.ask, asked).await {
        Ok(Reply::Accepted { switchover, repeated }) => accepted(switchover, repeated),
        Ok(Reply::Done | Reply::Read(_)) => Ok(StatusCode::NO_CONTENT.into_response()),
        Ok(Reply::Configured { version, changed }) => configured(version, changed),
        Ok(Reply::ConfigPlan(plan)) => rendered(StatusCode::OK, &plan),
        Ok(Reply::Plan(plan)) => rendered(StatusCode::OK, &plan),
        Ok(Reply::Refused(refusal)) => Err(refusal.into()),
        Ok(Reply::Unknown { settle }) if !settle.is_empty() => {
            Err(Problem::unknown_outcome(&settle))
        }
        Ok(Reply::Unknown { .. }) | Err(_) => Err(Problem::unknown_outcome(&settled_by)),
    }
}

fn accepted(switchover: String, repeated: bool) -> Result<Response, Problem> {
    let url = format!("/v1/switchovers/{switchover}");
    let location = HeaderValue::from_str(&url);
    let mut response = rendered(StatusCode::ACCEPTED, &AcceptedBody { switchover, repeated, url })?;
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

pub(super) fn rendered<T: Serialize>(status: StatusCode, value: &T) -> Result<Response, Problem> {
    let json = serde_json::to_vec(value).map_err(|error| {
        Problem::new(ProblemKind::Internal, error.to_string(), "report this with the log")
    })?;
    Ok(json_bytes(status, json.into()))
}
