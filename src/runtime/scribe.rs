//! On the kernel's thread: notes what the kernel is given and what comes of it, for the journal. Never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use super::limits::{JOURNAL_BYTES, JOURNAL_LAST_WORDS, JOURNAL_NOTES, JOURNAL_PAUSE};
use crate::edge::journal::{Beginning, End, Gap, Turn};
use crate::kernel::controller::{Action, Controller, Input, Output, OutputDigest};
use crate::kernel::domain::{Moment, WallTime};

/// What the journal's thread is told.
#[derive(Debug)]
pub(super) enum Note {
    /// A segment begins.
    Begin(Box<Begin>),
    /// One input, and the digest of all outputs since the segment began.
    Turn(Turn, u64),
    /// There is no more.
    End(End),
}

/// How a segment begins.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) now: Moment,
    pub(super) wall: WallTime,
    /// Inputs of this process before it.
    pub(super) inputs: u64,
    /// Inputs that were not told.
    pub(super) gap: Option<Gap>,
    pub(super) kernel: Beginning,
}

/// What both threads see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The journal wants a new beginning.
    pub(super) wanted: AtomicBool,
    /// Notes on their way, and bytes of the frames and texts in them.
    pub(super) notes: AtomicUsize,
    pub(super) bytes: AtomicUsize,
}

/// The kernel thread's end of the journal.
#[derive(Debug)]
pub struct Scribe {
    sender: SyncSender<Note>,
    shared: Arc<Shared>,
    /// Closed when the journal's thread has ended.
    ended: Receiver<()>,
    /// The input that is being handled.
    open: Option<Open>,
    /// The last moment told since the segment began.
    last: Moment,
    digest: OutputDigest,
    inputs: u64,
    wall: (WallTime, Moment),
    lost: Option<Gap>,
    /// After a loss, no new beginning before.
    pause: Moment,
    /// The journal's thread is gone.
    deaf: bool,
}

/// An input that is being handled, and what has come of it.
#[derive(Debug)]
struct Open {
    now: Moment,
    input: Input,
    outputs: Vec<(u8, u16)>,
}

/// The way from the kernel's thread to the journal's.
pub(super) fn way() -> (SyncSender<Note>, Receiver<Note>) {
    sync_channel(JOURNAL_NOTES)
}

/// Bytes that an input holds elsewhere.
pub(super) fn weight(input: &Input) -> usize {
    match input {
        Input::Peer { frame, .. } => frame.len(),
        Input::Request(request) => match &request.action {
            // Its checked form is larger than its text by a small factor.
            Action::Configure(config) => 4 * config.text.len(),
            _ => 0,
        },
        _ => 0,
    }
}

impl Scribe {
    pub(super) fn new(
        sender: SyncSender<Note>,
        shared: Arc<Shared>,
        ended: Receiver<()>,
        started: Moment,
    ) -> Self {
        Self {
            sender,
            shared,
            ended,
            open: None,
            last: started,
            digest: OutputDigest::default(),
            inputs: 0,
            wall: (WallTime::default(), started),
            lost: None,
            pause: started,
            deaf: false,
        }
    }

    /// Notes that the journal's thread has not taken yet.
    pub fn waiting(&self) -> usize {
        self.shared.notes.load(Ordering::Acquire)
    }

    /// The kernel is about to handle this.
    pub fn takes(&mut self, now: Moment, input: &Input) {
        if let Input::WallClock(wall) = input {
            self.wall = (*wall, now);
        }
        if !self.deaf {
            self.open = Some(Open { now, input: input.clone(), outputs: Vec::new() });
        }
    }

    /// This came of it.
    pub fn gives(&mut self, output: &Output) {
        let Some(open) = &mut self.open else { return };
        let digest = OutputDigest::of(output);
        self.digest.join(digest);
        open.outputs.push(Turn::note(output.kind(), digest));
    }

    /// It has handled it. `copy` gives the kernel as it is now, if it is at rest.
    pub fn turned(&mut self, now: Moment, copy: impl FnOnce() -> Option<Controller>) {
        self.inputs += 1;
        self.send_open();
        let again = self.lost.is_some() && now >= self.pause && self.waiting() == 0;
        if self.deaf || !(again || self.shared.wanted.load(Ordering::Acquire)) {
            return;
        }
        let Some(kernel) = copy() else { return };
        let since = u64::try_from(now.since(self.wall.1).as_millis()).unwrap_or(u64::MAX);
        let known = self.wall.0 != WallTime::default();
        let begin = Begin {
            now,
            wall: if known { WallTime(self.wall.0.0.saturating_add(since)) } else { self.wall.0 },
            inputs: self.inputs,
            gap: self.lost.clone(),
            kernel: Beginning::Kernel(Box::new(kernel)),
        };
        if self.send(Note::Begin(Box::new(begin)), 0) {
            self.shared.wanted.store(false, Ordering::Release);
            self.lost = None;
            self.last = now;
            self.digest = OutputDigest::default();
        }
    }

