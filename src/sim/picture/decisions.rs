//! Who leads, which routes are shown, what was asked and decided and why: from what members show and tell.

use std::sync::Arc;

use super::model::Class;
use super::recorder::{ROUTE, Recorder, SWITCHOVER};
use crate::kernel::controller::{Event as Said, Level, View};
use crate::kernel::domain::{GroupName, MemberId, PlaneName};
use crate::kernel::ledger::{Ballot, Question};
use crate::kernel::switchover::Switchover;
use crate::sim::queue::Micros;

impl Recorder {
    /// A member told something.
    pub(super) fn hear(&mut self, at: Micros, node: usize, said: &Said) {
        let Said { level, kind, text, group } = said;
        match *kind {
            // A leader's reasons belong to the group.
            "decision" => {
                let lane = group.as_ref().map_or(node, |group| self.group(group));
                let kind = if text.starts_with("hold") { "hold" } else { "decision" };
                self.event(at, lane, Class::Decision, kind, text.clone());
            }
            "leader" => self.event(at, node, Class::Decision, "leader", text.clone()),
            _ if *level < Level::Info => {}
            // Groups tell of these once, from the ledger.
            "question" => self.event(at, node, Class::Detail, kind, text.clone()),
            other if other.starts_with("switchover") => {
                self.event(at, node, Class::Detail, kind, text.clone());
            }
            _ => self.event(at, node, Class::Word, kind, text.clone()),
        }
    }

    /// Whether a member leads, after a turn of its kernel.
    pub fn led(&mut self, at: Micros, node: usize, leads: bool) {
        let word = self.roles[node].word;
        let now = match (leads, word) {
            (true, _) => "leads",
            (false, "leads") => "no leader",
            (false, word) => word,
        };
        if now != word {
            self.roles[node].word = now;
            self.show_role(at, node);
        }
    }

    /// A member published.
    pub(super) fn see(&mut self, at: Micros, node: usize, view: &View) {
        let role = &mut self.roles[node];
        role.word = match view.leader {
            None => "no leader",
            Some(_) if !view.in_quorum => "out of touch",
            Some(leader) if leader == view.member => "leads",
            Some(_) => "follows",
        };
        let same = role.routes.as_ref().is_some_and(|before| Arc::ptr_eq(before, &view.routes));
        role.routes = Some(Arc::clone(&view.routes));
        self.show_role(at, node);
        if !same {
            self.show_routes(at, node);
        }
        if view.applied > self.applied {
            self.applied = view.applied;
            self.ledger(at, view);
        }
    }

    /// What a member shows, in its lane and in those of the planes.
    pub(super) fn show_routes(&mut self, at: Micros, node: usize) {
        let routes = self.roles[node].routes.clone().unwrap_or_default();
        for group in routes.keys() {
            self.group(group);
        }
        for group in self.groups.keys().cloned().collect::<Vec<_>>() {
            let plane = routes.get(&group).map_or("", |route| route.plane.as_str());
            if let Some(strip) = self.strip_of(node, &group) {
                self.state(at, node, strip, plane);
            }
            self.show_planes(at, &group);
        }
    }

    /// How many members show a group on each plane.
    fn show_planes(&mut self, at: Micros, group: &GroupName) {
        for (number, plane) in self.planes.clone().iter().enumerate() {
            let shown = self.roles.iter().filter_map(|role| role.routes.as_ref()?.get(group));
            let count = shown.filter(|route| route.plane == *plane).count();
            let lane = self.plane(number);
            let state =
                if count == 0 { String::new() } else { format!("{count} of {}", self.members) };
            if let Some(strip) = self.strip_of(lane, group) {
                self.state(at, lane, strip, &state);
            }
        }
    }

    /// A gateway sends a group to a plane.
    pub fn followed(&mut self, at: Micros, which: usize, group: &GroupName, plane: &PlaneName) {
        self.group(group);
        let lane = self.gateway(which);
        if let Some(strip) = self.strip_of(lane, group) {
            self.state(at, lane, strip, plane.as_str());
        }
    }

