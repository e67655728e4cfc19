//! `/v1/tokens`: who may come in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ApiState;
use super::command::command;
use super::extract::{Named, json_body};
use super::limits::BODY_BYTES;
use super::problem::{Problem, ProblemKind};
use super::read::{Seen, no_such};
use crate::kernel::controller::Action;
use crate::kernel::domain::{AccessRole, GroupName, Principal, PrincipalName, WallTime};
use crate::kernel::ledger::{Done, TokenChange, TokenState};

/// One token, as `GET /v1/tokens` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenShown {
    /// What it may do.
    pub role: AccessRole,
    /// The groups that it may act on; all when empty.
    pub groups: BTreeSet<GroupName>,
    /// It is good until then.
    pub expires: Option<WallTime>,
    /// Who made it.
    pub made: Done,
    /// Who revoked it.
    pub revoked: Option<Done>,
}

/// Body of `POST /v1/tokens`. The token itself never leaves its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Whose: stands in every record that it makes.
    pub name: PrincipalName,
    /// What it may do.
    pub role: AccessRole,
    /// The groups that it may act on; all when empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<GroupName>,
    /// Hex of SHA-256 of the token.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub hash: String,
    /// It is good until then, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<WallTime>,
}

/// `GET /v1/tokens`.
pub(super) async fn list(seen: Seen) -> Result<Response, Problem> {
    let tokens = Arc::clone(seen.view().ledger.tokens());
    seen.answer(move |_, _| {
        let shown: BTreeMap<PrincipalName, TokenShown> =
            tokens.iter().map(|(name, token)| (name.clone(), shown(token))).collect();
        Ok(shown)
    })
    .await
}

fn shown(token: &TokenState) -> TokenShown {
    TokenShown {
        role: token.role,
        groups: token.groups.clone(),
        expires: token.expires,
        made: token.made.clone(),
        revoked: token.revoked.clone(),
    }
}

/// `POST /v1/tokens`.
pub(super) async fn create(
    State(state): State<Arc<ApiState>>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let NewToken { name, role, groups, hash, expires } =
        json_body(&headers, body, BODY_BYTES, state.limits.body).await?;
    if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return Err(Problem::new(
            ProblemKind::Unprocessable,
            "`hash` is not the SHA-256 of a token",
            "send 64 hex digits in lower case: `printf %s TOKEN | sha256sum`",
        ));
    }
    let change = TokenChange::Create { role, groups, hash, expires };
    command(&state, &principal, Action::Token { name, change }).await
}

/// `DELETE /v1/tokens/{name}`.
pub(super) async fn revoke(
    State(state): State<Arc<ApiState>>,
    Extension(principal): Extension<Principal>,
    Named(name): Named,
) -> Result<Response, Problem> {
    let name = PrincipalName::new(&name).map_err(|_| no_such("token", &name, "/v1/tokens"))?;
    command(&state, &principal, Action::Token { name, change: TokenChange::Revoke {} }).await
}
