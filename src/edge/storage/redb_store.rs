//! The store over redb: one file, one transaction per batch.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
};

use super::error::StoreError;
use super::{Store, limits, record};
use crate::kernel::consensus::{HardState, LogEntry, PersistBatch, Recovered, SnapshotRecord};
use crate::kernel::domain::{Incarnation, MemberId};

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");

const FORMAT: &str = "format";
const IDENTITY: &str = "identity";
const INCARNATION: &str = "incarnation";
const HARD_STATE: &str = "hard-state";
const SNAPSHOT: &str = "snapshot";

/// Whose store it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster's name.
    pub cluster: String,
    /// The member's id.
    pub member: MemberId,
}

impl Identity {
    fn words(&self) -> String {
        format!("member {} of cluster {}", self.member, self.cluster)
    }
}

/// A store over redb.
#[derive(Debug)]
pub struct RedbStore {
    database: Database,
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(error.to_string())
}

/// redb means to return errors; where a garbled file makes it panic, that is an error too.
fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StoreError::Corrupt("its structure cannot be followed".to_owned())))
}

fn opened(result: Result<Database, DatabaseError>) -> Result<Database, StoreError> {
    result.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse,
        DatabaseError::Storage(redb::StorageError::Corrupted(why)) => StoreError::Corrupt(why),
        DatabaseError::Storage(redb::StorageError::Io(error))
            if error.kind() == std::io::ErrorKind::InvalidData =>
        {
            StoreError::Corrupt(format!("not a store: {error}"))
        }
        DatabaseError::UpgradeRequired(format) => StoreError::Newer(u64::from(format)),
        other => failed(other),
    })
}

impl RedbStore {
    /// Opens a store's file, or makes it.
    pub fn open_file(path: &Path, identity: &Identity) -> Result<Self, StoreError> {
        guarded(|| {
            let mut builder = Database::builder();
            builder.set_cache_size(limits::CACHE_BYTES);
            Self::claim(opened(builder.create(path))?, identity)
        })
    }

    /// Opens a store over any backend, or makes it.
    pub fn open_backend(
        backend: impl StorageBackend,
        identity: &Identity,
    ) -> Result<Self, StoreError> {
        guarded(|| {
            let mut builder = Database::builder();
            builder.set_cache_size(1 << 20);
            Self::claim(opened(builder.create_with_backend(backend))?, identity)
        })
    }

    /// Checks whose store it is; a fresh one becomes this member's.
    fn claim(database: Database, identity: &Identity) -> Result<Self, StoreError> {
        let found = {
            let read = database.begin_read().map_err(failed)?;
            match read.open_table(META) {
                Ok(meta) => {
                    let format: u64 = get(&meta, FORMAT)?.unwrap_or(0);
                    let owner: Option<(String, MemberId)> = get(&meta, IDENTITY)?;
                    Some((format, owner))
                }
                Err(redb::TableError::TableDoesNotExist(_)) => None,
                Err(error) => return Err(StoreError::Corrupt(error.to_string())),
            }
        };
        match found {
            Some((format, _)) if format > limits::FORMAT => return Err(StoreError::Newer(format)),
            Some((_, Some((cluster, member)))) => {
                let owner = Identity { cluster, member };
                if owner != *identity {
                    let (found, wanted) = (owner.words(), identity.words());
                    return Err(StoreError::Foreign { found, wanted });
                }
            }
            Some((_, None)) => {
                return Err(StoreError::Corrupt("it does not say whose it is".to_owned()));
            }
            None => Self::found(&database, identity)?,
        }
        Ok(Self { database })
    }

    fn found(database: &Database, identity: &Identity) -> Result<(), StoreError> {
        let write = database.begin_write().map_err(failed)?;
        {
            let mut meta = write.open_table(META).map_err(failed)?;
            put(&mut meta, FORMAT, &limits::FORMAT)?;
            put(&mut meta, IDENTITY, &(&identity.cluster, identity.member))?;
            write.open_table(LOG).map_err(failed)?;
        }
        write.commit().map_err(failed)
    }

