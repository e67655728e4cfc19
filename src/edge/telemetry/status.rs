//! The state of the cluster as gauges.

use std::collections::BTreeMap;

use super::names::{
    ACTIVE_PLANE, ALARMS, APPLIED_INDEX, CERTIFICATE_DAYS, CLOCK_DIFFERENCE, LAG, LEADER,
    OPEN_QUESTIONS, QUORUM, REPORT, ROUTE_EPOCH, TERM, VERDICT,
};
use crate::kernel::controller::{GroupStatus, MemberStatus, Status};
use crate::kernel::domain::HealthState;
use crate::kernel::ledger::AlarmKind;

/// Groups that get gauges of their own. A scraper pays for each series for as long as it keeps them:
/// with more groups than this the others are seen through the API only.
pub const LABELLED_GROUPS: usize = 500;

/// Sets the gauges that say how the cluster stands. Call it before each rendering.
pub fn record_status(status: &Status) {
    let leads = status.leader.as_ref() == Some(&status.node);
    metrics::gauge!(LEADER).set(flag(leads));
    metrics::gauge!(QUORUM).set(flag(status.quorum));
    metrics::gauge!(TERM).set(number(status.term));
    metrics::gauge!(APPLIED_INDEX).set(number(status.applied));
    for member in &status.members {
        record_member(member);
    }
    record_alarms(&status.alarms);
    metrics::gauge!(OPEN_QUESTIONS).set(number(status.open_questions as u64));
    for group in status.groups.iter().take(LABELLED_GROUPS) {
        record_group(status, group);
    }
}

/// Of every kind, so that one that is over goes to nothing.
pub fn record_alarms(open: &BTreeMap<String, usize>) {
    for kind in AlarmKind::ALL {
        let count = open.get(kind.as_str()).copied().unwrap_or_default();
        metrics::gauge!(ALARMS, "kind" => kind.as_str()).set(number(count as u64));
    }
}

fn record_member(member: &MemberStatus) {
    let name = || member.name.to_string();
    if let Some(days) = member.certificate_days {
        metrics::gauge!(CERTIFICATE_DAYS, "member" => name()).set(signed(days));
    }
    if let Some(lag) = member.lag {
        metrics::gauge!(LAG, "member" => name()).set(number(lag));
    }
    if let Some(ms) = member.clock_ms {
        metrics::gauge!(CLOCK_DIFFERENCE, "member" => name()).set(signed(ms) / 1000.0);
    }
}

fn record_group(status: &Status, group: &GroupStatus) {
    let name = group.name.as_str();
    metrics::gauge!(ROUTE_EPOCH, "group" => name.to_owned()).set(number(group.epoch.counter));
    for plane in &status.planes {
        let labels = [("group", name.to_owned()), ("plane", plane.name.to_string())];
        metrics::gauge!(ACTIVE_PLANE, &labels).set(flag(plane.name == group.plane));
    }
    for service in &group.services {
        for (plane, on_plane) in &service.planes {
            let labels = [("service", service.name.to_string()), ("plane", plane.to_string())];
            metrics::gauge!(VERDICT, &labels).set(verdict(&on_plane.verdict));
            for (observer, state) in &on_plane.reports {
                let [service, plane] = labels.clone();
                let labels = [("observer", observer.to_string()), service, plane];
                metrics::gauge!(REPORT, &labels).set(report(*state));
            }
        }
    }
}

const fn flag(set: bool) -> f64 {
    if set { 1.0 } else { 0.0 }
}

/// Exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
const fn signed(value: i64) -> f64 {
    value as f64
}

/// Exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
const fn number(value: u64) -> f64 {
    value as f64
}

/// As the metric's help says.
const fn report(state: HealthState) -> f64 {
    match state {
        HealthState::Unknown => 0.0,
        HealthState::Down => 1.0,
        HealthState::Degraded => 3.0,
        HealthState::Up => 4.0,
    }
}

/// As the metric's help says.
fn verdict(word: &str) -> f64 {
    match word {
        "down" => 1.0,
        "partial" => 2.0,
        "degraded" => 3.0,
        "up" => 4.0,
        _ => 0.0,
    }
}
