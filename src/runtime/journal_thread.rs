//! The journal's own thread: writes what the scribe notes. Whatever happens to it, the node goes on.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::limits::{JOURNAL_BLOCK, JOURNAL_FLUSH, JOURNAL_RETRY, JOURNAL_TURNS};
use super::scribe::{Begin, Note, Scribe, Shared, way, weight};
use crate::edge::journal::{
    Beginning, End, Gap, Header, Ring, RingError, Turn, Turns, build, write_kernel,
};
use crate::edge::telemetry::names::{JOURNAL_BYTES as BYTES, JOURNAL_GAPS, QUEUE_DEPTH};
use crate::kernel::controller::Boot;
use crate::kernel::domain::{Moment, WallTime};

/// Where a journal is, and how large it may be.
#[derive(Clone, Debug)]
pub struct JournalSettings {
    /// Its directory.
    pub dir: PathBuf,
    /// Bytes.
    pub limit: u64,
    /// After a failure of the disk it is tried again so often.
    pub retry: Duration,
}

impl JournalSettings {
    /// A journal in a node's data directory; none where it may take no room.
    pub fn new(data_dir: &std::path::Path, mib: u64) -> Option<Self> {
        let dir = data_dir.join(crate::edge::journal::JOURNAL_DIR);
        (mib > 0).then_some(Self { dir, limit: mib << 20, retry: JOURNAL_RETRY })
    }
}

/// The running thread. It ends when its scribe is gone, after the last note.
#[derive(Debug)]
pub struct JournalThread {
    thread: JoinHandle<()>,
}

impl JournalThread {
    /// Starts the thread with the first segment: that of a process that starts with `boot`.
    pub fn start(
        settings: JournalSettings,
        started: Moment,
        boot: Boot,
    ) -> io::Result<(Scribe, Self)> {
        let (sender, notes) = way();
        let (alive, ended) = mpsc::channel();
        // So that it is scraped before the first one.
        metrics::counter!(JOURNAL_GAPS).increment(0);
        let shared = Arc::<Shared>::default();
        let writer = Writer::new(settings, Arc::clone(&shared), &boot);
        let first = Begin {
            now: started,
            wall: WallTime::default(),
            inputs: 0,
            gap: None,
            kernel: Beginning::Boot(Box::new(boot)),
        };
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || {
            writer.run(first, &notes);
            drop(alive);
        })?;
        Ok((Scribe::new(sender, shared, ended, started), Self { thread }))
    }

    /// Waits until the last note is written; the scribe must have been dropped.
    pub fn join(self) {
        // A panic of it was told by the hook, and has cost the journal only.
        let _ = self.thread.join();
    }
}

struct Writer {
    settings: JournalSettings,
    shared: Arc<Shared>,
    ring: Option<Ring>,
    /// Of the last segment.
    header: Header,
    turns: Turns,
    buffered: usize,
    /// Between two blocks: short at first, so that a process that soon dies has left something.
    pause: Duration,
    flush_at: Instant,
    /// What is missing since the last segment.
    lost: Option<Gap>,
    /// When a new beginning is asked for after a failure.
    retry_at: Option<Instant>,
    /// A new beginning was asked for and has not come. It is asked for once: each costs a copy of the kernel.
    asked: bool,
    /// People know that it fails.
    told: bool,
}

impl Writer {
    fn new(settings: JournalSettings, shared: Arc<Shared>, boot: &Boot) -> Self {
        Self {
            settings,
            shared,
            ring: None,
            header: Header::of(build(), boot.me, boot.recovered.incarnation),
            turns: Turns::default(),
            buffered: 0,
            pause: JOURNAL_FLUSH / 8,
            flush_at: Instant::now(),
            lost: None,
            retry_at: None,
            asked: false,
            told: false,
        }
    }

    fn run(mut self, first: Begin, notes: &Receiver<Note>) {
        self.begin(first);
        loop {
            match notes.recv_timeout(self.flush_at.saturating_duration_since(Instant::now())) {
                Ok(note) => self.take(note),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.flush(),
            }
            if Instant::now() >= self.flush_at {
                self.flush();
                self.retry();
            }
        }
    }

