//! `status`, `explain` and switchovers as text for people. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

mod no_quorum;

use no_quorum::no_quorum;

use super::render::{Table, duration, millis, printable, yes_no};
use crate::kernel::controller::{
    Explanation, GroupStatus, GuardStatus, MemberStatus, Plan, ServiceOnPlane, Status, StepRecord,
    SwitchoverRecord,
};
use crate::kernel::domain::{HealthState, MemberName, PlaneName, ServiceName};
use crate::kernel::health::SampleSeen;
use crate::kernel::ledger::PlacedBy;

/// `biplane status`.
pub(super) fn status(status: &Status) -> String {
    let mut text = String::new();
    let leader = status.leader.as_ref().map_or("none", MemberName::as_str);
    let quorum = if status.quorum { "quorum" } else { "no quorum" };
    let cluster = if status.cluster.is_empty() { "not configured yet" } else { &status.cluster };
    push(&mut text, &format!("cluster {cluster}: {quorum}, leader {leader}"));
    let Status { node, term, applied, config_version, .. } = status;
    push(
        &mut text,
        &format!("as seen by {node}: term {term}, log {applied}, configuration {config_version}"),
    );
    let without = no_quorum(status);
    without.iter().for_each(|line| push(&mut text, &printable(line)));
    // That one has just been told, with more.
    let told = |warning: &&String| !without.is_empty() && warning.starts_with("no quorum:");
    for warning in status.warnings.iter().filter(|warning| !told(warning)) {
        push(&mut text, &format!("warning: {}", printable(warning)));
    }
    section(&mut text, &groups(&status.groups));
    section(&mut text, &services(&status.groups));
    section(&mut text, &planes(status));
    section(&mut text, &members(&status.members));
    section(&mut text, &gateways(status));
    text
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn section(text: &mut String, table: &Table) {
    if !table.is_empty() {
        text.push('\n');
        text.push_str(&table.render());
    }
}

/// ` by ann until 2026-11-26 12:00:00`.
fn placed(placed: &PlacedBy) -> String {
    let until = placed.until.map(|until| format!(" until {until}")).unwrap_or_default();
    format!(" by {}{until}", placed.by)
}

fn groups(groups: &[GroupStatus]) -> Table {
    let mut table = Table::new(&["GROUP", "PLANE", "EPOCH", "MODE", "DECISION", "BECAUSE"]);
    for group in groups {
        let mut because = group.because.clone();
        if let Some(why) = &group.frozen {
            let why = if why.is_empty() { "no reason given" } else { why };
            let by = group.frozen_by.as_ref().map(placed).unwrap_or_default();
            let _ = write!(because, " [frozen{by}: {why}]");
        }
        if let Some(id) = &group.switchover {
            let _ = write!(because, " [switchover {id}]");
        }
        table.row([
            group.name.to_string(),
            group.plane.to_string(),
            group.epoch.to_string(),
            format!("{:?}", group.mode).to_lowercase(),
            group.decision.clone(),
            because,
        ]);
    }
    table
}

fn services(groups: &[GroupStatus]) -> Table {
    let mut table =
        Table::new(&["SERVICE", "GROUP", "WEIGHT", "PLANE", "VERDICT", "WHAT OBSERVERS SAY"]);
    for group in groups {
        for service in &group.services {
            for (plane, seen) in &service.planes {
                table.row([
                    service.name.to_string(),
                    group.name.to_string(),
                    if service.critical { "critical" } else { "supporting" }.to_owned(),
                    plane.to_string(),
                    seen.verdict.clone(),
                    reports(seen),
                ]);
            }
        }
    }
    table
}

fn reports(seen: &ServiceOnPlane) -> String {
    let each: Vec<String> =
        seen.reports.iter().map(|(member, state)| format!("{member} {state}")).collect();
    each.join(", ")
}

fn planes(status: &Status) -> Table {
    let mut table = Table::new(&["PLANE", "SITE", "DRAINED"]);
    for plane in &status.planes {
        let by = plane.drained_by.as_ref().map(placed).unwrap_or_default();
        let drained = match plane.drained.as_deref() {
            None => "no".to_owned(),
            Some("") => format!("yes{by}"),
            Some(why) => format!("{why}{by}"),
        };
        table.row([plane.name.to_string(), plane.site.to_string(), drained]);
    }
    table
}

fn members(members: &[MemberStatus]) -> Table {
    let mut table =
        Table::new(&["MEMBER", "ID", "SITE", "KIND", "ROLE", "ISOLATED", "CLOCK", "CERTIFICATE"]);
    for member in members {
        table.row([
            member.name.to_string(),
            member.id.to_string(),
            member.site.to_string(),
            member.kind.clone(),
            member.role.clone(),
            yes_no(member.isolated).to_owned(),
            member.clock_ms.map_or_else(String::new, |ms| format!("{ms:+} ms")),
            member.certificate_days.map_or_else(String::new, |days| format!("{days} days")),
        ]);
    }
    table
}

fn gateways(status: &Status) -> Table {
    let mut table = Table::new(&["GATEWAY", "LAST HEARD", "FOLLOWS"]);
    for gateway in &status.gateways {
        let follows: Vec<String> =
            gateway.groups.iter().map(|(group, epoch)| format!("{group} {epoch}")).collect();
        table.row([
            gateway.name.to_string(),
            format!("{} ago", millis(gateway.silent_ms)),
            if follows.is_empty() { "nothing".to_owned() } else { follows.join(", ") },
        ]);
    }
    table
}

/// `biplane switch --dry-run`.
pub(super) fn plan(plan: &Plan) -> String {
    let mut text = String::new();
    let Plan { group, epoch, from, to, steps, obstacles } = plan;
    if from == to {
        push(&mut text, &format!("would not move {group}: it is on {to}, at epoch {epoch}"));
    } else {
        let moves = format!("would move {group} from {from} to {to}, from epoch {epoch} on");
        push(&mut text, &moves);
    }
    for (index, step) in steps.iter().enumerate() {
        push(&mut text, &format!("  {}. {}", index + 1, printable(step)));
    }
    if obstacles.is_empty() {
        push(&mut text, "nothing stands in the way now");
    }
    for obstacle in obstacles {
        push(&mut text, &format!("in the way: {}", printable(obstacle)));
    }
    text
}

/// One switchover, whole.
pub(super) fn switchover(record: &SwitchoverRecord) -> String {
    let mut text = String::new();
    let SwitchoverRecord { id, group, from, to, kind, state, base, .. } = record;
    push(&mut text, &format!("switchover {id}: {group} from {from} to {to}, {kind}: {state}"));
    let epoch = record.epoch.map_or_else(|| "not yet".to_owned(), |epoch| epoch.to_string());
    push(&mut text, &format!("epoch {base} → {epoch}, by {}", printable(&record.by)));
    line(&mut text, "because", &record.cause);
    line(&mut text, "outcome", &record.outcome);
    line(&mut text, "skipped", &record.skipped.join(", "));
    line(&mut text, "converging", &record.converging.join(", "));
    section(&mut text, &steps(&record.steps));
    section(&mut text, &ballots(record));
    if let (Some(ruleset), Some(config)) = (record.ruleset, record.config_version) {
        push(
            &mut text,
            &format!("\nwhen it was decided, by ruleset {ruleset} and configuration {config}:"),
        );
        if matches!(kind.as_str(), "planned" | "forced") {
            push(&mut text, "(guards bar what Biplane would do by itself, and no operator)");
        }
        text.push_str(&guards(&record.guards).render());
    }
    text
}

fn guards(guards: &[GuardStatus]) -> Table {
    let mut table = Table::new(&["GUARD", "OPEN", "VALUE"]);
    for guard in guards {
        table.row([guard.guard.clone(), yes_no(guard.open).to_owned(), guard.value.clone()]);
    }
    table
}

fn line(text: &mut String, label: &str, value: &str) {
    if !value.is_empty() {
        push(text, &format!("{label}: {}", printable(value)));
    }
}

/// The steps, each with the time since the one before.
fn steps(steps: &[StepRecord]) -> Table {
    let mut table = Table::new(&["STEP", "AFTER", "AT"]);
    let mut before = None;
    for step in steps {
        let after = before.map_or_else(String::new, |before| {
            let after = step.at.since(before);
            format!("+{}", duration(after))
        });
        table.row([step.step.clone(), after, step.wall.to_string()]);
        before = Some(step.at);
    }
    table
}

/// What each observer said: a column a plane.
fn ballots(record: &SwitchoverRecord) -> Table {
    let planes = [&record.from, &record.to];
    let [from, to] = planes.map(|plane| plane.as_str().to_uppercase());
    let mut table = Table::new(&["BALLOT OF", "SERVICE", &from, &to]);
    for (member, services) in &record.ballots {
        for (service, states) in services {
            let [from, to] =
                planes.map(|plane| states.get(plane).map_or_else(String::new, ToString::to_string));
            table.row([member.to_string(), service.to_string(), from, to]);
        }
    }
    table
}

/// Each observer's words, and whether they count.
fn observers(explanation: &Explanation) -> Table {
    let mut table = Table::new(&["OBSERVER", "SITE", "COUNTS", "REPORTS", "BALLOT"]);
    for (name, observer) in &explanation.observers {
        let counts =
            observer.why.as_ref().map_or_else(|| "yes".to_owned(), |why| format!("no: {why}"));
        let reports = states(&observer.reports);
        let ballot = observer.ballot.as_ref().map(states);
        let (name, site) = (name.to_string(), observer.site.to_string());
        table.row([name, site, counts, reports, ballot.unwrap_or_default()]);
    }
    table
}

/// `web east down, west up; …`
fn states(states: &BTreeMap<ServiceName, BTreeMap<PlaneName, HealthState>>) -> String {
    let service = |(name, planes): (&ServiceName, &BTreeMap<PlaneName, HealthState>)| {
        let planes: Vec<String> =
            planes.iter().map(|(plane, state)| format!("{plane} {state}")).collect();
        format!("{name} {}", planes.join(", "))
    };
    states.iter().map(service).collect::<Vec<_>>().join("; ")
}

/// The last probes of every observer, with the thresholds that judge them.
fn samples(explanation: &Explanation) -> Table {
    let head = [
        "OBSERVER",
        "SERVICE",
        "PLANE",
        "CHECK",
        "STATE",
        "FALL/RISE",
        "LAST PROBES, NEWEST FIRST",
    ];
    let mut table = Table::new(&head);
    let asked = explanation.observers.values().any(|explained| explained.checks.is_some());
    let silent = if asked { "did not answer in time" } else { "was not asked" };
    for (observer, explained) in &explanation.observers {
        let Some(checks) = &explained.checks else {
            let cells = [observer.as_str(), "", "", "", "", "", silent];
            table.row(cells.map(str::to_owned));
            continue;
        };
        for (service, planes) in checks {
            for (plane, checks) in planes {
                for (check, seen) in checks {
                    let state = format!("{}, {} in a row", seen.state, seen.streak);
                    let thresholds = format!("{}/{}", seen.fall, seen.rise);
                    let last: Vec<String> = seen.samples.iter().take(SAMPLES).map(sample).collect();
                    let names = [observer.to_string(), service.to_string(), plane.to_string()];
                    let rest = [check.to_string(), state, thresholds, last.join("; ")];
                    table.row(names.into_iter().chain(rest));
                }
            }
        }
        let more = explained.reports.len().saturating_sub(checks.len());
        if more > 0 {
            let left_out = format!("{more} further services are left out");
            let cells = [observer.as_str(), "", "", "", "", "", left_out.as_str()];
            table.row(cells.map(str::to_owned));
        }
    }
    table
}

/// Probes of a check that are shown to people; `--json` has all.
const SAMPLES: usize = 3;

fn sample(sample: &SampleSeen) -> String {
    let ago = millis(sample.ago_ms);
    let took = duration(Duration::from_micros(sample.took_us));
    match &sample.error {
        None => format!("passed {ago} ago in {took}"),
        Some(error) => format!("{error} {ago} ago"),
    }
}

/// `biplane explain GROUP`.
pub(super) fn explanation(explanation: &Explanation) -> String {
    let mut text = String::new();
    let GroupStatus { name, plane, epoch, decision, because, .. } = &explanation.group;
    push(&mut text, &format!("{name} is on {plane} since epoch {epoch}"));
    push(&mut text, &format!("decision now: {decision}, because {}", printable(because)));
    section(&mut text, &guards(&explanation.guards));
    if !explanation.would_switch_if.is_empty() {
        push(&mut text, "\nit would switch if:");
    }
    for condition in &explanation.would_switch_if {
        push(&mut text, &format!("  - {}", printable(condition)));
    }
    section(&mut text, &services(std::slice::from_ref(&explanation.group)));
    section(&mut text, &observers(explanation));
    section(&mut text, &samples(explanation));
    let mut probes = Table::new(&["SERVICE", "PLANE", "CHECK", "LAST PROBE OF THIS NODE"]);
    for (service, planes) in &explanation.probes {
        for (plane, checks) in planes {
            for (check, said) in checks {
                let cells = [service.as_str(), plane.as_str(), check.as_str(), said];
                probes.row(cells.map(str::to_owned));
            }
        }
    }
    section(&mut text, &probes);
    if let Some(last) = &explanation.last {
        text.push('\n');
        text.push_str(&switchover(last));
    }
    text
}

#[cfg(test)]
mod tests;
