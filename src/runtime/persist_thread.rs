//! The disk's own thread: writes batches in order and says when they are durable.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

use super::inbox::Inbox;
use super::kernel_thread::or_abort;
use super::limits::{PERSIST_BATCHES, PERSIST_BYTES};
use crate::edge::telemetry::names::{PERSIST_BYTES as BYTES_WRITTEN, PERSIST_SECONDS, QUEUE_DEPTH};
use crate::kernel::consensus::PersistBatch;

/// Where the kernel's thread puts batches. Never waits.
///
/// The queue has no bound of its own: a batch must not be dropped while later ones are written. It cannot grow for
/// long, because Raft has few batches in flight and proposals have limits; were it to pass a ceiling all the same,
/// the disk counts as failed, and from then on every batch is dropped: none of them is ever said to be durable.
#[derive(Clone, Debug)]
pub struct PersistQueue {
    sender: mpsc::Sender<PersistBatch>,
    backlog: Arc<Backlog>,
    inbox: Inbox,
}

#[derive(Debug, Default)]
struct Backlog {
    batches: AtomicUsize,
    bytes: AtomicUsize,
    failed: AtomicBool,
}

/// The running thread. It ends when every [`PersistQueue`] is gone, after the last batch.
#[derive(Debug)]
pub struct PersistThread {
    thread: JoinHandle<()>,
}

impl PersistQueue {
    /// Queues a batch.
    pub fn push(&self, batch: PersistBatch) {
        if self.backlog.failed.load(Ordering::Acquire) {
            return;
        }
        let batches = self.backlog.batches.fetch_add(1, Ordering::AcqRel) + 1;
        let payload = batch.payload_bytes();
        let bytes = self.backlog.bytes.fetch_add(payload, Ordering::AcqRel) + payload;
        if batches > PERSIST_BATCHES || bytes > PERSIST_BYTES {
            let why = format!("it is {batches} writes ({bytes} bytes) behind");
            return self.fail(why);
        }
        if self.sender.send(batch).is_err() {
            self.fail("its thread has ended".to_owned());
        }
    }

    fn fail(&self, why: String) {
        self.backlog.failed.store(true, Ordering::Release);
        self.inbox.disk_failed(why);
    }
}

impl PersistThread {
    /// Starts the thread. `write` makes a batch durable before it returns; after its first error it is not called
    /// again.
    pub fn start(
        inbox: Inbox,
        write: impl FnMut(&PersistBatch) -> Result<(), String> + Send + 'static,
    ) -> io::Result<(PersistQueue, Self)> {
        let (sender, batches) = mpsc::channel();
        let queue = PersistQueue { sender, backlog: Arc::default(), inbox: inbox.clone() };
        let backlog = Arc::clone(&queue.backlog);
        let thread = std::thread::Builder::new()
            .name("persist".to_owned())
            .spawn(move || or_abort("persist", || write_all(&batches, &backlog, &inbox, write)))?;
        Ok((queue, Self { thread }))
    }

    /// Waits until the last batch is written; the queues must have been dropped.
    pub fn join(self) {
        // It catches its own unwinds, so there is nothing to learn from the join.
        let _ = self.thread.join();
    }
}

