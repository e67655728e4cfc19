//! The model log: what a store means, without a disk. The simulator uses it for most seeds, and the crash tests
//! check it against redb.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Store;
use super::error::StoreError;
use crate::kernel::consensus::{PersistBatch, Recovered};

/// A store in memory. Clones share what is durable, so a clone is the same disk after a restart.
#[derive(Clone, Debug, Default)]
pub struct ModelStore(Arc<Mutex<Model>>);

#[derive(Debug, Default)]
struct Model {
    durable: Recovered,
    crash: Option<Crash>,
    off: bool,
}

/// Power goes at a write.
#[derive(Clone, Copy, Debug)]
struct Crash {
    /// Writes that are still acknowledged.
    after: u64,
    /// Whether the write at which it goes is done, though nobody is told.
    kept: bool,
}

impl ModelStore {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is durable now.
    pub fn durable(&self) -> Recovered {
        self.model().durable.clone()
    }

    /// The power goes after this many more writes, and fails every write until the next [`Store::recover`]. The
    /// first of them is done all the same if `kept`.
    pub fn crash_after(&self, writes: u64, kept: bool) {
        self.model().crash = Some(Crash { after: writes, kept });
    }
}

impl Model {
    fn keep(&mut self, batch: &PersistBatch) {
        let durable = &mut self.durable;
        if let Some(snapshot) = &batch.snapshot {
            durable.snapshot = Some(snapshot.clone());
        }
        if batch.reset_log {
            durable.entries.clear();
        }
        if let Some(first) = batch.first_index {
            let keep = durable.entries.partition_point(|entry| entry.index < first);
            durable.entries.drain(..keep);
        }
        if let Some(first) = batch.entries.first() {
            let keep = durable.entries.partition_point(|entry| entry.index < first.index);
            durable.entries.truncate(keep);
            durable.entries.extend(batch.entries.iter().cloned());
        }
        if let Some(state) = batch.hard_state {
            durable.hard_state = state;
        }
    }
}

impl Store for ModelStore {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        let mut model = self.model();
        model.off = false;
        model.crash = None;
        model.durable.incarnation.0 += 1;
        model.durable.check().map_err(StoreError::Corrupt)?;
        Ok(model.durable.clone())
    }

    fn persist(&mut self, batch: &PersistBatch) -> Result<(), StoreError> {
        let mut model = self.model();
        let lost = || Err(StoreError::Failed("simulated loss of power".to_owned()));
        if model.off {
            return lost();
        }
        match &mut model.crash {
            Some(Crash { after: 0, kept }) => {
                let kept = *kept;
                model.off = true;
                if kept {
                    model.keep(batch);
                }
                lost()
            }
            Some(Crash { after, .. }) => {
                *after -= 1;
                model.keep(batch);
                Ok(())
            }
            None => {
                model.keep(batch);
                Ok(())
            }
        }
    }
}
