//! `plane`, `service`: how a plane, or one service on it, answers.

use super::Verb;
use crate::sim::action::Action;
use crate::sim::cluster::PLANES;
use crate::sim::plane::ServiceState;
use crate::sim::scenario::words::{both, micros, plane, service_at, service_word, time};

pub(super) const VERB: Verb = Verb {
    usage: "plane P up|dead|hang|error|lies|slow TIME · service S on P up|dead|hang|error|lies|slow TIME",
    read,
    write,
};

fn read(words: &[&str]) -> Option<Result<Action, String>> {
    let set = |plane, service, state| Action::Plane { plane, service, state };
    Some(match words {
        ["plane", name, state @ ..] => {
            both(plane(name), read_state(state)).map(|(plane, state)| set(plane, None, state))
        }
        ["service", service, "on", name, state @ ..] => {
            both(service_at(service), both(plane(name), read_state(state)))
                .map(|(service, (plane, state))| set(plane, Some(service), state))
        }
        _ => return None,
    })
}

fn write(action: &Action) -> Option<String> {
    let Action::Plane { plane, service, state } = action else { return None };
    let (at, state) = (PLANES[*plane], write_state(*state));
    Some(match service {
        None => format!("plane {at} {state}"),
        Some(service) => format!("service {} on {at} {state}", service_word(*service)),
    })
}

fn read_state(words: &[&str]) -> Result<ServiceState, String> {
    Ok(match words {
        ["up"] => ServiceState::Up,
        ["dead"] => ServiceState::Dead,
        ["hang"] => ServiceState::Hang,
        ["error"] => ServiceState::Error,
        ["lies"] => ServiceState::Lies,
        ["slow", late] => ServiceState::Slow(micros(late)?),
        _ => {
            return Err(format!(
                "`{}`: write up, dead, hang, error, lies or slow TIME",
                words.join(" ")
            ));
        }
    })
}

fn write_state(state: ServiceState) -> String {
    match state {
        ServiceState::Up => "up".to_owned(),
        ServiceState::Dead => "dead".to_owned(),
        ServiceState::Hang => "hang".to_owned(),
        ServiceState::Error => "error".to_owned(),
        ServiceState::Lies => "lies".to_owned(),
        ServiceState::Slow(late) => format!("slow {}", time(late)),
    }
}
