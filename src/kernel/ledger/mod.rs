//! The ledger (F3): what the cluster has agreed, as a fold of commands.
//!
//! `command` says what can be logged, `envelope` how it is written, `state` folds it (one `apply_*` file per
//! kind of command), `audit` chains the bytes.

mod apply_access;
mod apply_admin;
mod apply_alarm;
mod apply_ask;
mod apply_config;
mod apply_decide;
mod apply_health;
mod apply_question;
mod audit;
mod cluster;
mod command;
mod config_diff;
mod config_words;
mod envelope;
mod events;
mod facts;
mod judged;
mod outcome;
#[cfg(feature = "mutants")]
mod own;
mod reads;
mod settled;
mod snapshot;
mod state;
mod timers;

#[cfg(test)]
mod tests;

pub use crate::kernel::policy::{Budget, FlapLimit, Mode, OutWhen, Policy, WhenBothDown};
pub use apply_access::{Done, TOKENS_SINCE, TokenState};
pub use apply_alarm::{Alarm, AlarmKind, Alarms, Condition, Notice, Phase};
pub use apply_ask::{ALARMS_SINCE, Ask, AskState};
pub use apply_config::{KeptConfig, RECONFIGURE_SINCE, with_addresses_of};
pub use audit::{Audit, AuditHead, AuditLine, AuditLink, AuditPage, AuditRecord};
pub use cluster::{
    Cluster, GatewayRoute, Group, Member, Notify, NotifyKind, Observer, OnSwitch, Plane, Role,
    Timing,
};
pub use command::{Command, ConfigCommand, Move, RequestKey, SwitchCommand, TokenChange};
pub use config_diff::{Change, changes};
pub use config_words::{as_written, key_as_written};
pub use envelope::{Envelope, FORMAT, RULESET};
pub use events::{EventKind, Events, LoggedEvent};
pub use facts::Evidence;
pub use judged::GUARDS_SINCE;
pub use outcome::{Applied, Outcome, RefusalReason, Refused};
pub use snapshot::SnapshotError;
pub use state::{Ballot, GroupState, Ledger, ObserverState, Question};
pub use timers::{Placed, PlacedBy};

/// Limits of the replicated state; nothing in it grows without one of these.
pub mod limits {
    use std::time::Duration;

    /// A record with so many steps takes no more marks of changed leaders: its own steps need the room.
    pub const STEPS_BEFORE_MARKS: usize = 8;
    /// Ended switchovers that are kept beside the last of each group, and at most twice as many; the oldest go first.
    pub const SWITCHOVERS_KEPT: usize = 1_000;
    /// Outcomes of requests that are kept for repetition; the oldest go first.
    pub const OUTCOMES_KEPT: usize = 10_000;
    /// How long they are kept, in ledger time.
    pub const OUTCOMES_KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
    /// Links of the audit chain that the state holds; older ones lie in the log.
    pub const AUDIT_LINKS: usize = 16;
    /// Times of automatic switchovers that are kept per group: as many as the largest budget counts.
    pub const AUTOMATIC_TIMES_KEPT: usize = 1_000;
    /// Open and recently closed questions that are kept.
    pub const QUESTIONS_KEPT: usize = 64;
    /// Texts of configurations that are kept to be put back, the one in force among them.
    pub const CONFIGS_KEPT: usize = 16;
    /// The same in bytes; the one in force is kept whatever its size.
    pub const CONFIGS_BYTES: usize = 4 << 20;
    /// Differences between two configurations that are shown one by one.
    pub const CHANGES_SHOWN: usize = 1_000;
    /// Events that are kept for those who follow them; the oldest go first.
    pub const EVENTS_KEPT: usize = 2_000;
    /// Asks that are over and are kept for those who asked or answered; the oldest go first.
    pub const ASKS_KEPT: usize = 200;
    /// Open alarms of one kind; how much else of that kind stands against the cluster is told by one of the kind `more`.
    pub const ALARMS_OF_KIND: usize = 200;
    /// Notices that somebody still lacks; the oldest of the kind that has the most go first.
    pub const NOTICES_KEPT: usize = 2_000;
    /// Characters of an address from which somebody tried to log in.
    pub const ADDRESS_CHARS: usize = 64;
    /// Tokens that stand in the log, revoked ones among them; and again so many names that were revoked without one.
    /// One that has expired is dropped when its place is needed.
    pub const TOKENS: usize = 1_000;
    /// A token is not dropped before it has been expired for so long: the leader's clock may be ahead.
    pub const EXPIRED_FOR: Duration = Duration::from_secs(3600);
    /// Characters of a reason that a person gives.
    pub const REASON_MAX: usize = 1_000;
}
