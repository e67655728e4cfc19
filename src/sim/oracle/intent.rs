//! No effect without intent: what a controller does to the outside stands in the log before. It asks about a switchover
//! only while that is being verified, and tells people only of what is noted.

use std::collections::BTreeMap;

use super::{Book, End, Finding, Oracle};
use crate::kernel::controller::{Effect, Size, View};
use crate::kernel::domain::GroupName;
use crate::kernel::switchover::State;
use crate::sim::queue::Micros;

/// What each node did in its last turn that its view before did not explain: the next one must. Each with the reason.
#[derive(Debug, Default)]
pub(super) struct Intent(BTreeMap<usize, Vec<(Effect, String)>>);

/// Why a view does not explain an effect; nothing when it does.
fn unexplained(view: Option<&View>, effect: &Effect) -> Option<String> {
    let Some(view) = view else { return Some("by a node that has shown nothing".to_owned()) };
    let Some(cluster) = &view.cluster else { return Some("without a configuration".to_owned()) };
    let verifies = |group: &GroupName| {
        let mut all = view.ledger.switchovers().values();
        all.any(|s| s.group == *group && s.state == State::Verifying)
    };
    match effect {
        Effect::AskDns { name, .. } => {
            let mut names = cluster.zones.values().flat_map(|zone| &zone.names);
            let known = names.any(|known| known.name == *name && verifies(&known.group));
            (!known).then(|| format!("no switchover whose group has the name {name} is verified"))
        }
        Effect::KnockFrontDoor { endpoint } => {
            let mut routes = cluster.routes.values();
            let known = routes
                .any(|route| route.front_door.as_ref() == Some(endpoint) && verifies(&route.group));
            (!known).then(|| format!("no switchover with the front door {endpoint} is verified"))
        }
        Effect::Notify { target, id: Some(id), .. } => {
            let alarms = view.ledger.alarms_kept();
            let noted = alarms.notices.iter().any(|notice| notice.id == *id);
            (!noted).then(|| format!("{target} is told of {id}, which is not noted"))
        }
        // A sign of life speaks of no alarm.
        Effect::Notify { id: None, .. } => None,
    }
}

impl Oracle for Intent {
    fn name(&self) -> &'static str {
        "intent"
    }

    fn started(&mut self, _book: &Book, node: usize) -> Finding {
        self.0.remove(&node);
        Ok(())
    }

    fn performed(&mut self, node: usize, view: Option<&View>, effect: &Effect) -> Finding {
        // What it rests on may be shown later in the same turn.
        if let Some(why) = unexplained(view, effect) {
            self.0.entry(node).or_default().push((effect.clone(), why));
        }
        Ok(())
    }

    fn published(&mut self, _book: &Book, _at: Micros, node: usize, view: &View) -> Finding {
        for (effect, _) in self.0.remove(&node).into_iter().flatten() {
            if let Some(why) = unexplained(Some(view), &effect) {
                return Err(format!("node {}: {effect:?}: {why}", node + 1));
            }
        }
        Ok(())
    }

    fn ended(&mut self, _book: &Book, _end: &End<'_>) -> Finding {
        self.0
            .values()
            .flatten()
            .next()
            .map_or(Ok(()), |(effect, why)| Err(format!("{effect:?}: {why}")))
    }

    /// Its next turn: the one before showed nothing that explains it.
    fn turned(&mut self, node: usize, _sizes: &[Size]) -> Finding {
        match self.0.remove(&node).into_iter().flatten().next() {
            Some((effect, why)) => Err(format!("node {}: {effect:?}: {why}", node + 1)),
            None => Ok(()),
        }
    }
}
