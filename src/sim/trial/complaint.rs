//! What can go wrong with a cluster's settings, though no promise is broken.

use std::fmt;

use super::setting::Setting;
use super::weather::{ANSWER, CHASE, MOVES, SECOND_OUTAGE, WAIT, told};
use crate::kernel::domain::{GroupName, ServiceName};

/// One thing that went wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Complaint {
    /// A leader was elected though the one before was well.
    Election,
    /// A service that was well was reported down.
    FalseDown(ServiceName),
    /// A group was moved, or a person asked, for a hiccup of a service.
    Left(GroupName, ServiceName),
    /// A group was moved there and back without end.
    Flapped(GroupName),
    /// A plane died, and its users waited too long.
    Late(GroupName),
    /// The same at a second outage.
    LateAgain(GroupName),
    /// A switchover that was well was not verified.
    Unverified(GroupName),
    /// A person said yes when the ask was over, or nothing came of it.
    Unheard(GroupName),
    /// A promise was broken: the oracle that says so. No setting may do that.
    Broken(&'static str),
}

impl Complaint {
    /// Whether it stands as soon as it is seen; others are that something did not happen until the end.
    pub(super) const fn stays(&self) -> bool {
        !matches!(self, Self::Late(_) | Self::LateAgain(_) | Self::Unheard(_))
    }

    /// Settings that may help, the best first.
    pub fn remedies(&self) -> Vec<Setting> {
        match self {
            Self::Election => vec![Setting::ElectionMin],
            Self::FalseDown(service) => {
                vec![Setting::Timeout(service.clone()), Setting::Fall(service.clone())]
            }
            Self::Left(_, service) => {
                vec![Setting::Fall(service.clone()), Setting::Timeout(service.clone())]
            }
            Self::Flapped(group) => {
                vec![Setting::Dwell(group.clone()), Setting::BudgetWindow(group.clone())]
            }
            Self::Late(group) => {
                vec![Setting::Interval(group.clone()), Setting::FewerFalls(group.clone())]
            }
            Self::LateAgain(group) => vec![
                Setting::ShorterDwell(group.clone()),
                Setting::Switches(group.clone()),
                Setting::Downs(group.clone()),
                Setting::Interval(group.clone()),
            ],
            Self::Unverified(_) => vec![Setting::VerifyTimeout],
            Self::Unheard(group) => vec![Setting::AskExpires(group.clone())],
            Self::Broken(_) => Vec::new(),
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Election => {
                f.write_str("the members elect a leader anew though the one that they have is well")
            }
            Self::FalseDown(service) => write!(f, "{service} is reported down though it is well"),
            Self::Left(group, service) => {
                write!(f, "a hiccup of {service} moves {group}, or has a person asked to move it")
            }
            Self::Flapped(group) => write!(
                f,
                "a fault that follows its traffic moves {group} there and back, more than {MOVES} times in {}",
                told(CHASE)
            ),
            Self::Late(group) => write!(
                f,
                "the plane of {group} dies, and its users wait for longer than {}",
                told(WAIT)
            ),
            Self::LateAgain(group) => write!(
                f,
                "a second outage {} after the first: users of {group} wait for longer than {}",
                told(SECOND_OUTAGE),
                told(WAIT)
            ),
            Self::Unverified(group) => {
                write!(f, "a switchover of {group} to a plane that is well is not verified")
            }
            Self::Unheard(group) => write!(
                f,
                "a person who is asked to move {group} says yes after {}, and the ask is over or nothing comes of it",
                told(ANSWER)
            ),
            Self::Broken(oracle) => write!(f, "a promise is broken, says the oracle {oracle}"),
        }
    }
}
