//! Follows one switchover until it ends.

use std::time::{Duration, Instant};

use super::exit::Failure;
use crate::edge::api::client::{ApiClient, ApiError};
use crate::kernel::controller::SwitchoverRecord;

/// Between two questions: a person sees no difference, and a controller does not feel it.
const EVERY: Duration = Duration::from_millis(50);

/// Whether it ended in time.
#[derive(Debug)]
pub(super) enum Ended {
    /// It did.
    Yes(Box<SwitchoverRecord>),
    /// It goes on, or nobody says.
    NotYet,
}

/// Whether nothing more happens in this state.
pub(super) fn is_final(state: &str) -> bool {
    matches!(state, "done" | "undone" | "stuck" | "overtaken")
}

/// Asks until the switchover ends, for `limit` at most; every answer goes to `tell`. Controllers may come and
/// go meanwhile: only a refusal ends it early.
pub(super) async fn until_ended(
    client: &ApiClient,
    id: &str,
    limit: Duration,
    mut tell: impl FnMut(&SwitchoverRecord),
) -> Result<Ended, Failure> {
    let path = format!("/v1/switchovers/{id}");
    let began = Instant::now();
    loop {
        match client.get_json::<SwitchoverRecord>(&path).await {
            Ok(record) => {
                tell(&record);
                if is_final(&record.state) {
                    return Ok(Ended::Yes(Box::new(record)));
                }
            }
            Err(error) if passes(&error) => {}
            Err(error) => return Err(error.into()),
        }
        if began.elapsed() >= limit {
            return Ok(Ended::NotYet);
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Whether another try may succeed: nobody answers, or nobody can just now.
pub(super) fn passes(error: &ApiError) -> bool {
    matches!(error, ApiError::Unreachable(_)) || error.status().is_some_and(|status| status >= 500)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::api::{Problem, ProblemKind};

    #[test]
    fn a_cluster_that_elects_a_leader_is_waited_for_and_a_refusal_is_not() {
        let problem = |kind| ApiError::Problem(Box::new(Problem::new(kind, "", "")));
        assert!(passes(&ApiError::Unreachable(Vec::new())));
        assert!(passes(&problem(ProblemKind::Unavailable)));
        assert!(!passes(&problem(ProblemKind::NotFound)));
    }
}
