//! `/v1/config`: the configuration in force, earlier ones, and another in its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ApiState;
use super::command::command;
use super::extract::{Condition, Named, entity_tag, json_body, reason};
use super::limits::CONFIG_BYTES;
use super::problem::{Problem, ProblemKind};
use super::read::{Seen, internal, no_such};
use super::sending::Shared;
use crate::kernel::controller::{Action, ConfigRequest};
use crate::kernel::domain::{Principal, WallTime};
use crate::kernel::ledger::{Cluster, KeptConfig, Ledger};

/// From the text of a cluster file to its settings, or to its faults in words.
pub type ReadConfig = Arc<dyn Fn(&str) -> Result<Cluster, String> + Send + Sync>;

/// Who put a configuration in force, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigOrigin {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, by the wall clock of the leader.
    pub at: WallTime,
}

/// `GET /v1/config` and `GET /v1/config/{version}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigBody {
    /// Its number; also in `ETag`.
    pub version: u64,
    /// Whether it is in force.
    pub in_force: bool,
    /// The cluster file as it was written; absent while the first leader has not logged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Who put it in force; absent like the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<ConfigOrigin>,
    /// The configurations that are kept, by number. Each is at `/v1/config/{version}`.
    pub kept: BTreeMap<u64, ConfigOrigin>,
}

/// Body of `PUT /v1/config`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigWish {
    /// The whole cluster file.
    pub text: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Only say what would change.
    #[serde(default)]
    pub dry_run: bool,
}

/// The answer to a configuration that is in force now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfiguredBody {
    /// Its number; also in `ETag`.
    pub version: u64,
    /// Whether it took the place of another; not when the same text was in force already.
    pub changed: bool,
}

/// `GET /v1/config`.
pub(super) async fn in_force(
    State(state): State<Arc<ApiState>>,
    seen: Seen,
) -> Result<Response, Problem> {
    let version = seen.view().ledger.config_version();
    show(&state, seen, version).await
}

/// `GET /v1/config/{version}`.
pub(super) async fn kept(
    State(state): State<Arc<ApiState>>,
    Named(version): Named,
    seen: Seen,
) -> Result<Response, Problem> {
    let number: Option<u64> = version.parse().ok();
    let ledger = &seen.view().ledger;
    let known = number.filter(|number| {
        ledger.configs().contains_key(number) || *number == ledger.config_version()
    });
    match known {
        Some(number) => show(&state, seen, number).await,
        None => Err(no_such("kept configuration", &version, "/v1/config")),
    }
}

/// What was shown of the configurations that are kept: each is rendered once, and all answers share it.
#[derive(Debug, Default)]
pub(super) struct Shown {
    in_force: u64,
    kept: BTreeMap<u64, Arc<KeptConfig>>,
    texts: BTreeMap<u64, Bytes>,
}

impl Shown {
    /// Forgets what was shown of other configurations than these.
    fn of(&mut self, ledger: &Ledger) {
        let (in_force, kept) = (ledger.config_version(), ledger.configs());
        // What is the same in memory is not compared sign by sign.
        if self.in_force != in_force || self.kept != *kept {
            *self = Self { in_force, kept: kept.clone(), texts: BTreeMap::new() };
        }
    }
}

async fn show(state: &ApiState, seen: Seen, version: u64) -> Result<Response, Problem> {
    let ledger = Arc::clone(&seen.view().ledger);
    if ledger.config().is_none() {
        let why = "the cluster has no configuration yet";
        let next = "wait for the first leader: see GET /v1/status";
        return Err(Problem::new(ProblemKind::Unavailable, why, next));
    }
    // Whoever comes while it is rendered waits for it, instead of rendering it too.
    let mut shown = state.shown.lock().await;
    shown.of(&ledger);
    let text = match shown.texts.get(&version) {
        Some(text) => text.clone(),
        None => {
            let json =
                tokio::task::spawn_blocking(move || serde_json::to_vec(&body_of(&ledger, version)));
            let json = json.await.map_err(|error| internal(&error.to_string()))?;
            let json = json.map_err(|error| internal(&error.to_string()))?;
            let text = state.under_way.counted(Bytes::from(json))?;
            shown.texts.insert(version, text.clone());
            text
        }
    };
    drop(shown);
    let mut response = seen.with(text, Some(version.to_string()));
    response.extensions_mut().insert(Shared);
    Ok(response)
}

fn body_of(ledger: &Ledger, version: u64) -> ConfigBody {
    let origin = |kept: &KeptConfig| ConfigOrigin {
        by: kept.by.clone(),
        reason: kept.reason.clone(),
        at: kept.at,
    };
    let own = ledger.configs().get(&version);
    ConfigBody {
        version,
        in_force: version == ledger.config_version(),
        text: own.map(|kept| kept.text.clone()),
        origin: own.map(|kept| origin(kept)),
        kept: ledger.configs().iter().map(|(number, kept)| (*number, origin(kept))).collect(),
    }
}

/// `PUT /v1/config`.
pub(super) async fn put(
    State(state): State<Arc<ApiState>>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let base = entity_tag(&headers, "the number of a configuration", "/v1/config", "\"3\"")?;
    // Each may hold megabytes, several times over: one after the other.
    let _turn = state.configuring.try_acquire().map_err(|_| {
        let why = "this node is reading another configuration just now";
        Problem::new(ProblemKind::Busy, why, "try again in a second")
    })?;
    let ConfigWish { text, reason: why, dry_run } =
        json_body(&headers, body, CONFIG_BYTES, state.limits.body).await?;
    let base = match base {
        Condition::Tag(version) => Some(version),
        Condition::Absent | Condition::Any => None,
    };
    if base.is_none() && !dry_run {
        let why = "a configuration is replaced only by one who knows what it replaces";
        let next = "send back the ETag of GET /v1/config, for example If-Match: \"3\"";
        return Err(Problem::new(ProblemKind::NoCondition, why, next));
    }
    let read = Arc::clone(&state.read_config);
    let checked = tokio::task::spawn_blocking(move || read(&text).map(|cluster| (text, cluster)));
    let checked = checked.await.map_err(|error| {
        Problem::new(ProblemKind::Internal, error.to_string(), "report this with the log")
    })?;
    let (text, cluster) = checked.map_err(|faults| {
        let next = "correct each of them: `biplane config check FILE` tells the same";
        Problem::new(ProblemKind::Unprocessable, faults, next)
    })?;
    let wish =
        ConfigRequest { text, cluster: Arc::new(cluster), base, dry_run, reason: reason(why)? };
    command(&state, &principal, Action::Configure(Arc::new(wish))).await
}

/// The answer to a configuration that is in force.
pub(super) fn configured(version: u64, changed: bool) -> Result<Response, Problem> {
    let mut response =
        super::command::rendered(StatusCode::OK, &ConfiguredBody { version, changed })?;
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}
