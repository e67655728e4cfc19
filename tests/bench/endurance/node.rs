//! One node of the long run: the kernel of production, its store, audit trail and journal on real files, and no socket.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use biplane::edge::audit::{AUDIT_DIR, Archive};
use biplane::edge::journal::JOURNAL_DIR;
use biplane::edge::storage::{Identity, RedbStore, STORE_FILE, Store as _, open_dir};
use biplane::kernel::consensus::PersistBatch;
use biplane::kernel::controller::limits::LOG_ENTRIES;
use biplane::kernel::controller::{Boot, Controller, Input, Output, View};
use biplane::kernel::domain::{MemberId, Moment};
use biplane::kernel::ledger::Cluster;
use biplane::runtime::journal_thread::{JournalSettings, JournalThread};
use biplane::runtime::scribe::Scribe;

/// What the audit trail and the journal may take here: so little that both turn over many times.
pub(super) const AUDIT_MIB: u64 = 16;
/// See [`AUDIT_MIB`].
pub(super) const JOURNAL_MIB: u64 = 8;
/// Virtual time stands still while more notes than these wait for the journal: a real node's inputs come more slowly than
/// its disk writes them, and without this a busy machine decides how much of the journal there is.
const NOTES_WAITING: usize = 256;
/// However slow the disk is, some notes are taken within this.
const JOURNAL_LIMIT: Duration = Duration::from_secs(120);

/// Sizes of one node.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sizes {
    pub(super) store: u64,
    pub(super) snapshot: u64,
    pub(super) entries: u64,
    pub(super) audit: u64,
    pub(super) journal: u64,
}

impl Sizes {
    /// The larger of each.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            store: self.store.max(other.store),
            snapshot: self.snapshot.max(other.snapshot),
            entries: self.entries.max(other.entries),
            audit: self.audit.max(other.audit),
            journal: self.journal.max(other.journal),
        }
    }
}

/// A process's part of a node.
struct Life {
    controller: Controller,
    store: RedbStore,
    archive: Archive,
    scribe: Scribe,
    journal: JournalThread,
}

/// One node.
pub(super) struct Node {
    id: MemberId,
    dir: PathBuf,
    cluster: Arc<Cluster>,
    text: Arc<str>,
    life: Option<Life>,
    /// Counts its processes.
    pub(super) lives: u32,
    pub(super) wake: Moment,
    pub(super) view: Option<Arc<View>>,
    snapshot: u64,
    /// First and last entry of the log on the disk.
    log: (u64, u64),
}

impl Node {
    /// A node with its data here.
    pub(super) fn new(id: MemberId, dir: PathBuf, cluster: &Arc<Cluster>, text: &str) -> Self {
        Self {
            id,
            dir,
            cluster: Arc::clone(cluster),
            text: Arc::from(text),
            life: None,
            lives: 0,
            wake: Moment::ZERO,
            view: None,
            snapshot: 0,
            log: (1, 0),
        }
    }

    pub(super) const fn lives(&self) -> bool {
        self.life.is_some()
    }

    pub(super) fn controller(&self) -> Option<&Controller> {
        self.life.as_ref().map(|life| &life.controller)
    }

    /// Starts its process. Says how long it took until the log was applied as far as it is known to be committed.
    pub(super) fn start(&mut self, now: Moment) -> (Duration, Vec<Output>) {
        let began = Instant::now();
        let identity = Identity {
            cluster: self.cluster.name.to_string(),
            member: self.id,
            members: self.cluster.members.keys().copied().collect(),
        };
        let mut store = open_dir(&self.dir, &identity).unwrap();
        let recovered = store.recover().unwrap();
        let commit = recovered.hard_state.commit;
        let floor = recovered.floor().0;
        self.log = (
            recovered.entries.first().map_or(floor + 1, |entry| entry.index),
            recovered.entries.last().map_or(floor, |entry| entry.index),
        );
        let boot = Boot {
            me: self.id,
            cluster: Arc::clone(&self.cluster),
            text: Arc::clone(&self.text),
            certificate_until: None,
            recovered,
            seed: 7,
            log_entries: LOG_ENTRIES,
        };
        let controller = Controller::start(now, boot.clone()).unwrap();
        let settings = JournalSettings::new(&self.dir, JOURNAL_MIB).expect("it may take room");
        let (scribe, journal) = JournalThread::start(settings, now, boot).unwrap();
        let archive = Archive::open(&self.dir, AUDIT_MIB << 20).unwrap();
        self.life = Some(Life { controller, store, archive, scribe, journal });
        self.lives += 1;
        self.wake = now;
        let outputs = self.handle(now, Input::TimePassed);
        let applied = self.controller().expect("it lives").ledger().index();
        assert!(
            applied >= commit,
            "{applied} of {commit} entries are applied after the first turn"
        );
        (began.elapsed(), outputs)
    }

    /// Its process dies; what it wrote stays.
    pub(super) fn kill(&mut self) {
        let Some(Life { scribe, journal, .. }) = self.life.take() else { return };
        self.view = None;
        drop(scribe);
        journal.join();
    }

    /// As the kernel's thread does it.
    pub(super) fn handle(&mut self, now: Moment, input: Input) -> Vec<Output> {
        let Some(life) = &mut self.life else { return Vec::new() };
        life.scribe.takes(now, &input);
        life.controller.handle(now, input);
        let mut outputs = Vec::new();
        while let Some(output) = life.controller.poll() {
            life.scribe.gives(&output);
            outputs.push(output);
        }
        life.scribe.turned(now, || life.controller.copy());
        let began = Instant::now();
        while life.scribe.waiting() > NOTES_WAITING {
            assert!(began.elapsed() < JOURNAL_LIMIT, "the journal's thread takes nothing");
            std::thread::yield_now();
        }
        outputs
    }

    /// Writes a batch to the disk.
    pub(super) fn persist(&mut self, batch: &PersistBatch) {
        if let Some(snapshot) = &batch.snapshot {
            self.snapshot = snapshot.data.len() as u64;
        }
        if let Some(first) = batch.first_index {
            self.log.0 = first;
        }
        if let Some(last) = batch.entries.last() {
            self.log.1 = last.index;
        }
        self.life.as_mut().expect("it just spoke").store.persist(batch).unwrap();
    }

    /// Writes an applied entry down.
    pub(super) fn note(&mut self, record: &biplane::kernel::ledger::AuditRecord) {
        self.life.as_mut().expect("it just spoke").archive.append(record).unwrap();
    }

    /// What it takes on the disk now.
    pub(super) fn sizes(&self) -> Sizes {
        Sizes {
            store: std::fs::metadata(self.dir.join(STORE_FILE)).unwrap().len(),
            snapshot: self.snapshot,
            entries: (self.log.1 + 1).saturating_sub(self.log.0),
            audit: bytes_in(&self.dir.join(AUDIT_DIR)),
            journal: bytes_in(&self.dir.join(JOURNAL_DIR)),
        }
    }
}

fn bytes_in(dir: &Path) -> u64 {
    let Ok(files) = std::fs::read_dir(dir) else { return 0 };
    // The journal's thread may just be deleting one.
    files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum()
}