    /// What the cluster agreed, as the first member shows it that has applied so much.
    fn ledger(&mut self, at: Micros, view: &View) {
        for (group, route) in view.routes.iter() {
            let lane = self.group(group);
            self.state(at, lane, ROUTE, route.plane.as_str());
        }
        for (id, question) in view.ledger.questions() {
            let before = self.questions.insert(*id, (question.open, question.ballots.len()));
            for group in question.groups.iter() {
                let lane = self.group(group);
                if before.is_none() {
                    let text = format!("{id}: {}", question.why);
                    self.event(at, lane, Class::Decision, "question", text);
                }
                let (was_open, told) = before.unwrap_or((true, 0));
                if question.ballots.len() > told {
                    let text = format!("{id}: {}", ballots(view, question));
                    self.event(at, lane, Class::Detail, "ballots", text);
                }
                if was_open && !question.open {
                    let text = format!("{id} is closed; {}", ballots(view, question));
                    self.event(at, lane, Class::Decision, "question-closed", text);
                }
            }
        }
        for s in view.ledger.switchovers().values() {
            let seen = (s.state, s.steps.len());
            if self.switchovers.insert(s.id, seen) == Some(seen) {
                continue;
            }
            let lane = self.group(&s.group);
            self.event(at, lane, Class::Decision, "switchover", story(view, s));
            // A newer one for the group is what counts; it stands behind this one.
            let state = if s.state.ended() && s.state.to_string() != "stuck" {
                String::new()
            } else {
                s.state.to_string()
            };
            self.state(at, lane, SWITCHOVER, &state);
        }
    }
}

fn name(view: &View, id: MemberId) -> String {
    let member = view.cluster.as_ref().and_then(|cluster| cluster.members.get(&id));
    member.map_or_else(|| format!("member {}", id.0), |member| member.name.to_string())
}

/// `east: web down/up, pay up/up; west: …`: what each observer says of a service on the two planes.
fn ballots(view: &View, question: &Question) -> String {
    let words = |(id, ballot): (&MemberId, &Arc<Ballot>)| {
        let states =
            ballot.states.iter().map(|(service, pair)| format!("{service} {}", both(*pair)));
        let states = states.collect::<Vec<_>>().join(", ");
        let alone = if ballot.isolated { " (sees no other site)" } else { "" };
        format!("{}{alone}: {states}", name(view, *id))
    };
    let all: Vec<String> = question.ballots.iter().map(words).collect();
    if all.is_empty() { "no ballots".to_owned() } else { all.join("; ") }
}

fn both(pair: crate::kernel::domain::StatePair) -> String {
    let word = |state| match state {
        crate::kernel::domain::HealthState::Unknown => "unknown",
        crate::kernel::domain::HealthState::Up => "up",
        crate::kernel::domain::HealthState::Degraded => "degraded",
        crate::kernel::domain::HealthState::Down => "down",
    };
    pair.0.map(word).join("/")
}

/// All that the record says, in one sentence.
fn story(view: &View, s: &Switchover) -> String {
    let mut text = format!("{} {}: {} → {}, {}", s.id, s.kind, s.from, s.to, s.state);
    let mut add = |what: String| {
        text.push_str("; ");
        text.push_str(&what);
    };
    if !s.outcome.is_empty() {
        add(s.outcome.clone());
    }
    add(format!("by {}: {}", s.by, s.cause));
    if let Some(question) = s.question {
        let said = s.ballots.iter().map(|(id, states)| {
            let states = states.iter().map(|(service, pair)| format!("{service} {}", both(*pair)));
            format!("{} says {}", name(view, *id), states.collect::<Vec<_>>().join(", "))
        });
        add(format!("{question}: {}", said.collect::<Vec<_>>().join("; ")));
    }
    if !s.skipped.is_empty() {
        add(format!("skipped: {}", s.skipped.join(", ")));
    }
    if !s.converging.is_empty() {
        add(format!("not yet there: {}", s.converging.join(", ")));
    }
    text
}
