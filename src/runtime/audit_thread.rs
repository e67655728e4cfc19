//! The audit trail's own thread: writes each applied entry down. Whatever happens to it, the node goes on; what it misses,
//! other members have.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Instant;

use super::limits::{AUDIT_BYTES, AUDIT_RECORDS, AUDIT_RETRY, AUDIT_SYNC};
use crate::edge::audit::Archive;
use crate::edge::telemetry::names::QUEUE_DROPPED;
use crate::kernel::ledger::AuditRecord;

/// Where the kernel's thread puts records. Never waits.
#[derive(Debug)]
pub struct AuditQueue {
    records: SyncSender<AuditRecord>,
    bytes: Arc<AtomicUsize>,
}

impl AuditQueue {
    /// Takes a record; one that has no room is lost here, and the archive shows a gap.
    pub fn push(&self, record: AuditRecord) {
        let size = record.data.len();
        let room = self.bytes.load(Ordering::Relaxed) + size <= AUDIT_BYTES;
        if room && self.records.try_send(record).is_ok() {
            self.bytes.fetch_add(size, Ordering::Relaxed);
        } else {
            metrics::counter!(QUEUE_DROPPED, "queue" => "audit").increment(1);
        }
    }
}

/// The running thread. It ends when its queue is gone, after the last record.
#[derive(Debug)]
pub struct AuditThread {
    thread: JoinHandle<()>,
}

impl AuditThread {
    /// Starts the thread for the archive in a data directory.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(data_dir: &Path, limit: u64) -> io::Result<(AuditQueue, Self)> {
        let (records, queue) = mpsc::sync_channel(AUDIT_RECORDS);
        let bytes = Arc::<AtomicUsize>::default();
        let writer = Writer {
            data_dir: data_dir.to_owned(),
            limit,
            bytes: Arc::clone(&bytes),
            archive: None,
            failed: None,
        };
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&queue))?;
        Ok((AuditQueue { records, bytes }, Self { thread }))
    }

    /// Waits until the last record is written; the queue must have been dropped.
    pub fn join(self) {
        // A panic of it was told by the hook, and has cost the archive only.
        let _ = self.thread.join();
    }
}

struct Writer {
    data_dir: PathBuf,
    limit: u64,
    bytes: Arc<AtomicUsize>,
    archive: Option<Archive>,
    /// When the disk failed last.
    failed: Option<Instant>,
}

impl Writer {
    fn run(mut self, queue: &Receiver<AuditRecord>) {
        let mut synced = Instant::now();
        loop {
            match queue.recv_timeout(AUDIT_SYNC) {
                Ok(record) => {
                    self.bytes.fetch_sub(record.data.len(), Ordering::Relaxed);
                    let written = self.write(&record);
                    self.judge(written);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if synced.elapsed() >= AUDIT_SYNC {
                synced = Instant::now();
                let synced = self.archive.as_mut().map_or(Ok(()), Archive::sync);
                self.judge(synced);
            }
        }
        if let Some(mut archive) = self.archive {
            // The process ends: what is lost now is written again at its next start.
            let _ = archive.sync();
        }
    }

    fn write(&mut self, record: &AuditRecord) -> io::Result<()> {
        if self.failed.is_some_and(|at| at.elapsed() < AUDIT_RETRY) {
            return Ok(());
        }
        if self.archive.is_none() {
            self.archive = Some(Archive::open(&self.data_dir, self.limit)?);
        }
        self.archive.as_mut().map_or(Ok(()), |archive| archive.append(record))
    }

    /// A disk that fails is tried again after a while; it is told once until it is well again.
    fn judge(&mut self, written: io::Result<()>) {
        match written {
            Ok(()) if self.archive.is_some() && self.failed.take().is_some() => {
                tracing::info!(
                    "the audit trail is written again; what it misses, other members have"
                );
            }
            Ok(()) => {}
            Err(error) => {
                if self.failed.is_none() {
                    tracing::warn!(
                        "the audit trail is not written: {error}. See the disk of {}; the node goes on, and other \
                         members keep theirs",
                        self.data_dir.display()
                    );
                }
                self.archive = None;
                self.failed = Some(Instant::now());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::audit::page;
    use crate::kernel::ledger::Audit;

    fn record(audit: &mut Audit, index: u64) -> AuditRecord {
        let before = audit.head.clone();
        audit.chain(index, 1, b"{}");
        let head = audit.head.clone();
        AuditRecord { index, term: 1, before, head, data: b"{}"[..].into() }
    }

    #[test]
    fn what_was_queued_is_written_before_the_thread_ends() {
        let dir = tempfile::tempdir().unwrap();
        let (queue, thread) = AuditThread::start(dir.path(), 1 << 20).unwrap();
        let mut audit = Audit::default();
        (1..=100).for_each(|index| queue.push(record(&mut audit, index)));
        drop(queue);
        thread.join();
        assert_eq!(page(dir.path(), 0).unwrap().lines.len(), 100);
    }

    #[test]
    fn a_disk_that_takes_nothing_stops_nobody() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(crate::edge::audit::AUDIT_DIR), "a file").unwrap();
        let (queue, thread) = AuditThread::start(dir.path(), 1 << 20).unwrap();
        let mut audit = Audit::default();
        (1..=100).for_each(|index| queue.push(record(&mut audit, index)));
        drop(queue);
        thread.join();
    }

    #[test]
    fn what_waits_is_bounded() {
        let (records, queue) = mpsc::sync_channel(AUDIT_RECORDS);
        let audit_queue = AuditQueue { records, bytes: Arc::default() };
        let mut audit = Audit::default();
        let large = AuditRecord { data: vec![b' '; AUDIT_BYTES].into(), ..record(&mut audit, 1) };
        audit_queue.push(large.clone());
        audit_queue.push(large);
        assert_eq!(queue.try_iter().count(), 1, "two are more than the bytes that may wait");
        audit_queue.bytes.store(0, Ordering::Relaxed);
        (0..=AUDIT_RECORDS as u64).for_each(|index| audit_queue.push(record(&mut audit, index)));
        assert_eq!(queue.try_iter().count(), AUDIT_RECORDS);
    }
}
