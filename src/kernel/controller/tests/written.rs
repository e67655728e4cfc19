//! What a disk holds after a batch.

use crate::kernel::consensus::{PersistBatch, Recovered};

/// What a disk does with a batch, in order.
pub(super) fn write(disk: &mut Recovered, batch: PersistBatch) {
    if let Some(snapshot) = batch.snapshot {
        disk.snapshot = Some(snapshot);
    }
    if batch.reset_log {
        disk.entries.clear();
    }
    if let Some(first) = batch.first_index {
        disk.entries.retain(|entry| entry.index >= first);
    }
    if let Some(first) = batch.entries.first() {
        disk.entries.retain(|entry| entry.index < first.index);
        disk.entries.extend(batch.entries);
    }
    if let Some(state) = batch.hard_state {
        disk.hard_state = state;
    }
}
