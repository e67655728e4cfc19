//! What came of an input, in a few bytes: a journal keeps these, and a replay compares them.

use super::{Output, Response, View};

/// A running hash of outputs. It tells runs of one kernel apart; it is no guard against forgery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputDigest(u64);

impl Default for OutputDigest {
    fn default() -> Self {
        Self(0x243F_6A88_85A3_08D3)
    }
}

impl OutputDigest {
    /// The hash so far.
    pub const fn value(self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 29)
    }

    const fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.word(u64::from_le_bytes(chunk.try_into().unwrap_or_default()));
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(chunks.remainder()) {
            *to = *from;
        }
        self.word(u64::from_le_bytes(last));
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Takes another hash in.
    pub const fn join(&mut self, other: Self) {
        self.word(other.0);
    }

    /// The hash of one output. It costs what the output's bytes cost: of a published view, whose parts are as large as
    /// the state, it takes what names them.
    pub fn of(output: &Output) -> Self {
        let mut digest = Self::default();
        digest.word(u64::from(output.kind() as u8));
        match output {
            Output::Persist(batch) => digest.persist(batch),
            Output::Send { to, frame, traffic } => {
                digest.word(to.0);
                digest.word(*traffic as u64);
                digest.bytes(frame);
            }
            Output::Probe(order) => {
                digest.word(order.id.0);
                digest.text(&order.target.endpoint.host);
                digest.word(u64::from(order.target.endpoint.port));
            }
            Output::Perform(order) => {
                digest.word(order.id.0);
                digest.text(&format!("{:?}", order.effect));
            }
            Output::Reply { id, response } => {
                digest.word(id.0);
                digest.response(response);
            }
            Output::Publish(view) => digest.view(view),
            Output::Event(event) => {
                digest.text(event.kind);
                digest.text(&event.text);
                digest.text(event.group.as_ref().map_or("", |group| group.as_str()));
            }
            // Its bytes were digested when they were persisted.
            Output::Audit(record) => digest.text(&record.head),
            Output::Measured { took, .. } => {
                digest.word(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
            }
            Output::WaitUntil(moment, timer) => {
                digest.word(moment.as_micros());
                digest.word(*timer as u64);
            }
        }
        digest
    }

    fn persist(&mut self, batch: &crate::kernel::consensus::PersistBatch) {
        self.word(batch.number);
        self.word(batch.first_index.unwrap_or_default());
        self.word(u64::from(batch.reset_log));
        for entry in &batch.entries {
            self.word(entry.index);
            self.word(entry.term);
            self.bytes(&entry.data);
        }
        if let Some(state) = batch.hard_state {
            self.word(state.term);
            self.word(state.vote);
            self.word(state.commit);
        }
        if let Some(snapshot) = &batch.snapshot {
            self.word(snapshot.index);
            self.word(snapshot.term);
            self.bytes(&snapshot.data);
        }
    }

    fn response(&mut self, response: &Response) {
        match response {
            Response::Read(view) => self.view(view),
            Response::Accepted { switchover, repeated } => {
                self.text(switchover);
                self.word(u64::from(*repeated));
            }
            Response::Done => self.word(1),
            Response::Configured { version, changed } => {
                self.word(*version);
                self.word(u64::from(*changed));
            }
            Response::ConfigPlan(plan) => {
                self.word(plan.version);
                self.word(plan.all as u64);
            }
            Response::Plan(plan) => {
                self.text(&plan.to);
                plan.obstacles.iter().for_each(|obstacle| self.text(obstacle));
            }
            Response::Refused(refusal) => {
                self.text(&refusal.why);
                self.text(&refusal.next);
            }
            Response::Unknown { settle } => self.text(settle),
        }
    }

    fn view(&mut self, view: &View) {
        self.word(view.applied);
        self.word(view.term);
        self.word(view.leader.map_or(0, |leader| leader.0));
        self.word(u64::from(view.in_quorum));
        self.word(view.cut_off_since.as_micros());
        self.word(view.wall.0);
        self.word(view.ledger.revision());
        self.text(view.ledger.audit().head.as_str());
        self.word(view.gateways.len() as u64);
        view.heard.values().for_each(|at| self.word(at.as_micros()));
        view.apart.iter().for_each(|member| self.word(member.0));
        view.warnings.iter().for_each(|warning| self.text(warning));
    }
}
