//! What can be done in a scenario.

use super::parse::micros;
use crate::kernel::domain::{GroupName, PlaneName, ServiceName};
use crate::sim::action::{Action, Ways, Who};
use crate::sim::client::Wish;
use crate::sim::cluster::PLANES;
use crate::sim::plane::ServiceState;
use crate::sim::world::Mark;

/// What sets off an action, the first time that it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A leader asked.
    Question,
    /// A switchover was begun.
    Decided,
    /// A route changed.
    Routed,
    /// A process died.
    Crash,
}

impl Trigger {
    /// Whether this is it.
    pub const fn matches(self, mark: &Mark) -> bool {
        matches!(
            (self, mark),
            (Self::Question, Mark::Question)
                | (Self::Decided, Mark::Decided(..))
                | (Self::Routed, Mark::Routed(..))
                | (Self::Crash, Mark::Crashed(_))
        )
    }
}

/// Names of the services of `shop`, in their order; those of other groups come after them.
const SERVICES: [&str; 3] = ["log", "pay", "web"];

pub(super) fn trigger(words: &[&str]) -> Result<(Trigger, Action), String> {
    let (trigger, action) = match words {
        ["question", rest @ ..] => (Trigger::Question, rest),
        ["decided", rest @ ..] => (Trigger::Decided, rest),
        ["routed", rest @ ..] => (Trigger::Routed, rest),
        ["crash", rest @ ..] => (Trigger::Crash, rest),
        _ => {
            return Err(format!(
                "`on {}`: write on question, on decided, on routed or on crash, then what to do",
                words.join(" ")
            ));
        }
    };
    Ok((trigger, self::action(action)?))
}

pub(super) fn action(words: &[&str]) -> Result<Action, String> {
    on_planes(words)
        .or_else(|| on_nodes(words))
        .or_else(|| by_operators(words))
        .unwrap_or_else(|| {
            Err(format!(
                "`{}` cannot be done: see simulations/README.md for plane, service, blind, see, crash, \
                 start, pause, cut, heal, disk, gateway, switch, freeze, thaw, drain and undrain",
                words.join(" ")
            ))
        })
}

fn on_planes(words: &[&str]) -> Option<Result<Action, String>> {
    Some(match words {
        ["plane", name, state @ ..] => both(plane(name), state_of(state))
            .map(|(plane, state)| Action::Plane { plane, service: None, state }),
        ["service", service, "on", name, state @ ..] => {
            both(service_at(service), both(plane(name), state_of(state))).map(
                |(service, (plane, state))| Action::Plane { plane, service: Some(service), state },
            )
        }
        ["blind", node, "to", name] => {
            both(who(node), plane(name)).map(|(who, plane)| Action::Blind { who, plane, on: true })
        }
        ["see", node, "to", name] => {
            both(who(node), plane(name)).map(|(who, plane)| Action::Blind { who, plane, on: false })
        }
        _ => return None,
    })
}

fn on_nodes(words: &[&str]) -> Option<Result<Action, String>> {
    Some(match words {
        ["crash", node] => who(node).map(|who| Action::Crash { who, down: None }),
        ["crash", node, "for", span] => {
            both(who(node), micros(span)).map(|(who, down)| Action::Crash { who, down: Some(down) })
        }
        ["start", node] => who(node).map(Action::Start),
        ["pause", node, "for", span] => both(who(node), micros(span))
            .map(|(who, span)| Action::Pause { who, span, after_read: true }),
        ["cut", "off", node] => who(node).map(|who| Action::CutOff { who, ways: Ways::Both }),
        ["cut", "off", node, "in"] => who(node).map(|who| Action::CutOff { who, ways: Ways::In }),
        ["cut", "off", node, "out"] => who(node).map(|who| Action::CutOff { who, ways: Ways::Out }),
        ["cut", one, "from", other] => both(place(one), place(other))
            .map(|(from, to)| Action::Cut { from, to, one_way: false }),
        ["heal"] => Ok(Action::Heal),
        ["disk", "of", node, "fails", "for", span] => {
            both(who(node), micros(span)).map(|(who, mended)| Action::DiskFail { who, mended })
        }
        ["disk", "of", node, "stalls", "for", span] => {
            both(who(node), micros(span)).map(|(who, span)| Action::DiskStall { who, span })
        }
        ["gateway", "down"] => Ok(Action::Gateway(false)),
        ["gateway", "up"] => Ok(Action::Gateway(true)),
        _ => return None,
    })
}

fn by_operators(words: &[&str]) -> Option<Result<Action, String>> {
    let ask = |wish| Action::Ask { who: Who::Follower, wish };
    let freeze =
        |name: &str, on| group(name).map(|group| ask(Wish::Freeze { groups: vec![group], on }));
    let drain = |name: &str, on| plane_name(name).map(|plane| ask(Wish::Drain { plane, on }));
    Some(match words {
        ["switch", name, "to", to] | ["switch", name, "to", to, "forced"] => {
            let forced = words.len() == 5;
            both(group(name), plane_name(to))
                .map(|(group, to)| ask(Wish::Switch { group, to: Some(to), forced }))
        }
        ["freeze", name] => freeze(name, true),
        ["thaw", name] => freeze(name, false),
        ["drain", name] => drain(name, true),
        ["undrain", name] => drain(name, false),
        ["read", node] => who(node).map(|who| Action::Ask { who, wish: Wish::Read }),
        _ => return None,
    })
}

fn both<A, B>(a: Result<A, String>, b: Result<B, String>) -> Result<(A, B), String> {
    Ok((a?, b?))
}

pub(super) fn plane(name: &str) -> Result<usize, String> {
    let at = PLANES.iter().position(|plane| *plane == name);
    at.ok_or_else(|| format!("`{name}` is not a plane: east or west"))
}

pub(super) fn plane_name(name: &str) -> Result<PlaneName, String> {
    plane(name)?;
    PlaneName::new(name).map_err(|error| error.to_string())
}

pub(super) fn group(name: &str) -> Result<GroupName, String> {
    if !matches!(name, "shop" | "mail") {
        return Err(format!("`{name}` is not a group: shop, or mail with `cluster groups 2`"));
    }
    GroupName::new(name).map_err(|error| error.to_string())
}

fn service_at(name: &str) -> Result<usize, String> {
    let at = SERVICES.iter().position(|service| *service == name);
    at.ok_or_else(|| format!("`{name}` is not a service: web, pay or log"))
}

pub(super) fn service_name(name: &str) -> Result<ServiceName, String> {
    service_at(name)?;
    ServiceName::new(name).map_err(|error| error.to_string())
}

fn place(name: &str) -> Result<usize, String> {
    let at = ["east", "west", "third"].iter().position(|member| *member == name);
    at.ok_or_else(|| format!("`{name}` is not a member: east, west or third"))
}

fn who(name: &str) -> Result<Who, String> {
    Ok(match name {
        "leader" => Who::Leader,
        "follower" => Who::Follower,
        "all" => Who::All,
        _ => Who::Node(place(name).map_err(|what| format!("{what}, leader, follower or all"))?),
    })
}

fn state_of(words: &[&str]) -> Result<ServiceState, String> {
    Ok(match words {
        ["up"] => ServiceState::Up,
        ["dead"] => ServiceState::Dead,
        ["hang"] => ServiceState::Hang,
        ["error"] => ServiceState::Error,
        ["slow", late] => ServiceState::Slow(micros(late)?),
        _ => {
            return Err(format!("`{}`: write up, dead, hang, error or slow TIME", words.join(" ")));
        }
    })
}
