//! From what clients were told, and what the cluster's records say in the end, to findings: nothing acknowledged is lost,
//! nothing refused was done, and there is one order of everything.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::admin_model::{DrainOp, Fate, Group, GroupOp, Truth, check_drain, check_group};
use super::api::counter;
use super::files::{GROUPS, PLANES};
use super::history::{Ask, Operation, Told};
use super::linear::Timed;
use super::users::{Shown, teller};

/// The cluster's records at the end of a run.
#[derive(Debug)]
pub(crate) struct Records {
    /// `GET /v1/switchovers`.
    pub(crate) switchovers: Vec<Value>,
    /// `GET /v1/events`, all of them.
    pub(crate) events: Vec<Value>,
    /// Epoch and plane of each group before the first operation.
    pub(crate) first: [(u64, String); 2],
}

impl Records {
    /// What became of a group.
    pub(crate) fn truth(&self, group: usize) -> Result<Truth, String> {
        let name = GROUPS[group].0;
        let mut truth = Truth::default();
        let (epoch, plane) = &self.first[group];
        truth.planes.insert(*epoch, plane.clone());
        for event in self.of("route").filter(|event| event["group"] == name) {
            let text = event["text"].as_str().unwrap_or_default();
            let told = text.strip_prefix(&format!("{name} on ")).and_then(|rest| {
                let (plane, epoch) = rest.split_once(" since epoch ")?;
                Some((plane, counter(&Value::from(epoch))?))
            });
            let (plane, epoch) = told.ok_or_else(|| format!("an event that says: {text}"))?;
            if let Some(other) = truth.planes.insert(epoch, plane.to_owned())
                && other != plane
            {
                return Err(format!("epoch {epoch} of {name} was on {other}, and on {plane}"));
            }
        }
        for record in self.switchovers.iter().filter(|record| record["group"] == name) {
            let id = record["id"].as_str().unwrap_or_default().to_owned();
            let fate = Fate {
                base: counter(&record["base"]).ok_or("a record without a base")?,
                to: record["to"].as_str().unwrap_or_default().to_owned(),
                made: counter(&record["epoch"]),
            };
            truth.switchovers.insert(id, fate);
        }
        Ok(truth)
    }

    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |event| event["kind"] == kind)
    }

    /// The switchover that was asked for with this reason.
    fn switchover(&self, reason: &str) -> Option<&str> {
        let found = self
            .switchovers
            .iter()
            .find(|record| record["cause"].as_str().is_some_and(|cause| cause.contains(reason)));
        found?["id"].as_str()
    }

    /// Whether a freeze or a drain with this reason was carried out.
    fn carried_out(&self, reason: &str) -> bool {
        let mut both = self.of("freeze").chain(self.of("drain"));
        both.any(|event| event["text"].as_str().is_some_and(|text| text.contains(reason)))
    }
}

/// Everything that is wrong.
pub(crate) fn audit(operations: &[Operation], records: &Records) -> Vec<String> {
    let mut findings: Vec<String> =
        operations.iter().filter_map(|operation| kept(operation, records)).collect();
    for (group, (name, ..)) in GROUPS.iter().enumerate() {
        let of_group = |operation: &Operation| group_op(operation, group, records);
        let history = timed(operations, of_group);
        let checked = records.truth(group).and_then(|truth| {
            let first = Group { epoch: records.first[group].0, frozen: None, pending: None };
            check_group(&truth, &first, &history)
        });
        findings.extend(checked.err().map(|why| format!("history of group {name}: {why}")));
    }
    for (plane, name) in PLANES.iter().enumerate() {
        let history = timed(operations, |operation| drain_op(operation, plane, records));
        let checked = check_drain(&history);
        findings.extend(checked.err().map(|why| format!("history of plane {name}: {why}")));
    }
    findings
}

/// What is wrong with one operation: acknowledged and not in the records, or refused and in them.
fn kept(operation: &Operation, records: &Records) -> Option<String> {
    let (reason, found) = match &operation.ask {
        Ask::Switch { reason, .. } => (reason, records.switchover(reason).is_some()),
        Ask::Freeze { reason, .. } | Ask::Drain { reason, .. } => {
            (reason, records.carried_out(reason))
        }
        Ask::Group { .. } | Ask::Planes => return None,
    };
    match &operation.told {
        Told::Accepted(_) | Told::Done if !found => {
            Some(format!("acknowledged and lost ({reason}): {}", operation.words()))
        }
        Told::Refused(..) | Told::NotSent(_) if found => {
            Some(format!("refused and done ({reason}): {}", operation.words()))
        }
        _ => None,
    }
}

