//! A client that looks at the cluster again and again while users are moved. Each new sight is a row of the
//! client's own log, and where the time of a switchover went is computed from these rows alone.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio_util::task::AbortOnDropHandle;

use super::super::reach::Reach;
use super::log::ClientLog;
use super::story::GROUP;
use super::summary::ms;
use crate::kernel::controller::{Explanation, GroupStatus};
use crate::kernel::domain::HealthState;

/// Between an answer and the next question: figures are as fine as this and the answer's time.
const PAUSE: Duration = Duration::from_millis(2);

/// What one answer to `/v1/explain/{group}` shows of a switchover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    /// An observer reports that something is not up on the plane where the group was.
    pub(super) suspected: bool,
    /// Where the group's route leads.
    pub(super) plane: String,
    /// The group's last switchover, and its state.
    pub(super) switchover: Option<(String, String)>,
}

impl Sight {
    fn of(explanation: &Explanation) -> Self {
        let Explanation { group, last, .. } = explanation;
        Self {
            suspected: suspected(group),
            plane: group.plane.to_string(),
            switchover: last.as_ref().map(|record| (record.id.clone(), record.state.clone())),
        }
    }
}

fn suspected(group: &GroupStatus) -> bool {
    let here = group.services.iter().filter_map(|service| service.planes.get(&group.plane));
    here.flat_map(|seen| seen.reports.values()).any(|state| *state != HealthState::Up)
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reports = if self.suspected { "suspected" } else { "well" };
        write!(f, "{reports}; route {}", self.plane)?;
        match &self.switchover {
            Some((id, state)) => write!(f, "; {id} {state}"),
            None => Ok(()),
        }
    }
}

/// Where the time of a switchover went, as far as a client can see. Steps that came between two looks took
/// no time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Stages {
    /// From the fault to a report that something is not up.
    pub(super) detection_ms: Option<u64>,
    /// From there to a new switchover.
    pub(super) decision_ms: Option<u64>,
    /// From there to the new route.
    pub(super) routing_ms: Option<u64>,
    /// From there to the end of the switchover, verified.
    pub(super) verification_ms: Option<u64>,
}

impl Stages {
    /// Of the sights since the fault, each with the time at which it was there; `before` is the group's last
    /// switchover at the fault.
    pub(super) fn of(sights: &[(Duration, Sight)], fault: Duration, before: Option<&str>) -> Self {
        let since = || sights.iter().filter(move |(at, _)| *at >= fault);
        let new = |sight: &Sight| {
            sight.switchover.as_ref().is_some_and(|(id, _)| before != Some(id.as_str()))
        };
        let done = |sight: &Sight| {
            new(sight) && sight.switchover.as_ref().is_some_and(|(_, state)| state == "done")
        };
        let before_it = sights.iter().rev().find(|(at, _)| *at < fault);
        let home = before_it.map(|(_, sight)| &sight.plane);
        let first = |is: &dyn Fn(&Sight) -> bool| since().find(|(_, s)| is(s)).map(|(at, _)| *at);
        let decided = first(&new);
        let suspected = first(&|sight| sight.suspected);
        // A look that came late shows the decision and what led to it at once.
        let detected = match (suspected, decided) {
            (Some(suspected), Some(decided)) => Some(suspected.min(decided)),
            (suspected, decided) => suspected.or(decided),
        };
        let routed = first(&|sight| Some(&sight.plane) != home);
        let verified = first(&done);
        let between =
            |from: Option<Duration>, to: Option<Duration>| Some(ms(to?.saturating_sub(from?)));
        Self {
            detection_ms: between(Some(fault), detected),
            decision_ms: between(detected, decided),
            routing_ms: between(decided, routed),
            verification_ms: between(routed, verified),
        }
    }
}

/// The running onlooker. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Onlooker {
    _task: AbortOnDropHandle<()>,
}

impl Onlooker {
    /// Begins to look, through a client of its own.
    pub(super) fn start(reach: Reach, log: Arc<ClientLog>) -> Self {
        let task = tokio::spawn(async move {
            let path = format!("/v1/explain/{GROUP}");
            loop {
                let sent = log.now();
                let asked = reach.client.get_json::<Explanation>(&path).await;
                // Without an answer there is nothing to see: the next look comes at once.
                if let Ok(explanation) = asked {
                    log.see(sent, Sight::of(&explanation));
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { _task: AbortOnDropHandle::new(task) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(suspected: bool, plane: &str, id: &str, state: &str) -> Sight {
        let switchover = Some((id.to_owned(), state.to_owned()));
        Sight { suspected, plane: plane.to_owned(), switchover }
    }

    fn at(sights: &[(u64, Sight)]) -> Vec<(Duration, Sight)> {
        sights.iter().map(|(at, sight)| (Duration::from_millis(*at), sight.clone())).collect()
    }

    #[test]
    fn the_stages_of_a_switchover_are_told_apart() {
        let sights = at(&[
            (10, sight(true, "east", "s1", "done")),
            (40, sight(false, "east", "s1", "done")),
            (150, sight(true, "east", "s1", "done")),
            (250, sight(true, "east", "s2", "routing")),
            (255, sight(false, "west", "s2", "verifying")),
            (285, sight(false, "west", "s2", "done")),
        ]);
        let stages = Stages::of(&sights, Duration::from_millis(50), Some("s1"));
        let expected = Stages {
            detection_ms: Some(100),
            decision_ms: Some(100),
            routing_ms: Some(5),
            verification_ms: Some(30),
        };
        assert_eq!(stages, expected);
    }

    #[test]
    fn what_came_between_two_looks_took_no_time_and_what_never_came_has_none() {
        let sights = at(&[
            (40, sight(false, "east", "s1", "done")),
            (90, sight(false, "west", "s2", "verifying")),
        ]);
        let stages = Stages::of(&sights, Duration::from_millis(50), Some("s1"));
        assert_eq!(stages.detection_ms, Some(40));
        assert_eq!((stages.decision_ms, stages.routing_ms), (Some(0), Some(0)));
        assert_eq!(stages.verification_ms, None);
        assert_eq!(Stages::of(&[], Duration::ZERO, None), Stages::default());
    }
}
