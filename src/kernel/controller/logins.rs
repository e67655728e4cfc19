//! Failed logins: each node tells the leader how many its API turned away, now and then, so that they stand in the audit
//! chain and wake somebody.

use serde::{Deserialize, Serialize};

use super::{Controller, limits};
use crate::kernel::domain::{MemberId, Moment};
use crate::kernel::ledger::{ALARMS_SINCE, Command};

/// What is not in the log yet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Logins {
    count: u64,
    from: String,
    seq: u64,
    /// When to say it, or to say it again.
    due: Option<Moment>,
    /// What was said last and is not applied: its number, and how many it holds.
    said: (u64, u64),
}

impl Logins {
    pub(super) fn next_due(&self) -> Moment {
        self.due.unwrap_or(Moment::NEVER)
    }
}

impl Controller {
    pub(super) fn on_logins_failed(&mut self, count: u64, from: String) {
        self.logins.count = self.logins.count.saturating_add(count);
        self.logins.from = from;
        self.logins.due.get_or_insert(self.now);
    }

    /// Says what is due.
    pub(super) fn tell_logins(&mut self) {
        if self.logins.due.is_none_or(|due| due > self.now) {
            return;
        }
        if self.logins.count == 0 {
            self.logins.due = None;
            return;
        }
        self.logins.due = Some(self.now + limits::LOGINS_TOLD);
        if self.ledger.ruleset() < ALARMS_SINCE {
            // A young cluster's members have not all been heard yet, and it would be told to nobody.
            return;
        }
        self.logins.seq += 1;
        self.logins.said = (self.logins.seq, self.logins.count);
        let command = Command::LoginsFailed {
            member: self.me,
            incarnation: self.incarnation,
            seq: self.logins.seq,
            count: self.logins.count,
            from: self.logins.from.clone(),
        };
        self.submit_to_leader(vec![command]);
    }

    /// What some member said stands in the log.
    pub(super) fn on_logins_told(&mut self, member: MemberId) {
        let held = self.ledger.logins_told(member);
        let (seq, count) = self.logins.said;
        if member == self.me && held == Some((self.incarnation, seq)) {
            self.logins.count = self.logins.count.saturating_sub(count);
            self.logins.said = (seq, 0);
        }
    }
}