fn write_all(
    batches: &mpsc::Receiver<PersistBatch>,
    backlog: &Backlog,
    inbox: &Inbox,
    mut write: impl FnMut(&PersistBatch) -> Result<(), String>,
) {
    while let Ok(batch) = batches.recv() {
        let began = Instant::now();
        if let Err(why) = write(&batch) {
            backlog.failed.store(true, Ordering::Release);
            return inbox.disk_failed(why);
        }
        metrics::histogram!(PERSIST_SECONDS).record(began.elapsed());
        let payload = batch.payload_bytes();
        metrics::counter!(BYTES_WRITTEN).increment(payload as u64);
        backlog.bytes.fetch_sub(payload, Ordering::AcqRel);
        let left = backlog.batches.fetch_sub(1, Ordering::AcqRel) - 1;
        metrics::gauge!(QUEUE_DEPTH, "queue" => "persist")
            .set(u32::try_from(left).unwrap_or(u32::MAX));
        inbox.persisted(batch.number);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::super::inbox::Taken;
    use super::*;
    use crate::kernel::consensus::LogEntry;
    use crate::kernel::controller::Input;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn batch(number: u64) -> PersistBatch {
        PersistBatch { number, ..PersistBatch::default() }
    }

    /// The store of a test: tells what it wrote, fails at number 3 if told so.
    fn store(
        fails: bool,
    ) -> (impl FnMut(&PersistBatch) -> Result<(), String>, mpsc::Receiver<u64>) {
        let (sender, written) = mpsc::channel();
        let write = move |batch: &PersistBatch| {
            if fails && batch.number == 3 {
                return Err("no space left".to_owned());
            }
            sender.send(batch.number).map_err(|error| error.to_string())
        };
        (write, written)
    }

    #[test]
    fn batches_are_written_in_order_and_the_receipt_is_of_the_last() {
        let inbox = Inbox::new();
        let (write, written) = store(false);
        let (queue, thread) = PersistThread::start(inbox.clone(), write).unwrap();
        for number in 1..=50 {
            queue.push(batch(number));
        }
        drop(queue);
        thread.join();
        assert_eq!(written.try_iter().collect::<Vec<_>>(), (1..=50).collect::<Vec<_>>());
        let taken = inbox.take(PATIENCE);
        assert_eq!(taken, Taken::Input(Input::Persisted { number: 50 }));
    }

    #[test]
    fn after_a_failure_nothing_is_written_and_nothing_is_durable() {
        let inbox = Inbox::new();
        let (write, written) = store(true);
        let (queue, thread) = PersistThread::start(inbox.clone(), write).unwrap();
        for number in 1..=3 {
            queue.push(batch(number));
        }
        thread.join();
        queue.push(batch(4));
        assert_eq!(written.try_iter().collect::<Vec<_>>(), [1, 2]);
        let failed = Input::DiskFailed("no space left".to_owned());
        assert_eq!(inbox.take(PATIENCE), Taken::Input(failed));
        assert_eq!(inbox.take(PATIENCE), Taken::Input(Input::Persisted { number: 2 }));
        assert_eq!(inbox.take(Duration::ZERO), Taken::Nothing);
    }

    #[test]
    fn so_many_batches_wait_and_with_one_more_the_disk_counts_as_failed() {
        let inbox = Inbox::new();
        let (go, wait) = mpsc::channel::<()>();
        let write = move |_: &PersistBatch| wait.recv().map_err(|error| error.to_string());
        let (queue, thread) = PersistThread::start(inbox.clone(), write).unwrap();
        (1..=PERSIST_BATCHES as u64).for_each(|number| queue.push(batch(number)));
        assert_eq!(inbox.take(Duration::ZERO), Taken::Nothing, "at the limit");
        queue.push(batch(PERSIST_BATCHES as u64 + 1));
        let taken = inbox.take(PATIENCE);
        assert!(matches!(taken, Taken::Input(Input::DiskFailed(_))), "{taken:?}");
        // The writer finds its test gone, and ends.
        drop((go, queue));
        thread.join();
    }

    #[test]
    fn a_disk_that_falls_far_behind_counts_as_failed() {
        let inbox = Inbox::new();
        let (go, wait) = mpsc::channel::<()>();
        let write = move |_: &PersistBatch| wait.recv().map_err(|error| error.to_string());
        let (queue, thread) = PersistThread::start(inbox.clone(), write).unwrap();
        let data = Bytes::from(vec![0; PERSIST_BYTES / 4]);
        let entry = LogEntry { index: 1, term: 1, kind: 0, data, context: Bytes::new() };
        for number in 1..=5 {
            queue.push(PersistBatch { entries: vec![entry.clone()], ..batch(number) });
        }
        queue.push(batch(6));
        let taken = inbox.take(PATIENCE);
        assert!(matches!(taken, Taken::Input(Input::DiskFailed(_))), "{taken:?}");
        for _ in 1..=4 {
            go.send(()).unwrap();
        }
        drop(queue);
        thread.join();
        assert_eq!(inbox.take(PATIENCE), Taken::Input(Input::Persisted { number: 4 }));
    }
}
