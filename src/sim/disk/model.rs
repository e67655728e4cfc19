//! A store as simple as it can be: what a start would find, in memory.

use crate::kernel::consensus::{PersistBatch, Recovered};

/// The model of a store.
#[derive(Clone, Debug, Default)]
pub struct ModelStore {
    holds: Recovered,
}

impl ModelStore {
    /// Carries out a batch's fields in the order in which they stand in [`PersistBatch`].
    pub fn write(&mut self, batch: &PersistBatch) {
        let holds = &mut self.holds;
        if let Some(snapshot) = &batch.snapshot {
            holds.snapshot = Some(snapshot.clone());
        }
        if batch.reset_log {
            holds.entries.clear();
        }
        if let Some(first) = batch.first_index {
            holds.entries.retain(|entry| entry.index >= first);
        }
        if let Some(first) = batch.entries.first() {
            while holds.entries.last().is_some_and(|entry| entry.index >= first.index) {
                holds.entries.pop();
            }
            holds.entries.extend(batch.entries.iter().cloned());
        }
        if let Some(state) = batch.hard_state {
            holds.hard_state = state;
        }
    }

    /// Raises the incarnation and says what is held.
    pub fn open(&mut self) -> Recovered {
        self.holds.incarnation.0 += 1;
        let mut found = self.holds.clone();
        // Below a snapshot the log may still hold a tail; a start needs only what is above.
        let above = found.snapshot.as_ref().map_or(0, |snapshot| snapshot.index);
        found.entries.retain(|entry| entry.index > above);
        found
    }
}
