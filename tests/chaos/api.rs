//! The admin API as a client has it: one node, one token, one thread.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use biplane::edge::api::client::{ApiClient, ApiError, ClientTimes};
use biplane::edge::api::{AcceptedBody, ConfigWish, ConfiguredBody, NewToken, SwitchBody};
use biplane::edge::identity::{api_client_tls, new_token};
use biplane::kernel::controller::SwitchKind;
use biplane::kernel::domain::{AccessRole, PlaneName, PrincipalName};
use serde_json::Value;

use super::files::{GROUPS, PLANES};
use super::history::{Ask, Told};
use super::world::api;

/// TLS of the cluster's clients.
pub(crate) type Tls = Arc<rustls::ClientConfig>;

/// Reads the cluster's authority.
pub(crate) fn tls(cluster: &Path) -> Result<Tls, String> {
    api_client_tls(&cluster.join("ca.crt")).map_err(|error| error.to_string())
}

/// Runs a future on this thread: its sockets are of this thread's host.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a process has descriptors").block_on(future)
}

/// One node's API.
#[derive(Debug)]
pub(crate) struct Api {
    client: ApiClient,
}

impl Api {
    pub(crate) fn new(node: usize, tls: &Tls, token: &str) -> Self {
        let times = ClientTimes {
            connect: Duration::from_millis(700),
            answer: Duration::from_millis(3_500),
            ..ClientTimes::default()
        };
        let client = ApiClient::new(vec![api(node)], Some(Arc::clone(tls)), token.to_owned());
        Self { client: client.with_times(times) }
    }

    /// Reads a resource.
    pub(crate) fn get(&self, path: &str) -> Result<Value, ApiError> {
        block_on(self.client.get_json(path))
    }

    /// Makes a token of this name.
    pub(crate) fn make_token(&self, name: &str, role: AccessRole) -> Result<String, ApiError> {
        let (token, hash) = new_token(biplane::runtime::clock::Clock.entropy());
        let name = PrincipalName::new(name).expect("a short word");
        let body = NewToken { name, role, groups: Default::default(), hash, expires: None };
        block_on(self.client.post_json::<_, ()>("/v1/tokens", &body, None)).map(|_| token)
    }

    /// Revokes it.
    pub(crate) fn revoke_token(&self, name: &str) -> Result<(), ApiError> {
        block_on(self.client.delete(&format!("/v1/tokens/{name}")))
    }

    /// Puts a configuration in the place of the one with this number. Gives its own.
    pub(crate) fn configure(&self, over: u64, text: String, reason: &str) -> Result<u64, ApiError> {
        let wish = ConfigWish { text, reason: reason.to_owned(), dry_run: false };
        let tag = over.to_string();
        let sent = self.client.put_json_over::<_, ConfiguredBody>("/v1/config", &wish, &tag);
        block_on(sent).map(|answer| answer.body.version)
    }

    /// Asks, and gives what was told.
    pub(crate) fn ask(&self, ask: &Ask) -> Told {
        self.tried(ask).unwrap_or_else(|error| match error {
            ApiError::Problem(problem) => Told::Refused(problem.status, problem.to_string()),
            ApiError::Unreachable(tried) => Told::NotSent(format!("{tried:?}")),
            ApiError::BadRequest(why) => Told::NotSent(why),
            other @ (ApiError::UnknownOutcome { .. } | ApiError::BadAnswer { .. }) => {
                Told::Unknown(other.to_string())
            }
        })
    }

    fn tried(&self, ask: &Ask) -> Result<Told, ApiError> {
        match ask {
            Ask::Group { group } => {
                let shown = self.get(&format!("/v1/groups/{}", GROUPS[*group].0))?;
                Ok(told_group(&shown))
            }
            Ask::Planes => {
                let shown = self.get("/v1/planes")?;
                let drained =
                    |plane: usize| shown[plane]["drained"].as_str().map(ToOwned::to_owned);
                Ok(Told::Planes([drained(0), drained(1)]))
            }
            Ask::Switch { group, base, to, forced, reason } => {
                let body = SwitchBody {
                    to: Some(PlaneName::new(PLANES[*to]).expect("a short word")),
                    kind: if *forced { SwitchKind::Forced } else { SwitchKind::Planned },
                    reason: reason.clone(),
                    ..SwitchBody::default()
                };
                let path = format!("/v1/groups/{}/switch", GROUPS[*group].0);
                let tag = format!("1.{base}");
                let sent = self.client.post_json_over::<_, AcceptedBody>(
                    &path,
                    &body,
                    &tag,
                    Some(reason.as_str()),
                );
                block_on(sent).map(|answer| Told::Accepted(answer.body.switchover))
            }
            Ask::Freeze { group, on, reason } => {
                self.turn(&format!("/v1/groups/{}/freeze", GROUPS[*group].0), *on, reason)
            }
            Ask::Drain { plane, on, reason } => {
                self.turn(&format!("/v1/planes/{}/drain", PLANES[*plane]), *on, reason)
            }
        }
    }

    fn turn(&self, path: &str, on: bool, reason: &str) -> Result<Told, ApiError> {
        let body = serde_json::json!({ "on": on, "reason": reason });
        block_on(self.client.post_json::<_, ()>(path, &body, None)).map(|_| Told::Done)
    }
}

/// What a group's resource says.
pub(crate) fn told_group(shown: &Value) -> Told {
    Told::Group {
        epoch: counter(&shown["epoch"]).unwrap_or(0),
        plane: shown["plane"].as_str().unwrap_or_default().to_owned(),
        frozen: shown["frozen"].as_str().map(ToOwned::to_owned),
    }
}

/// The counter of an epoch; the ledger's generation is one in all runs.
pub(crate) fn counter(epoch: &Value) -> Option<u64> {
    epoch.as_str()?.strip_prefix("1.")?.parse().ok()
}