    fn raise_incarnation(&self) -> Result<Incarnation, StoreError> {
        let write = self.database.begin_write().map_err(failed)?;
        let raised = {
            let mut meta = write.open_table(META).map_err(failed)?;
            let last: Incarnation = get(&meta, INCARNATION)?.unwrap_or_default();
            let raised = Incarnation(last.0 + 1);
            put(&mut meta, INCARNATION, &raised)?;
            raised
        };
        write.commit().map_err(failed)?;
        Ok(raised)
    }

    fn read(&self, incarnation: Incarnation) -> Result<Recovered, StoreError> {
        let read = self.database.begin_read().map_err(failed)?;
        let corrupt = |error: redb::TableError| StoreError::Corrupt(error.to_string());
        let meta = read.open_table(META).map_err(corrupt)?;
        let log = read.open_table(LOG).map_err(corrupt)?;
        let mut recovered = Recovered {
            incarnation,
            hard_state: get(&meta, HARD_STATE)?.unwrap_or_default(),
            snapshot: get(&meta, SNAPSHOT)?,
            entries: Vec::new(),
        };
        let mut expected = None;
        for row in log.iter().map_err(failed)? {
            let (index, bytes) = row.map_err(failed)?;
            let index = index.value();
            let entry: LogEntry = record::decode(&format!("entry {index}"), bytes.value())?;
            if entry.index != index || expected.is_some_and(|expected| expected != index) {
                return Err(StoreError::Corrupt(format!("the log is broken at entry {index}")));
            }
            expected = Some(index + 1);
            recovered.entries.push(entry);
        }
        check_whole(&recovered)?;
        Ok(recovered)
    }

    fn write(&self, batch: &PersistBatch) -> Result<(), StoreError> {
        let write = self.database.begin_write().map_err(failed)?;
        {
            let mut meta = write.open_table(META).map_err(failed)?;
            let mut log = write.open_table(LOG).map_err(failed)?;
            if let Some(snapshot) = &batch.snapshot {
                put(&mut meta, SNAPSHOT, snapshot)?;
            }
            if batch.reset_log {
                log.retain(|_, _| false).map_err(failed)?;
            }
            if let Some(first) = batch.first_index {
                log.retain_in(..first, |_, _| false).map_err(failed)?;
            }
            if let Some(first) = batch.entries.first() {
                log.retain_in(first.index.., |_, _| false).map_err(failed)?;
            }
            for entry in &batch.entries {
                let bytes = record::encode(entry)?;
                log.insert(entry.index, bytes.as_slice()).map_err(failed)?;
            }
            if let Some(state) = &batch.hard_state {
                put::<HardState>(&mut meta, HARD_STATE, state)?;
            }
        }
        write.commit().map_err(failed)
    }
}

impl Store for RedbStore {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        guarded(|| {
            let incarnation = self.raise_incarnation()?;
            self.read(incarnation)
        })
    }

    fn persist(&mut self, batch: &PersistBatch) -> Result<(), StoreError> {
        guarded(|| self.write(batch))
    }
}

/// The log must reach down to the snapshot, and the commit index must be in it.
fn check_whole(recovered: &Recovered) -> Result<(), StoreError> {
    let floor = recovered.snapshot.as_ref().map_or(0, |snapshot: &SnapshotRecord| snapshot.index);
    let first = recovered.entries.first().map_or(floor + 1, |entry| entry.index);
    let last = recovered.entries.last().map_or(floor, |entry| entry.index).max(floor);
    if first > floor + 1 {
        return Err(StoreError::Corrupt(format!(
            "entries {} to {} are missing above the snapshot",
            floor + 1,
            first - 1
        )));
    }
    if recovered.hard_state.commit > last {
        return Err(StoreError::Corrupt(format!(
            "entry {} was committed, and the log ends at {last}",
            recovered.hard_state.commit
        )));
    }
    Ok(())
}

fn get<T: serde::de::DeserializeOwned>(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    key: &str,
) -> Result<Option<T>, StoreError> {
    let found = meta.get(key).map_err(failed)?;
    found.map(|bytes| record::decode(key, bytes.value())).transpose()
}

fn put<T: serde::Serialize>(
    meta: &mut redb::Table<'_, &'static str, &'static [u8]>,
    key: &'static str,
    value: &T,
) -> Result<(), StoreError> {
    let bytes = record::encode(value)?;
    meta.insert(key, bytes.as_slice()).map_err(failed)?;
    Ok(())
}
