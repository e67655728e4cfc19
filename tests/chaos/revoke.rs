//! A token's life: made, used, revoked, and refused from then on.

use std::thread::sleep;
use std::time::{Duration, Instant};

use biplane::edge::api::client::ApiError;
use biplane::kernel::domain::AccessRole;

use super::api::{Api, Tls};
use super::files::NODES;

/// A node that takes part hears of a revocation within this.
const HEARD_WITHIN: Duration = Duration::from_millis(1_500);
const WATCHED_FOR: Duration = Duration::from_millis(2_500);

/// How it went.
#[derive(Debug, Default)]
pub(crate) struct Revoked {
    /// Name and token, once its revocation was acknowledged.
    pub(crate) token: Option<(String, String)>,
    /// Whether a node let it in before, and one refused it after.
    pub(crate) seen: bool,
    pub(crate) faults: Vec<String>,
}

/// Runs it, against any node that answers.
pub(crate) fn run(name: &str, tls: &Tls, admin: &str) -> Revoked {
    let mut revoked = Revoked::default();
    let admins: Vec<Api> = (0..NODES.len()).map(|node| Api::new(node, tls, admin)).collect();
    let Some((name, token)) = make(name, &admins) else { return revoked };
    let users: Vec<Api> = (0..NODES.len()).map(|node| Api::new(node, tls, &token)).collect();
    let mut let_in = false;
    let began = Instant::now();
    while !let_in && began.elapsed() < WATCHED_FOR {
        let_in = users.iter().any(|user| user.get("/v1/planes").is_ok());
    }
    let acknowledged = (0..4).any(|_| {
        admins.iter().any(|admin| admin.revoke_token(&name).is_ok()) || {
            sleep(Duration::from_millis(200));
            false
        }
    });
    if !acknowledged {
        return revoked;
    }
    let since = Instant::now();
    let mut late = [0; NODES.len()];
    let mut refused = false;
    while since.elapsed() < WATCHED_FOR {
        for (node, user) in users.iter().enumerate() {
            let asked = since.elapsed();
            match user.get("/v1/planes") {
                // An answer that a majority confirmed: this node takes part. One may have been let in while the
                // node was still cut off, and answered when it no longer was.
                Ok(_) if asked > HEARD_WITHIN => {
                    late[node] += 1;
                    if late[node] > 1 {
                        revoked.faults.push(format!(
                            "node {node} lets {name} in {} ms after its revocation was acknowledged",
                            asked.as_millis()
                        ));
                    }
                }
                Err(error) if is_refusal(&error) => refused = true,
                Ok(_) | Err(_) => {}
            }
        }
        sleep(Duration::from_millis(100));
    }
    revoked.seen = let_in && refused;
    revoked.token = Some((name, token));
    revoked
}

/// Not let in: for what it is, or because its like was refused too often; a good token is let in even then.
pub(crate) fn is_refusal(error: &ApiError) -> bool {
    matches!(error, ApiError::Problem(problem) if matches!(problem.status, 401 | 429))
}

/// A name is given once: after an unknown outcome another one is tried.
fn make(name: &str, admins: &[Api]) -> Option<(String, String)> {
    (0..4).find_map(|again| {
        admins.iter().enumerate().find_map(|(node, admin)| {
            let name = format!("{name}-{again}-{node}");
            let token = admin.make_token(&name, AccessRole::Viewer).ok()?;
            Some((name, token))
        })
    })
}
