//! The edge's disk (F5): consensus' records in one file, a transaction per batch.
//!
//! [`Store`] is the trait behind which the simulator puts its own disks; [`RedbStore`] is the one of production,
//! and runs in the simulator too, over a [`redb::StorageBackend`] that loses, tears and fails.

mod birth;
mod error;
mod incarnation;
mod model;
mod record;
mod redb_store;
mod sim_disk;

#[cfg(test)]
mod tests;

pub use birth::{BIRTH_TOKEN_FILE, STORE_FILE, birth_token, open_dir};
pub use error::StoreError;
pub use incarnation::{Incarnations, raise_incarnation};
pub use model::ModelStore;
pub use redb_store::{Identity, RedbStore};
pub use sim_disk::{DiskCounts, DiskFaults, SimDisk};

use crate::kernel::consensus::{PersistBatch, Recovered};

/// Limits of the store.
pub mod limits {
    /// Memory that the store's page cache may take: told to redb, which keeps to it.
    pub const CACHE_BYTES: usize = 16 << 20;
    /// The format that this version writes, and the newest that it reads.
    pub const FORMAT: u64 = 1;
}

/// A member's disk.
pub trait Store: Send {
    /// Reads everything, after it has raised the incarnation durably: called once, at the start of a process.
    fn recover(&mut self) -> Result<Recovered, StoreError>;

    /// Writes one batch, atomically and durably. After an error the store must be opened anew.
    fn persist(&mut self, batch: &PersistBatch) -> Result<(), StoreError>;
}
