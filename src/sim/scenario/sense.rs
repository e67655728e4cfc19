//! What a scenario speaks of must be there in its run: a fault that strikes nothing, and a demand about nothing, prove nothing.

use super::expect::{Expectation, Fact};
use super::parse::ScenarioError;
use super::words::{MEMBERS, SERVICES};
use super::{Scenario, Trigger};
use crate::kernel::domain::GroupName;
use crate::sim::action::{Action, Who};
use crate::sim::client::Wish;
use crate::sim::cluster::{EXTRA, OTHERS, WITH_EXTRA};
use crate::sim::queue::Micros;
use crate::sim::world::Params;

/// The second group, and the place of its service.
const SECOND: (&str, usize) = ("mail", SERVICES.len() - 1);
/// A clock that runs more wrong than this is no clock.
const PPM_MOST: i64 = 500_000;

const OBSERVERS: &str = "there are not so many observers: write `cluster observers N` above";
const GATEWAYS: &str = "there is one gateway: write `world gateways 2` above";
const GROUPS: &str = "there is one group: write `cluster groups 2` above";
const NO_EXTRA: &str = "there is no group `extra` without `configure 3`";

/// What is spoken of and is not there, each with its line. `lines` are those of the actions, then those of the triggers.
pub(super) fn missing(scenario: &Scenario, lines: &[usize], on: &[usize]) -> Vec<ScenarioError> {
    let params = &scenario.params;
    let extra = brings_extra(scenario);
    let at = scenario.actions.iter().map(|(_, action)| action).zip(lines);
    let acts = at.chain(scenario.triggers.iter().map(|(_, action)| action).zip(on));
    let acts = acts.filter_map(|(action, line)| Some((*line, lacks(params, extra, action)?)));
    let demands = scenario.expectations.iter();
    let demands = demands
        .filter_map(|(line, demand)| Some((*line, asks_for_nothing(params, extra, demand)?)));
    let said = acts.chain(demands);
    said.map(|(line, what)| ScenarioError { line, what: what.to_owned() }).collect()
}

/// Leaves out what its world has no part for.
pub fn keep_what_makes_sense(scenario: &mut Scenario) {
    let (params, extra) = (scenario.params.clone(), brings_extra(scenario));
    let there = |action: &Action| lacks(&params, extra, action).is_none();
    scenario.actions.retain(|(_, action)| there(action));
    scenario.triggers.retain(|(_, action): &(Trigger, Action)| there(action));
}

/// Whether somebody asks for the configuration that has the group `extra`.
fn brings_extra(scenario: &Scenario) -> bool {
    let at = scenario.actions.iter().map(|(_, action)| action);
    let mut acts = at.chain(scenario.triggers.iter().map(|(_, action)| action));
    acts.any(|action| matches!(action, Action::Ask { wish: Wish::Configure(WITH_EXTRA), .. }))
}

/// What an action needs and the run does not have.
fn lacks(params: &Params, extra: bool, action: &Action) -> Option<&'static str> {
    if params.cluster.is_some() {
        // Of somebody's own cluster no scenario speaks.
        return None;
    }
    if lasts(action) == Some(0) {
        return Some("that lasts no time");
    }
    let (observers, two) = (params.shape.observers, params.shape.two_groups);
    let place = |place: usize| place.checked_sub(MEMBERS.len()).is_none_or(|nth| nth < observers);
    let who = |who: Who| !matches!(who, Who::Observer(nth) if nth >= observers);
    let group = |group: &GroupName| two || group.as_str() != SECOND.0;
    let (there, what) = match action {
        Action::Cut { from, to, .. } if from == to => {
            return Some("nobody has a link to itself");
        }
        Action::Cut { from, to, .. } => (place(*from) && place(*to), OBSERVERS),
        Action::Hold { frames, .. }
        | Action::Lose { frames, .. }
        | Action::Double { frames, .. } => {
            let ends = [frames.from, frames.to];
            (ends.into_iter().flatten().all(place), OBSERVERS)
        }
        Action::Crash { who: w, .. }
        | Action::Start(w)
        | Action::CutOff { who: w, .. }
        | Action::Blind { who: w, .. }
        | Action::RoughSight { who: w, .. }
        | Action::WallStep { who: w, .. } => (who(*w), OBSERVERS),
        Action::ClockRate { who: w, ppm } => {
            if !(-PPM_MOST..=PPM_MOST).contains(ppm) {
                return Some("a clock runs wrong by 500000 millionths at most");
            }
            (who(*w), OBSERVERS)
        }
        Action::Gateway { which, .. } => (*which < params.gateways, GATEWAYS),
        Action::Plane { service: Some(service), .. } => (two || *service != SECOND.1, GROUPS),
        Action::DiskRots(_) => {
            (params.redb, "the model log has no bits: write `world storage redb` above")
        }
        Action::Ask { wish, .. } => match wish {
            Wish::Switch { group, .. } if !extra && group.as_str() == EXTRA => (false, NO_EXTRA),
            Wish::Freeze { groups, .. }
                if !extra && groups.iter().any(|group| group.as_str() == EXTRA) =>
            {
                (false, NO_EXTRA)
            }
            Wish::Switch { group: name, .. } => (group(name), GROUPS),
            Wish::Freeze { groups, .. } => (groups.iter().all(group), GROUPS),
            Wish::Configure(which) => (*which < OTHERS, "configurations are 0 to 5"),
            _ => (true, ""),
        },
        _ => (true, ""),
    };
    (!there).then_some(what)
}

/// How long an action is said to last, if it is.
const fn lasts(action: &Action) -> Option<Micros> {
    match action {
        Action::CutOff { span, .. }
        | Action::Cut { span, .. }
        | Action::Blind { span, .. }
        | Action::CutApi { span, .. } => *span,
        Action::Pause { span, .. }
        | Action::Suspend { span, .. }
        | Action::DiskStall { span, .. } => Some(*span),
        _ => None,
    }
}

/// What a demand is about and the run does not have.
fn asks_for_nothing(params: &Params, extra: bool, demand: &Expectation) -> Option<&'static str> {
    if demand.after >= demand.before {
        return Some("`after` is not before `before`: there is no such time");
    }
    let group = match &demand.fact {
        Fact::Switchover(_, Some(group), _)
        | Fact::Shown(group, _)
        | Fact::Gateway(group, _)
        | Fact::Users(group, _) => group.as_str(),
        Fact::Down(service, _) if service.as_str() == SERVICES[SECOND.1] => SECOND.0,
        _ => "",
    };
    // Nobody could ever see it: whoever forbids it has forgotten something.
    match group {
        EXTRA if !extra => Some(NO_EXTRA),
        name if name == SECOND.0 && !params.shape.two_groups => Some(GROUPS),
        _ => None,
    }
}
