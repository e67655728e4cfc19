//! P9, replayable: the kernel is a pure function of its inputs. The inputs of one process are kept, a fresh
//! kernel takes them again, and its outputs must be the same, bit for bit.

use super::resumed::Resumed;
use crate::kernel::consensus::PersistBatch;
use crate::kernel::controller::{Boot, Controller, Input, Output, Response, View};
use crate::kernel::domain::Moment;
use crate::kernel::ledger::AuditRecord;

use crate::sim::trace::Digest;

/// Inputs that are kept; a longer life is checked as far as this.
const INPUTS_KEPT: usize = 60_000;
/// They are kept in pieces of so many: one list that grows is copied again and again.
const PIECE: usize = 256;

/// The inputs of one process and what came of them.
#[derive(Debug)]
pub struct Recorder {
    started: Moment,
    boot: Boot,
    /// In pieces.
    inputs: Vec<Vec<(Moment, Input)>>,
    kept: usize,
    outputs: Digest,
    /// Of the last input.
    turn: Digest,
    full: bool,
}

impl Recorder {
    /// A process starts.
    pub fn new(started: Moment, boot: Boot) -> Self {
        Self {
            started,
            boot,
            inputs: Vec::new(),
            kept: 0,
            outputs: Digest::default(),
            turn: Digest::default(),
            full: false,
        }
    }

    /// It takes an input.
    pub fn took(&mut self, now: Moment, input: &Input) {
        if self.full {
            return;
        }
        self.end_turn();
        self.full = self.kept >= INPUTS_KEPT;
        if self.full {
            return;
        }
        self.kept += 1;
        match self.inputs.last_mut() {
            Some(piece) if piece.len() < PIECE => piece.push((now, input.clone())),
            _ => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push((now, input.clone()));
                self.inputs.push(piece);
            }
        }
    }

    /// An output came of the last input.
    pub fn gave(&mut self, output: &Output) {
        if !self.full {
            digest_whole(&mut self.turn, output);
        }
    }

    /// The outputs of the last input, all of them, in one number.
    fn end_turn(&mut self) {
        let turn = std::mem::take(&mut self.turn);
        if !self.inputs.is_empty() {
            self.outputs.word(turn.value());
        }
    }

    /// Runs it all again.
    ///
    /// # Errors
    /// In words, when something else comes out.
    pub fn replay(&self) -> Result<(), String> {
        let mut again = Controller::start(self.started, self.boot.clone())?;
        let mut outputs = Digest::default();
        let mut resumed = Resumed::new(self.boot.seed ^ self.boot.recovered.incarnation.0);
        for (number, (now, input)) in (0..).zip(self.inputs.iter().flatten()) {
            again.handle(*now, input.clone());
            let mut turn = Digest::default();
            while let Some(output) = again.poll() {
                digest_whole(&mut turn, &output);
            }
            outputs.word(turn.value());
            resumed.took(number, &again, (*now, input), turn)?;
        }
        let mut recorded = self.outputs;
        if !self.full {
            recorded.word(self.turn.value());
        }
        if outputs == recorded || self.inputs.is_empty() {
            return Ok(());
        }
        Err(format!(
            "node {} took {} inputs again, and gave other outputs",
            self.boot.me, self.kept
        ))
    }
}

/// Takes an output into a digest, to the last field.
pub(super) fn digest_whole(into: &mut Digest, output: &Output) {
    into.word(output.kind() as u64);
    match output {
        Output::Persist(batch) => digest_batch(into, batch),
        Output::Send { to, frame, traffic } => {
            into.word(to.0);
            into.word(*traffic as u64);
            into.bytes(frame);
        }
        Output::Probe(order) => into.value_of(order),
        Output::Publish(view) => digest_view(into, view),
        // Its view is as large as the state; what was published before it is in the digest.
        Output::Reply { id, response: Response::Read(view) } => {
            into.value_of(&(id.0, view.applied, view.term, &view.routes));
        }
        Output::Audit(AuditRecord { index, term, before, head, data }) => {
            into.word(*index);
            into.word(*term);
            into.value_of(&(before, head, data));
        }
        Output::WaitUntil(moment, timer) => into.value_of(&(moment, timer)),
        // Seldom, and not made to be written down.
        Output::Perform(_) | Output::Reply { .. } | Output::Event(_) | Output::Measured { .. } => {
            into.text_of(format_args!("{output:?}"));
        }
    }
}