/// The operations that concern one object, with their times.
fn timed<O>(
    operations: &[Operation],
    of: impl Fn(&Operation) -> Option<(O, bool)>,
) -> Vec<Timed<O>> {
    let one = |operation: &Operation| {
        let (op, answered) = of(operation)?;
        let answer = answered.then_some(operation.end);
        Some(Timed { call: operation.call, answer, op, words: operation.words() })
    };
    operations.iter().filter_map(one).collect()
}

/// What an operation says of a group, and whether it was answered. What came to nothing says nothing.
fn group_op(operation: &Operation, group: usize, records: &Records) -> Option<(GroupOp, bool)> {
    match (&operation.ask, &operation.told) {
        (Ask::Group { group: of }, Told::Group { epoch, plane, frozen }) if *of == group => {
            let (plane, frozen) = (plane.clone(), frozen.clone());
            Some((GroupOp::Read { epoch: *epoch, plane, frozen }, true))
        }
        (Ask::Switch { group: of, base, to, reason, .. }, told) if *of == group => {
            let (base, to) = (*base, PLANES[*to].to_owned());
            match told {
                Told::Accepted(id) => Some((GroupOp::Switched { base, to, id: id.clone() }, true)),
                // The records tell what became of it; when, they do not.
                Told::Unknown(_) => {
                    let id = records.switchover(reason)?.to_owned();
                    Some((GroupOp::Switched { base, to, id }, false))
                }
                Told::Refused(412, _) => Some((GroupOp::Stale { base }, true)),
                Told::Refused(409, why) if why.contains("already") => {
                    Some((GroupOp::There { base, to }, true))
                }
                _ => None,
            }
        }
        (Ask::Freeze { group: of, on, reason }, told) if *of == group => {
            let op = GroupOp::Freeze { reason: on.then(|| reason.clone()) };
            set(op, told, reason, records)
        }
        _ => None,
    }
}

fn drain_op(operation: &Operation, plane: usize, records: &Records) -> Option<(DrainOp, bool)> {
    match (&operation.ask, &operation.told) {
        (Ask::Planes, Told::Planes(drained)) => Some((DrainOp::Read(drained[plane].clone()), true)),
        (Ask::Drain { plane: of, on, reason }, told) if *of == plane => {
            set(DrainOp::Set(on.then(|| reason.clone())), told, reason, records)
        }
        _ => None,
    }
}

fn set<O>(op: O, told: &Told, reason: &str, records: &Records) -> Option<(O, bool)> {
    match told {
        Told::Done => Some((op, true)),
        Told::Unknown(_) if records.carried_out(reason) => Some((op, false)),
        _ => None,
    }
}

/// What DNS servers and the gateway showed and no epoch ever was.
pub(crate) fn shown(all: &[Shown], records: &Records) -> Vec<String> {
    let truths: Vec<Truth> =
        (0..GROUPS.len()).filter_map(|group| records.truth(group).ok()).collect();
    let wrong = all.iter().filter(|(_, group, epoch, plane)| {
        let known = truths.get(*group).and_then(|truth| truth.planes.get(epoch));
        known.is_some_and(|known| known != plane) || known.is_none()
    });
    let told: BTreeSet<String> = wrong
        .map(|(who, group, epoch, plane)| {
            format!("{} showed {} on {plane} at epoch {epoch}", teller(*who), GROUPS[*group].0)
        })
        .collect();
    told.into_iter().collect()
}

/// How operations ended: ok, refused, unknown.
pub(crate) fn tally(operations: &[Operation]) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for operation in operations {
        let word = match operation.told {
            Told::Group { .. } | Told::Planes(_) | Told::Accepted(_) | Told::Done => "ok",
            Told::Refused(..) => "refused",
            Told::NotSent(_) => "unreached",
            Told::Unknown(_) => "unknown",
        };
        *counts.entry(word).or_default() += 1;
    }
    counts
}