    fn take(&mut self, note: Note) {
        let left = self.shared.notes.fetch_sub(1, Ordering::AcqRel) - 1;
        metrics::gauge!(QUEUE_DEPTH, "queue" => "journal")
            .set(u32::try_from(left).unwrap_or(u32::MAX));
        match note {
            Note::Begin(begin) => {
                self.flush();
                self.end(if begin.gap.is_some() { &End::Gap } else { &End::Continued });
                self.begin(*begin);
            }
            Note::Turn(turn, digest) => {
                self.shared.bytes.fetch_sub(weight(&turn.input), Ordering::AcqRel);
                self.turn(turn, digest);
            }
            Note::End(end) => {
                self.flush();
                self.end(&end);
            }
        }
    }

    fn ask(&mut self) {
        if !std::mem::replace(&mut self.asked, true) {
            self.shared.wanted.store(true, Ordering::Release);
        }
    }

    fn begin(&mut self, begin: Begin) {
        self.asked = false;
        let Begin { now, wall, inputs, gap, kernel } = begin;
        if gap.is_some() {
            metrics::counter!(JOURNAL_GAPS).increment(1);
        }
        let gap = match (self.lost.take(), gap) {
            (Some(mine), Some(theirs)) => Some(Gap { inputs: mine.inputs + theirs.inputs, ..mine }),
            (mine, theirs) => mine.or(theirs),
        };
        let segment = self.header.segment + 1;
        let template = Header { segment, inputs, begins: now, wall, gap, ..self.header.clone() };
        self.header = template;
        if let Err(error) = self.begin_in_ring(&kernel) {
            // What was missing before is missing still.
            self.lost = self.header.gap.take();
            return self.fail(&error);
        }
        self.retry_at = None;
        if std::mem::take(&mut self.told) {
            tracing::info!("the journal is written again");
        }
        self.show();
    }

    fn begin_in_ring(&mut self, kernel: &Beginning) -> Result<(), RingError> {
        let bytes = write_kernel(kernel).map_err(io::Error::other)?;
        if self.ring.is_none() {
            self.ring = Some(Ring::open(&self.settings.dir, self.settings.limit)?);
        }
        let ring = self.ring.as_mut().expect("it was just opened");
        ring.begin(&self.header, &bytes)
    }

    fn turn(&mut self, turn: Turn, digest: u64) {
        if let Some(gap) = &mut self.lost {
            gap.inputs += 1;
            return;
        }
        self.buffered += size_of::<Turn>() + weight(&turn.input);
        self.turns.turns.push(turn);
        self.turns.digest = digest;
        if self.buffered >= JOURNAL_BLOCK || self.turns.turns.len() >= JOURNAL_TURNS {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.flush_at = Instant::now() + self.pause;
        self.pause = JOURNAL_FLUSH.min(self.pause * 2);
        self.buffered = 0;
        let turns = std::mem::take(&mut self.turns);
        let Some(ring) = self.ring.as_mut().filter(|_| !turns.turns.is_empty()) else { return };
        match ring.append(&turns) {
            Ok(()) => {
                let long = ring.wants_another();
                if long {
                    self.ask();
                }
                self.show();
            }
            Err(error) => {
                self.lost = Some(Gap { inputs: turns.turns.len() as u64, why: String::new() });
                self.fail(&error);
            }
        }
    }

    fn end(&mut self, end: &End) {
        let Some(ring) = &mut self.ring else { return };
        if let Err(error) = ring.end(end) {
            self.fail(&error);
        }
        self.show();
    }

    /// From here on inputs are missing, until a segment begins.
    fn fail(&mut self, error: &RingError) {
        let gap = self.lost.get_or_insert_with(|| Gap { inputs: 0, why: String::new() });
        if gap.why.is_empty() {
            gap.why = error.to_string();
            metrics::counter!(JOURNAL_GAPS).increment(1);
        }
        if let Some(ring) = &mut self.ring {
            ring.leave();
        }
        if matches!(error, RingError::Full) {
            return self.ask();
        }
        self.retry_at = Some(Instant::now() + self.settings.retry);
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!(
                dir = %self.settings.dir.display(),
                retry = ?self.settings.retry,
                "the journal cannot be written: {error}. The node goes on without it and tries again; what happens \
                 until then cannot be replayed"
            );
        }
    }

    fn retry(&mut self) {
        if self.retry_at.is_some_and(|at| at <= Instant::now()) {
            self.retry_at = None;
            // What it knows of the directory may no longer be so.
            self.ring = None;
            self.ask();
        }
    }

    fn show(&self) {
        let bytes = self.ring.as_ref().map_or(0, Ring::bytes);
        metrics::gauge!(BYTES).set(bytes as f64);
    }
}
