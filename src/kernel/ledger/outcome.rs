//! What came of a command: apply is total, a committed command never fails; it is refused with a reason.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::apply_alarm::Phase;
use super::command::RequestKey;
use crate::kernel::domain::{
    AlarmId, AskId, Epoch, GroupName, MemberId, PlaneName, PrincipalName, QuestionId, ServiceName,
    SwitchoverId,
};
use crate::kernel::policy::Hold;
use crate::kernel::switchover::{Event, State};

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The switchover stands in the ledger; `true` when an earlier request made it.
    Switchover(SwitchoverId, bool),
    /// The configuration with this number is in force.
    Configured(u64),
    /// Done.
    Done {},
    /// Understood and not done.
    Refused(RefusalReason),
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalReason {
    /// This version does not know the command.
    Unknown(String),
    /// There is no configuration yet.
    NotConfigured,
    /// There is one already.
    AlreadyConfigured,
    /// A newer configuration is in force than the one that this was based on.
    StaleConfiguration {
        /// The number that the command was based on.
        base: u64,
        /// The current one.
        current: u64,
    },
    /// This part of the configuration cannot be changed while the cluster runs.
    Fixed(String),
    /// A switchover is using services that the new configuration takes away from this group.
    Busy(GroupName, SwitchoverId),
    /// Users of a name or a route would be moved by it.
    WouldMove {
        /// Which.
        what: String,
        /// Where they are.
        from: PlaneName,
        /// Where they would be.
        to: PlaneName,
        /// By the route of this group.
        group: GroupName,
    },
    /// There is a token of this name already, or it was revoked.
    NameTaken(PrincipalName),
    /// The log holds as many tokens as it can.
    TooManyTokens,
    /// An admin has no scope.
    NoScope,
    /// Nobody revokes himself.
    Oneself,
    /// No such ask, or it was forgotten.
    NoSuchAsk(AskId),
    /// Somebody answered it, or it is over: its state.
    AskAnswered(AskId, String),
    /// No such open alarm.
    NoSuchAlarm(AlarmId),
    /// Not every member runs a version that knows this part of the configuration: the ruleset that it takes.
    NeedsRuleset(u32),
    /// It is about another configuration than the one in force.
    OtherConfiguration(u64),
    /// No such group.
    NoSuchGroup(GroupName),
    /// No such plane.
    NoSuchPlane(PlaneName),
    /// No such question, or it is closed.
    QuestionClosed(QuestionId),
    /// No such switchover.
    NoSuchSwitchover(SwitchoverId),
    /// The route has changed since.
    StaleEpoch {
        /// The epoch that the command was based on.
        base: Epoch,
        /// The current one.
        current: Epoch,
    },
    /// The group is there already.
    AlreadyThere(PlaneName),
    /// A guard is closed.
    Held(Vec<Hold>),
    /// The ballots do not say that the target is up.
    TargetNotUp(String),
    /// The switchover is not in a state for this.
    NotNow(State),
    /// An observer's older words.
    OldNews(MemberId),
    /// The same idempotency key with another body.
    KeyReused(String),
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(why) => write!(f, "this version does not know the command: {why}"),
            Self::NotConfigured => f.write_str("the cluster has no configuration yet"),
            Self::AlreadyConfigured => f.write_str("the cluster has a configuration already"),
            Self::StaleConfiguration { base, current } => {
                write!(f, "based on configuration {base}, but {current} is in force")
            }
            Self::Fixed(what) => write!(f, "{what} cannot be changed while the cluster runs"),
            Self::Busy(group, id) => {
                write!(f, "switchover {id} is using services of group `{group}` that would go")
            }
            Self::WouldMove { what, from, to, group } => write!(
                f,
                "{what} is on `{from}`, and by the route of group `{group}` it would be on `{to}`"
            ),
            Self::NameTaken(name) => write!(f, "the name `{name}` was given to a token before"),
            Self::TooManyTokens => {
                write!(
                    f,
                    "there are {} tokens already, revoked ones among them, and none whose time is long over",
                    super::limits::TOKENS
                )
            }
            Self::NoScope => f.write_str("an admin may do all: there is no admin of some groups"),
            Self::Oneself => f.write_str("nobody revokes himself"),
            Self::NoSuchAsk(id) => write!(f, "there is no ask {id}"),
            Self::AskAnswered(id, state) => write!(f, "ask {id} is {state} already"),
            Self::NoSuchAlarm(id) => write!(f, "there is no open alarm {id}"),
            Self::NeedsRuleset(ruleset) => write!(
                f,
                "it has parts that need ruleset {ruleset}, and a member runs a version that does not know it"
            ),
            Self::OtherConfiguration(number) => write!(f, "configuration {number} is not in force"),
            Self::NoSuchGroup(group) => write!(f, "there is no group `{group}`"),
            Self::NoSuchPlane(plane) => write!(f, "there is no plane `{plane}`"),
            Self::QuestionClosed(question) => write!(f, "the question {question} is closed"),
            Self::NoSuchSwitchover(id) => write!(f, "there is no switchover {id}"),
            Self::StaleEpoch { base, current } => {
                write!(f, "based on epoch {base}, but the route is at {current}")
            }
            Self::AlreadyThere(plane) => write!(f, "the group is on `{plane}` already"),
            Self::Held(holds) => {
                let words: Vec<String> = holds.iter().map(Hold::to_string).collect();
                f.write_str(&words.join("; "))
            }
            Self::TargetNotUp(what) => write!(f, "the target is not up: {what}"),
            Self::NotNow(state) => write!(f, "the switchover is {state}"),
            Self::OldNews(member) => write!(f, "older than what member {member} said before"),
            Self::KeyReused(key) => {
                write!(f, "the idempotency key `{key}` was used for another request")
            }
        }
    }
}

/// What applying one entry changed: for the controller, never replicated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The configuration is another.
    Configured,
    /// A question was asked.
    Asked(QuestionId),
    /// A question about these groups was closed. It may be forgotten already.
    Closed(QuestionId, Arc<BTreeSet<GroupName>>),
    /// Ballots for a question changed for these services.
    Voted(QuestionId, Vec<ServiceName>),
    /// Reports changed for these services.
    Reported(MemberId, Vec<ServiceName>),
    /// An observer was lost.
    Lost(MemberId),
    /// A switchover was made or took a step.
    Switchover(SwitchoverId),
    /// A route changed.
    Routed(GroupName),
    /// Freezes or drains changed.
    Guards,
    /// A person was asked, or an ask took a step.
    Ask(AskId),
    /// Something happened to an alarm.
    Alarm(AlarmId, Phase),
    /// Logins failed at a member.
    Logins(MemberId),
    /// A request was settled.
    Settled(RequestKey, Outcome),
    /// Something without a request was refused.
    Refused(Refused, RefusalReason),
}

/// What was refused, of all that no request stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A whole entry.
    Entry,
    /// A command that is not known here.
    Command,
    /// A configuration.
    Configuration,
    /// A question.
    Question,
    /// An observer's ballot.
    Ballot,
    /// An observer's report.
    Report,
    /// A move of this group.
    Move(GroupName),
    /// A step of this switchover.
    Step(SwitchoverId, Event),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry => f.write_str("entry"),
            Self::Command => f.write_str("command"),
            Self::Configuration => f.write_str("configuration"),
            Self::Question => f.write_str("question"),
            Self::Ballot => f.write_str("ballot"),
            Self::Report => f.write_str("report"),
            Self::Move(group) => write!(f, "move of {group}"),
            Self::Step(id, event) => write!(f, "{event} of {id}"),
        }
    }
}
