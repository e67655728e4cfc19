//! What a scenario demands: seen at some time, true in the end, or never.

use std::fmt;

use super::words::{group, micros, plane, plane_name, service_name, time};
use crate::kernel::controller::View;
use crate::kernel::domain::{GroupName, PlaneName, ServiceName};
use crate::kernel::health::Verdict;
use crate::kernel::ledger::Evidence;
use crate::kernel::switchover::{Kind, State};
use crate::sim::cluster::PLANES;
use crate::sim::queue::{MS, Micros, SECOND};
use crate::sim::world::{Mark, World};

/// How a fact is demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// `must see`: at some time.
    See,
    /// `never`: at no time.
    Never,
    /// `must hold`: in the end.
    Hold,
    /// `must hold not`: not in the end.
    HoldNot,
}

/// Something that can be seen, or be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A route was changed by a switchover of this kind (any, when absent), of this group, to this plane.
    Switchover(Option<Kind>, Option<GroupName>, Option<PlaneName>),
    /// A switchover ended so.
    Ended(State),
    /// A leader held a decision.
    Held,
    /// A leader asked.
    Question,
    /// A node that did not lead before leads (the first one does not count).
    LeaderChange,
    /// A switchover went on under another leader.
    Resumed,
    /// A process died.
    Crash,
    /// People are asked.
    Asked,
    /// A node shows the group on the plane; in the end: every living one does.
    Shown(GroupName, PlaneName),
    /// A node shows that the quorum reports the service down on the plane; in the end: every living one does.
    Down(ServiceName, usize),
    /// A gateway sends the group to the plane; in the end: every one does.
    Gateway(GroupName, PlaneName),
    /// A resolver sends users of the group to the plane; in the end: every one does.
    Users(GroupName, PlaneName),
    /// Somebody leads. In the end only.
    Leader,
}

/// One demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// How.
    pub claim: Claim,
    /// What.
    pub fact: Fact,
    /// Seen after this time only.
    pub after: Micros,
    /// Seen before this time only.
    pub before: Micros,
    text: String,
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claim = match self.claim {
            Claim::See => "must see",
            Claim::Never => "never",
            Claim::Hold => "must hold",
            Claim::HoldNot => "must hold not",
        };
        write!(f, "{claim} {}", self.text)?;
        if self.after > 0 {
            write!(f, " after {}", time(self.after))?;
        }
        if self.before < Micros::MAX {
            write!(f, " before {}", time(self.before))?;
        }
        Ok(())
    }
}

impl Expectation {
    pub(super) fn parse(words: &[&str]) -> Result<Self, String> {
        let (claim, words) = match words {
            ["must", "see", rest @ ..] => (Claim::See, rest),
            ["must", "hold", "not", rest @ ..] => (Claim::HoldNot, rest),
            ["must", "hold", rest @ ..] => (Claim::Hold, rest),
            ["never", rest @ ..] => (Claim::Never, rest),
            _ => return Err("write `must see`, `must hold` or `never`".to_owned()),
        };
        let (mut after, mut before, mut words) = (0, Micros::MAX, words);
        while let [rest @ .., when @ ("after" | "before"), time] = words {
            let said = if *when == "after" { after > 0 } else { before < Micros::MAX };
            if said {
                return Err(format!("`{when}` stands there twice"));
            }
            if *when == "after" {
                after = micros(time)?;
            } else {
                before = micros(time)?;
            }
            words = rest;
        }
        let text = words.join(" ");
        let fact = fact(words)?;
        let in_the_end = matches!(claim, Claim::Hold | Claim::HoldNot);
        let state = matches!(
            fact,
            Fact::Shown(..) | Fact::Down(..) | Fact::Gateway(..) | Fact::Users(..) | Fact::Leader
        );
        if in_the_end && !state {
            return Err(format!("`{text}` happens, it does not hold: write `must see {text}`"));
        }
        if in_the_end && (after > 0 || before < Micros::MAX) {
            return Err(
                "`must hold` looks at the end: write it without `after` and `before`".to_owned()
            );
        }
        if !in_the_end && fact == Fact::Leader {
            return Err("write `must hold a leader`, or `must see leader change`".to_owned());
        }
        Ok(Self { claim, fact, after, before, text })
    }

    /// The opposite demand.
    pub fn negated(&self) -> Self {
        let claim = match self.claim {
            Claim::See => Claim::Never,
            Claim::Never => Claim::See,
            Claim::Hold => Claim::HoldNot,
            Claim::HoldNot => Claim::Hold,
        };
        Self { claim, ..self.clone() }
    }

    /// Whether a finished run is as demanded.
    pub fn met(&self, world: &World) -> bool {
        match self.claim {
            Claim::See => self.seen(world),
            Claim::Never => !self.seen(world),
            Claim::Hold => self.holds(world),
            Claim::HoldNot => !self.holds(world),
        }
    }

    fn seen(&self, world: &World) -> bool {
        self.times(world).any(|at| (self.after..self.before).contains(&at))
    }

    /// When the fact was seen, within the demanded time or not.
    fn times(&self, world: &World) -> impl Iterator<Item = Micros> {
        let marks = &world.watch().marks;
        let first_leader = marks.iter().position(|(_, mark)| matches!(mark, Mark::Leader(_)));
        let seen = move |number, mark: &Mark| {
            self.fact.is(mark) && (self.fact != Fact::LeaderChange || Some(number) != first_leader)
        };
        let marks = marks.iter().enumerate();
        marks.filter(move |(number, (_, mark))| seen(*number, mark)).map(|(_, (at, _))| *at)
    }

