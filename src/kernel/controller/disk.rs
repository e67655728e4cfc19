//! This node's own disk: receipts, slowness, failure.
//!
//! A node whose write is under way for longer than an election says that it is out of touch with the quorum, so that those
//! who follow it go elsewhere; a leader gives way. A node whose write is under way for
//! [`STUCK_ELECTIONS`] times as long takes no part in consensus until the receipt comes: its peers must not count on one
//! that can promise nothing. To them it is a paused process, which the protocol survives. A disk that failed is for good.

use std::time::Duration;

use super::{Controller, Level};
use crate::kernel::domain::MemberId;

/// A write that takes this many times `election_max` makes its node stop serving consensus.
const STUCK_ELECTIONS: u32 = 10;
/// What a node shows of itself while it waits for its disk.
pub(super) const SLOW_DISK: &str =
    "a write of this node takes longer than an election: it shows what it last knew";

impl Controller {
    /// Whether this node takes no part in consensus.
    pub(super) const fn stands_apart(&self) -> bool {
        self.left.is_some() || self.disk_stuck
    }

    /// Why a request cannot be served here, if this node stands apart.
    pub(super) fn why_apart(&self) -> Option<String> {
        let left = self.left.as_ref().map(|why| format!("this node has left consensus: {why}"));
        left.or_else(|| self.disk_stuck.then(|| "this node's disk does not answer".to_owned()))
    }

    /// Whether a write has been under way for longer than an election: what this node shows may be old.
    pub(super) fn waits_for_disk(&self) -> bool {
        self.writes_for_longer_than(self.timing().election_max)
    }

    fn writes_for_longer_than(&self, limit: Duration) -> bool {
        let oldest = self.persists.front();
        oldest.is_some_and(|(_, at)| self.now.since(*at) > limit)
    }

    /// Another member said whether it stands apart.
    pub(super) fn on_apart(&mut self, member: MemberId, apart: bool) {
        let changed = if apart { self.apart.insert(member) } else { self.apart.remove(&member) };
        if changed {
            self.publishing.dirty = true;
            let (level, text) = if apart {
                let text = format!("member {member} takes no part in consensus: its log says why");
                (Level::Warn, text)
            } else {
                (Level::Info, format!("member {member} takes part in consensus again"))
            };
            self.tell(level, "apart", None, text);
        }
    }

    pub(super) fn on_persisted(&mut self, number: u64) {
        while self.persists.front().is_some_and(|(first, _)| *first <= number) {
            self.persists.pop_front();
        }
        self.consensus.persisted(number);
    }

    /// The store's own words say what to do.
    pub(super) fn on_disk_failed(&mut self, why: String) {
        self.leave_consensus("disk", why);
    }

    /// For good: until the process starts again.
    pub(super) fn leave_consensus(&mut self, kind: &'static str, why: String) {
        let text = format!("this node has left consensus and shows what it last knew: {why}");
        self.tell(Level::Error, kind, None, text);
        self.left.get_or_insert(why);
        self.publishing.dirty = true;
        self.check_office();
    }

    /// Gives way when the disk is slow, stands apart while it is stuck.
    pub(super) fn watch_disk(&mut self) {
        // A disk that failed has said so; what is under way there never ends.
        if self.left.is_some() {
            return;
        }
        let slow = self.timing().election_max;
        let stuck = self.writes_for_longer_than(slow * STUCK_ELECTIONS);
        if stuck != self.disk_stuck {
            self.disk_stuck = stuck;
            self.publishing.dirty = true;
            let (level, text) = if stuck {
                (
                    Level::Error,
                    "a write does not end: this node stops serving consensus until it does",
                )
            } else {
                (Level::Info, "the disk answers again: this node serves consensus")
            };
            self.tell(level, "disk-stuck", None, text.to_owned());
            self.check_office();
        }
        if !stuck && self.waits_for_disk() && self.consensus.transfer_leadership() {
            let text = format!("a write has been under way for more than {slow:?}: giving way");
            self.tell(Level::Warn, "disk", None, text);
        }
    }
}
