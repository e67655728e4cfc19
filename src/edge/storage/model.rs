//! The model log: what a store means, without a disk. The simulator uses it for most seeds, and the crash tests
//! check it against redb.

use std::sync::{Arc, Mutex, PoisonError};

use super::Store;
use super::error::StoreError;
use crate::kernel::consensus::{PersistBatch, Recovered};

/// A store in memory. Clones share what is durable, so a clone is the same disk after a restart.
#[derive(Clone, Debug, Default)]
pub struct ModelStore {
    durable: Arc<Mutex<Recovered>>,
}

impl ModelStore {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is durable now.
    pub fn durable(&self) -> Recovered {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Store for ModelStore {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        durable.incarnation.0 += 1;
        Ok(durable.clone())
    }

    fn persist(&mut self, batch: &PersistBatch) -> Result<(), StoreError> {
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
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
        Ok(())
    }
}