fn digest_batch(into: &mut Digest, batch: &PersistBatch) {
    let PersistBatch { number, snapshot, reset_log, first_index, entries, hard_state } = batch;
    into.value_of(&(number, snapshot, reset_log, first_index, entries, hard_state));
}

fn digest_view(into: &mut Digest, view: &View) {
    let View {
        member,
        applied,
        term,
        leader,
        in_quorum,
        cut_off_since,
        heard,
        started,
        wall,
        cards,
        cluster: _,
        routes,
        zones,
        ledger,
        gateways,
        prober,
        seen,
        apart,
        applied_by,
        warnings,
    } = view;
    into.value_of(&(member, applied, term, leader, in_quorum));
    into.value_of(&(routes, zones, ledger));
    into.value_of(&(cut_off_since, heard, started, wall, cards));
    into.value_of(&(gateways, prober, seen, apart, applied_by, warnings));
}

/// Takes an output into a digest: what tells one run from another, and costs little.
pub fn digest_output(into: &mut Digest, output: &Output) {
    match output {
        Output::Persist(batch) => {
            into.word(1);
            into.word(batch.number);
            for entry in &batch.entries {
                into.word(entry.index);
                into.word(entry.term);
                into.bytes(&entry.data);
            }
            if let Some(state) = batch.hard_state {
                into.word(state.term);
                into.word(state.vote);
                into.word(state.commit);
            }
            if let Some(snapshot) = &batch.snapshot {
                into.word(snapshot.index);
                into.bytes(&snapshot.data);
            }
        }
        Output::Send { to, frame, traffic } => {
            into.word(2 + ((*traffic as u64) << 8));
            into.word(to.0);
            into.bytes(frame);
        }
        Output::Probe(order) => {
            into.word(3);
            into.word(order.id.0);
            into.bytes(order.target.endpoint.host.as_bytes());
        }
        Output::Perform(order) => {
            into.word(4);
            into.word(order.id.0);
        }
        Output::Reply { id, response } => {
            into.word(5);
            into.word(id.0);
            digest_response(into, response);
        }
        Output::Publish(view) => {
            into.word(6);
            into.word(view.applied);
            into.word(view.term);
            into.word(u64::from(view.in_quorum));
            for route in view.routes.values() {
                into.bytes(route.plane.as_str().as_bytes());
                into.word(route.epoch.counter);
            }
        }
        Output::Event(event) => {
            into.word(7);
            into.bytes(event.text.as_bytes());
        }
        Output::Audit(record) => into.bytes(record.head.as_bytes()),
        Output::Measured { took, .. } => {
            into.word(9);
            into.word(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        }
        Output::WaitUntil(moment, timer) => {
            into.word(8 + ((*timer as u64) << 8));
            into.word(moment.as_micros());
        }
    }
}

fn digest_response(into: &mut Digest, response: &Response) {
    match response {
        Response::Read(view) => into.word(view.applied),
        Response::Accepted { switchover, .. } => into.bytes(switchover.as_bytes()),
        Response::Done => into.word(1),
        Response::Configured { version, changed } => {
            into.word(*version);
            into.word(u64::from(*changed));
        }
        Response::ConfigPlan(plan) => into.word(plan.version),
        Response::Plan(plan) => into.bytes(plan.to.as_bytes()),
        Response::Refused(refusal) => into.bytes(refusal.why.as_bytes()),
        Response::Unknown { settle } => into.bytes(settle.as_bytes()),
    }
}
