//! The API's own threads. What clients ask for, and their handshakes, must never stand between the members' frames and the
//! kernel: a crowd of clients would cost an election.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

use super::limits::{API_NICE, API_RENDERS};

/// The running threads. They end soon after this is dropped.
#[derive(Debug)]
pub(super) struct ApiThreads(Option<Runtime>);

impl ApiThreads {
    /// Starts them: as many as there are processors, each behind the kernel's thread in the queue for one.
    pub(super) fn start() -> io::Result<Self> {
        let mut threads = Builder::new_multi_thread();
        // Each thread has a heap of its own: hundreds of them would hold hundreds of megabytes.
        threads.max_blocking_threads(API_RENDERS);
        threads.enable_all().thread_name("api").on_thread_start(|| {
            // Of this thread alone. Comfort, not need: without it the scheduler deals evenly.
            let _ = rustix::process::nice(API_NICE);
        });
        Ok(Self(Some(threads.build()?)))
    }

    /// Where the API's tasks are spawned.
    pub(super) fn handle(&self) -> &Handle {
        self.0.as_ref().expect("it is there until it is dropped").handle()
    }
}

impl Drop for ApiThreads {
    /// A runtime that is dropped would wait for its threads, which asynchronous code must not.
    fn drop(&mut self) {
        if let Some(threads) = self.0.take() {
            threads.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;

    #[test]
    fn so_many_answers_are_made_at_once_and_one_more_waits() {
        const PATIENCE: Duration = Duration::from_secs(20);
        let threads = ApiThreads::start().unwrap();
        let (begun, begins) = channel();
        let (leave, left) = channel::<()>();
        let left = Arc::new(Mutex::new(left));
        for _ in 0..=API_RENDERS {
            let (begun, left) = (begun.clone(), Arc::clone(&left));
            threads.handle().spawn_blocking(move || {
                begun.send(()).unwrap();
                let _ = left.lock().unwrap().recv();
            });
        }
        for _ in 0..API_RENDERS {
            begins.recv_timeout(PATIENCE).unwrap();
        }
        assert!(begins.try_recv().is_err(), "there is no place for one more");
        leave.send(()).unwrap();
        begins.recv_timeout(PATIENCE).unwrap();
        drop(leave);
    }
}