    fn send_open(&mut self) {
        let Some(Open { now, input, outputs }) = self.open.take() else { return };
        if let Some(gap) = &mut self.lost {
            gap.inputs += 1;
            return;
        }
        let after = u64::try_from(now.since(self.last).as_micros()).unwrap_or(u64::MAX);
        let bytes = weight(&input);
        if self.send(Note::Turn(Turn { after, input, outputs }, self.digest.value()), bytes) {
            self.last = now;
        } else {
            let why = "the journal fell behind".to_owned();
            self.lost = Some(Gap { inputs: 1, why });
            self.pause = now + JOURNAL_PAUSE;
        }
    }

    fn send(&mut self, note: Note, bytes: usize) -> bool {
        let waiting = self.shared.bytes.load(Ordering::Acquire);
        // One large note is taken by an empty queue.
        if waiting > 0 && waiting + bytes > JOURNAL_BYTES {
            return false;
        }
        self.shared.notes.fetch_add(1, Ordering::AcqRel);
        self.shared.bytes.fetch_add(bytes, Ordering::AcqRel);
        let sent = self.sender.try_send(note);
        if let Err(error) = &sent {
            self.shared.notes.fetch_sub(1, Ordering::AcqRel);
            self.shared.bytes.fetch_sub(bytes, Ordering::AcqRel);
            self.deaf |= matches!(error, TrySendError::Disconnected(_));
        }
        sent.is_ok()
    }
}

impl Drop for Scribe {
    /// What the kernel was given last stands in the journal, too: after a panic it is what people look for.
    fn drop(&mut self) {
        let panicked = std::thread::panicking();
        self.send_open();
        let end = if panicked { End::Panicked } else { End::Stopped };
        if self.send(Note::End(end), 0) && panicked {
            // The process is about to be aborted. Nothing is ever sent: this waits for the other end to go.
            let _ = self.ended.recv_timeout(JOURNAL_LAST_WORDS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::domain::MemberId;

    /// A scribe whose notes nobody takes.
    fn unread() -> (Scribe, Receiver<Note>) {
        let (sender, notes) = way();
        let (_, ended) = std::sync::mpsc::channel();
        (Scribe::new(sender, Arc::default(), ended, Moment::default()), notes)
    }

    fn turn(scribe: &mut Scribe, input: &Input) {
        scribe.takes(Moment::default(), input);
        scribe.turned(Moment::default(), || None);
    }

    fn frame(bytes: usize) -> Input {
        Input::Peer { from: MemberId(2), frame: vec![0; bytes].into() }
    }

    #[test]
    fn so_many_notes_wait_and_one_more_is_lost_and_counted() {
        let (mut scribe, notes) = unread();
        for _ in 0..JOURNAL_NOTES {
            turn(&mut scribe, &Input::TimePassed);
        }
        assert!(scribe.lost.is_none());
        turn(&mut scribe, &Input::TimePassed);
        assert_eq!(scribe.lost.as_ref().map(|gap| gap.inputs), Some(1));
        // The gap lasts until a segment begins, however much room there is.
        notes.try_iter().for_each(drop);
        turn(&mut scribe, &Input::TimePassed);
        assert_eq!(scribe.lost.as_ref().map(|gap| gap.inputs), Some(2));
    }

    #[test]
    fn so_many_bytes_wait_and_one_more_is_lost_but_a_single_larger_note_passes() {
        let (mut scribe, _notes) = unread();
        for _ in 0..4 {
            turn(&mut scribe, &frame(JOURNAL_BYTES / 4));
        }
        assert!(scribe.lost.is_none());
        turn(&mut scribe, &frame(1));
        assert_eq!(scribe.lost.as_ref().map(|gap| gap.inputs), Some(1));
        let (mut scribe, _notes) = unread();
        turn(&mut scribe, &frame(JOURNAL_BYTES + 1));
        assert!(scribe.lost.is_none());
    }
}