    /// What was the case instead, where the demand was not met.
    pub fn instead(&self, world: &World) -> String {
        let seconds = |at: Micros| format!("{}.{:03} s", at / SECOND, at % SECOND / MS);
        match self.claim {
            Claim::Hold => "it is not so in the end".to_owned(),
            Claim::HoldNot => "it is so in the end".to_owned(),
            Claim::Never => {
                let within = |at: &Micros| (self.after..self.before).contains(at);
                let first = self.times(world).find(within);
                first.map_or_else(String::new, |at| format!("it was seen at {}", seconds(at)))
            }
            Claim::See => {
                let times: Vec<String> = self.times(world).take(3).map(seconds).collect();
                if times.is_empty() {
                    return "it was never seen".to_owned();
                }
                format!("it was seen at {}, and not in that time", times.join(", "))
            }
        }
    }

    fn holds(&self, world: &World) -> bool {
        match &self.fact {
            Fact::Leader => world.leader().is_some(),
            Fact::Gateway(group, plane) => {
                world.gateways().iter().all(|gateway| gateway.plane(group) == Some(plane))
            }
            Fact::Users(group, plane) => {
                let wanted = world.cluster().plane_index(plane);
                let sent = world.users(group, &[0, 1, 2]);
                !sent.is_empty() && sent.iter().all(|to| Some(*to) == wanted)
            }
            Fact::Shown(group, plane) => all_show(world, |view| {
                view.routes.get(group).is_some_and(|route| route.plane == *plane)
            }),
            Fact::Down(service, plane) => all_show(world, |view| {
                view.ledger.verdict(service, *plane, Evidence::Reports) == Verdict::Down
            }),
            _ => false,
        }
    }
}

/// Whether somebody lives, and all who do show it.
fn all_show(world: &World, shows: impl Fn(&View) -> bool) -> bool {
    let mut living =
        (0..world.cluster().members.len()).filter(|node| world.lives(*node)).peekable();
    living.peek().is_some() && living.all(|node| world.view(node).is_some_and(|view| shows(view)))
}

impl Fact {
    fn is(&self, mark: &Mark) -> bool {
        let any = |wanted: &Option<GroupName>, group: &GroupName| {
            wanted.as_ref().is_none_or(|wanted| wanted == group)
        };
        match (self, mark) {
            (Self::Switchover(kind, group, plane), Mark::Routed(of, by, to)) => {
                kind.is_none_or(|kind| kind == *by)
                    && any(group, of)
                    && plane.as_ref().is_none_or(|plane| plane == to)
            }
            (Self::Ended(wanted), Mark::Ended(_, state, _)) => wanted == state,
            (Self::Held, Mark::Held(_))
            | (Self::Question, Mark::Question)
            | (Self::LeaderChange, Mark::Leader(_))
            | (Self::Resumed, Mark::Resumed(_))
            | (Self::Asked, Mark::Asked(_))
            | (Self::Crash, Mark::Crashed(_)) => true,
            (Self::Shown(group, plane), Mark::Shown(_, of, on))
            | (Self::Gateway(group, plane), Mark::Gateway(of, on))
            | (Self::Users(group, plane), Mark::Users(of, on)) => group == of && plane == on,
            (Self::Down(service, plane), Mark::Down(of, on)) => {
                service == of && PLANES[*plane] == on.as_str()
            }
            _ => false,
        }
    }
}

fn fact(words: &[&str]) -> Result<Fact, String> {
    Ok(match words {
        ["held", "decision"] => Fact::Held,
        ["question"] => Fact::Question,
        ["leader", "change"] => Fact::LeaderChange,
        ["resumed", "switchover"] => Fact::Resumed,
        ["crash"] => Fact::Crash,
        ["people", "asked"] => Fact::Asked,
        ["a", "leader"] => Fact::Leader,
        ["switchover", "done"] => Fact::Ended(State::Done),
        ["switchover", "undone"] => Fact::Ended(State::Undone),
        ["switchover", "stuck"] => Fact::Ended(State::Stuck),
        ["switchover", "overtaken"] => Fact::Ended(State::Overtaken),
        ["automatic", "switchover", rest @ ..] => switchover(Some(Kind::Automatic), rest)?,
        ["planned", "switchover", rest @ ..] => switchover(Some(Kind::Planned), rest)?,
        ["forced", "switchover", rest @ ..] => switchover(Some(Kind::Forced), rest)?,
        ["approved", "switchover", rest @ ..] => switchover(Some(Kind::Approved), rest)?,
        ["switchover", rest @ ..] => switchover(None, rest)?,
        ["gateway", name, "on", plane] => Fact::Gateway(group(name)?, plane_name(plane)?),
        ["users", "of", name, "on", plane] => Fact::Users(group(name)?, plane_name(plane)?),
        [name, "down", "on", at] => Fact::Down(service_name(name)?, plane(at)?),
        [name, "on", plane] => Fact::Shown(group(name)?, plane_name(plane)?),
        _ => {
            return Err(format!(
                "`{}` cannot be seen: write [automatic|planned|forced|approved] switchover [of GROUP] [to PLANE], \
                 switchover done|undone|stuck|overtaken, held decision, question, leader change, resumed \
                 switchover, people asked, crash, GROUP on PLANE, SERVICE down on PLANE, gateway GROUP on PLANE, users of GROUP on PLANE or a leader",
                words.join(" ")
            ));
        }
    })
}

fn switchover(kind: Option<Kind>, words: &[&str]) -> Result<Fact, String> {
    let (of, to) = match words {
        [] => (None, None),
        ["of", name] => (Some(group(name)?), None),
        ["to", plane] => (None, Some(plane_name(plane)?)),
        ["of", name, "to", plane] => (Some(group(name)?), Some(plane_name(plane)?)),
        _ => return Err(format!("`{}`: write [of GROUP] [to PLANE]", words.join(" "))),
    };
    Ok(Fact::Switchover(kind, of, to))
}
