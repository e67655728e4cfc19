//! Agreement of members beyond the log: equal states at equal index, and a version that everybody understands.
//!
//! Apply is a pure function, so two members that applied the same log hold the same state. Members tell each other a
//! digest of it now and then; one that stands alone against a majority has a fault (of memory, of disk, of its build) and
//! leaves consensus before it can lead. A log that this version cannot apply as others do makes it leave too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::peer::PeerMessage;
use super::{Controller, Level, limits};
use crate::kernel::domain::{MemberId, Moment};
use crate::kernel::ledger::{Command, Envelope, FORMAT, RULESET};

/// What others said of their states, and of the rules that they know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Agreement {
    /// By log index and member: hex of the state's digest there.
    pub(super) digests: BTreeMap<u64, BTreeMap<MemberId, String>>,
    /// The newest ruleset that this version knows. A constant, but for tests.
    pub(super) ruleset: u32,
    /// The newest ruleset that each other member said it knows.
    rulesets: BTreeMap<MemberId, u32>,
    /// When the leader may ask for a newer ruleset again.
    raise_at: Moment,
    /// No entry is applied any more.
    halted: bool,
}

impl Agreement {
    /// The newest ruleset that a member said it knows; 0 for one that said nothing yet.
    pub(super) fn known_by(&self, member: MemberId) -> u32 {
        self.rulesets.get(&member).copied().unwrap_or_default()
    }
}

impl Default for Agreement {
    fn default() -> Self {
        Self {
            digests: BTreeMap::new(),
            ruleset: RULESET,
            rulesets: BTreeMap::new(),
            raise_at: Moment::default(),
            halted: false,
        }
    }
}

impl Controller {
    /// Between two digests, in entries: more for a larger state, so that they cost little per entry.
    fn digest_every(&self) -> u64 {
        let groups = u64::try_from(self.ledger.groups().len()).unwrap_or(u64::MAX);
        limits::DIGEST_ENTRIES.saturating_mul(1 + groups / limits::DIGEST_ENTRIES)
    }

    /// Whether an entry may be applied. One of a newer format is not: others would apply it otherwise.
    pub(super) fn may_apply(&mut self, index: u64, data: &[u8]) -> bool {
        let newer = Envelope::format_of(data).filter(|format| *format > FORMAT);
        if let (false, Some(format)) = (self.agreement.halted, newer) {
            let why = format!(
                "entry {index} of the log has format {format}, this version reads up to {FORMAT}: \
                 start a newer version on this data directory"
            );
            self.halt(why);
        }
        !self.agreement.halted
    }

    /// Rules that this version does not know are not applied: not after the entry that raised them, and not from a
    /// state that came from the disk or from a leader.
    pub(super) fn check_rules(&mut self) {
        let (rules, known) = (self.ledger.ruleset(), self.agreement.ruleset);
        if rules > known && !self.agreement.halted {
            let why = format!(
                "the cluster decides by ruleset {rules}, this version knows up to {known}: start a \
                 newer version on this data directory"
            );
            self.halt(why);
        }
    }

    /// After an entry: its rules must be known, and its state may be due for comparison.
    pub(super) fn agree(&mut self, index: u64) {
        self.check_rules();
        if self.agreement.halted || !index.is_multiple_of(self.digest_every()) {
            return;
        }
        let digest = self.ledger.digest();
        self.tell_members(&PeerMessage::Digest { index, digest: digest.clone() });
        self.note_digest(self.me, index, digest);
    }

    /// Another member told its digest.
    pub(super) fn on_digest(&mut self, from: MemberId, index: u64, digest: String) {
        let ahead = self.digest_every().saturating_mul(limits::DIGESTS_KEPT);
        let comparable = index <= self.ledger.index().saturating_add(ahead);
        if comparable && digest.len() == 64 {
            self.note_digest(from, index, digest);
        }
    }

    fn note_digest(&mut self, from: MemberId, index: u64, digest: String) {
        let digests = &mut self.agreement.digests;
        digests.entry(index).or_default().insert(from, digest);
        while u64::try_from(digests.len()).is_ok_and(|len| len > limits::DIGESTS_KEPT) {
            digests.pop_first();
        }
        self.compare(index, from);
    }

    /// `from` spoke last: others were compared before.
    fn compare(&mut self, index: u64, from: MemberId) {
        let Some(told) = self.agreement.digests.get(&index) else { return };
        let Some(own) = told.get(&self.me) else { return };
        let majority = self.file.voting().majority();
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        for digest in told.values() {
            *counts.entry(digest).or_default() += 1;
        }
        if counts.iter().any(|(digest, count)| *digest != own && *count >= majority) {
            let why = format!(
                "its state at log index {index} is not that of a majority: its memory, disk or build is \
                 at fault. Leave it stopped and keep its log and data directory for a report; the other two go \
                 on without it"
            );
            return self.halt(why);
        }
        let odd: Vec<MemberId> = told
            .iter()
            .filter(|(member, digest)| *digest != own && (from == self.me || from == **member))
            .map(|(member, _)| *member)
            .collect();
        for member in odd {
            let text = format!("member {member} holds another state at log index {index}");
            self.tell(Level::Warn, "state", None, text);
        }
    }

    fn halt(&mut self, why: String) {
        self.agreement.halted = true;
        self.leave_consensus("state", why);
    }

    /// What another member said of itself.
    pub(super) fn on_ruleset(&mut self, from: MemberId, ruleset: u32) {
        self.agreement.rulesets.insert(from, ruleset);
    }

    /// A newer ruleset is in force from the entry that says so on, and only when every member knows it.
    pub(super) fn raise_ruleset(&mut self) {
        let others = self.file.members.keys().filter(|member| **member != self.me);
        let known = others
            .map(|member| self.agreement.rulesets.get(member).copied().unwrap_or_default())
            .fold(self.agreement.ruleset, u32::min);
        if known > self.ledger.ruleset() && self.now >= self.agreement.raise_at {
            self.agreement.raise_at = self.now + limits::RESEND;
            self.leading.push_own(Command::Raise { ruleset: known });
        }
    }
}
