//! Events from the kernel to the log, without making the kernel wait for whoever reads the log.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use super::limits::EVENTS;
use crate::edge::telemetry::names::QUEUE_DROPPED;
use crate::edge::telemetry::record_event;
use crate::kernel::controller::Event;

/// Where the kernel's thread puts events. Never waits.
#[derive(Clone, Debug)]
pub struct Events {
    sender: SyncSender<Event>,
}

impl Events {
    /// Starts a thread that logs and counts, until every copy of this is dropped.
    pub fn start() -> io::Result<Self> {
        let (events, told) = Self::channel();
        std::thread::Builder::new()
            .name("events".to_owned())
            .spawn(move || told.iter().for_each(|event| record_event(&event)))?;
        Ok(events)
    }

    /// Takes an event; one that has no room is dropped and counted.
    pub fn tell(&self, event: Event) {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(event) {
            metrics::counter!(QUEUE_DROPPED, "queue" => "events").increment(1);
        }
    }

    fn channel() -> (Self, Receiver<Event>) {
        let (sender, told) = sync_channel(EVENTS);
        (Self { sender }, told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::controller::Level;

    #[test]
    fn a_log_that_nobody_reads_does_not_stop_the_kernel() {
        let (events, told) = Events::channel();
        for _ in 0..2 * EVENTS {
            let text = "a change".to_owned();
            events.tell(Event { level: Level::Info, kind: "leader", text, group: None });
        }
        assert_eq!(told.try_iter().count(), EVENTS);
    }
}
