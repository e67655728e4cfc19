//! Words for what is broken.

use crate::sim::action::{Action, Outsider, Rough};
use crate::sim::plane::{Planes, ServiceState};
use crate::sim::queue::{MS, Micros, SECOND};
use crate::sim::ways::Ways;

/// Which ways from outside to a member are shut, lossy or slow.
pub(super) fn from_outside(ways: &Ways, member: usize) -> Option<String> {
    let mut words = Vec::new();
    for from in Outsider::ALL {
        let who = outsider(from);
        if ways.is_shut(member, from) {
            words.push(format!("is out of reach of {who}"));
        } else if ways.is_rough(member, from) {
            let way = passing_words(ways.roughness(member, from));
            words.push(format!("to and from {who} {way}"));
        }
    }
    (!words.is_empty()).then(|| words.join(", "))
}

/// What becomes of a way from outside.
pub(super) fn ways_words(action: &Action) -> (&'static str, String) {
    match action {
        Action::CutApi { from, on, span: length, .. } => {
            let word = if *on { "out of" } else { "in" };
            let (from, length) = (outsider(*from), for_words(*length));
            ("shut", format!("is {word} reach of {from}{length}"))
        }
        Action::RoughApi { from, rough, .. } if *rough != Rough::default() => {
            let way = passing_words(*rough);
            ("rough", format!("to and from {} {way}", outsider(*from)))
        }
        Action::RoughApi { from, .. } => {
            ("rough", format!("nothing is lost any more to and from {}", outsider(*from)))
        }
        _ => ("fault", format!("{action:?}")),
    }
}

pub(super) const fn outsider(from: Outsider) -> &'static str {
    match from {
        Outsider::Gateway => "gateways",
        Outsider::Clients => "clients",
        Outsider::Resolvers => "resolvers",
        Outsider::Door => "the front door",
    }
}

/// What of a way's traffic is lost, comes twice, or is late.
pub(super) fn passing_words(rough: Rough) -> String {
    let Rough { lost, twice, late } = rough;
    let twice = if twice > 0 {
        format!(", {}.{} % come twice", twice / 10, twice % 10)
    } else {
        String::new()
    };
    rough_words(lost, late) + &twice
}

pub(super) fn rough_words(lost: u32, late: Micros) -> String {
    if lost == 0 && late == 0 {
        return "nothing is lost any more".to_owned();
    }
    format!("{}.{} % are lost, the others up to {} late", lost / 10, lost % 10, span(late))
}

pub(super) fn for_words(length: Option<Micros>) -> String {
    length.map_or_else(String::new, |length| format!(" for {}", span(length)))
}

/// What is sick on a plane.
pub(super) fn sick(planes: &Planes, plane: usize) -> Option<String> {
    let overload = planes.overloaded(plane).then_some("has more traffic than it can carry");
    let struck = struck(planes, plane);
    match (overload, struck) {
        (Some(overload), Some(struck)) => Some(format!("{overload}, {struck}")),
        (overload, struck) => struck.or_else(|| overload.map(ToOwned::to_owned)),
    }
}

/// What was done to its services.
fn struck(planes: &Planes, plane: usize) -> Option<String> {
    let states = planes.states(plane);
    let first = *states.first()?;
    if states.iter().all(|state| *state == first) {
        return (first != ServiceState::Up)
            .then(|| format!("every service is {}", state_word(first)));
    }
    let sick =
        planes.services().iter().zip(states).filter(|(_, state)| **state != ServiceState::Up);
    let words: Vec<String> =
        sick.map(|(service, state)| format!("{service} is {}", state_word(*state))).collect();
    Some(words.join(", "))
}

pub(super) fn state_word(state: ServiceState) -> String {
    match state {
        ServiceState::Up => "up".to_owned(),
        ServiceState::Dead => "dead".to_owned(),
        ServiceState::Hang => "hanging".to_owned(),
        ServiceState::Error => "in error".to_owned(),
        ServiceState::Lies => "lying".to_owned(),
        ServiceState::Slow(late) => format!("slow by {}", span(late)),
    }
}

/// `12.5 s` or `300 ms`.
pub(super) fn span(length: Micros) -> String {
    if length >= SECOND {
        format!("{}.{} s", length / SECOND, length % SECOND / (100 * MS))
    } else {
        format!("{} ms", length / MS)
    }
}
