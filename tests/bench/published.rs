//! When a node's DNS server showed a change: the zone's serial, asked again and again. It grows by one when the
//! zone's records change, and equal serials mean equal records on every node.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use biplane::edge::dns::ask_serial;

use super::cluster::{ZONE, block_on};

/// Serials of one node's zone, each with the moment when it was first answered.
type Seen = Vec<(SystemTime, u32)>;

/// Asks one node until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Asks `server` every `pause`.
    pub(crate) fn start(server: SocketAddr, pause: Duration) -> Self {
        let (seen, stop) = (Arc::new(Mutex::new(Seen::new())), Arc::new(AtomicBool::new(false)));
        let (its_seen, its_stop) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !its_stop.load(Ordering::Relaxed) {
                if let Ok(serial) = block_on(ask_serial(server, ZONE, Duration::from_secs(1))) {
                    let at = SystemTime::now();
                    let mut seen = its_seen.lock().unwrap();
                    if seen.last().is_none_or(|(_, last)| *last != serial) {
                        seen.push((at, serial));
                    }
                }
                std::thread::sleep(pause);
            }
        });
        Self { seen, stop, thread: Some(thread) }
    }

    /// The newest serial and when it was first answered.
    pub(crate) fn newest(&self) -> Option<(SystemTime, u32)> {
        self.seen.lock().unwrap().last().copied()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // It only asks and notes; what went wrong there is seen in what it noted.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
