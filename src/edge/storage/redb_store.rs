//! The store over redb: one file, one transaction per batch.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
    WriteTransaction,
};

use super::error::StoreError;
use super::{Store, limits, record};
use crate::kernel::consensus::{HardState, LogEntry, PersistBatch, Recovered};
use crate::kernel::domain::{Incarnation, MemberId};

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");

const FORMAT: &str = "format";
const IDENTITY: &str = "identity";
const BIRTH: &str = "birth";
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
    /// The ids of all members, in order.
    pub members: Vec<MemberId>,
}

impl Identity {
    /// Fails if a store of these members is not this one's.
    pub(super) fn check_members(&self, born: &[MemberId]) -> Result<(), StoreError> {
        if self.members == born {
            return Ok(());
        }
        let list = |members: &[MemberId]| {
            members.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        Err(StoreError::OtherMembers { born: list(born), file: list(&self.members) })
    }

    fn is_of(&self, other: &Self) -> bool {
        self.cluster == other.cluster && self.member == other.member
    }

    fn words(&self) -> String {
        format!("member {} of cluster {}", self.member, self.cluster)
    }
}

/// A store over redb.
///
/// Each batch is one transaction in two phases, each with a sync: what is torn as power goes is the transaction that was not
/// acknowledged, and the one before it counts. Whatever rots is refused when the file is opened, the newest transaction too,
/// because every page is verified then; but for one bit, see `docs/decisions/0014-two-phase-commits.md`.
#[derive(Debug)]
pub struct RedbStore {
    database: Database,
    /// Why nothing more is written: after a failure the state of the file is open until it is opened anew.
    broken: Option<String>,
}

/// Whether a file without a store in it may become one.
#[derive(Clone, Copy, Debug)]
enum Empty<'a> {
    /// It becomes this member's, born of this token.
    Becomes(&'a str),
    /// It has lost what it held.
    IsLost,
}

/// redb's errors: what is garbled is corrupt, everything else is a failure of the disk.
fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Corrupted(why) => StoreError::Corrupt(why),
        redb::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            StoreError::Corrupt("the file is cut short".to_owned())
        }
        other => StoreError::Failed(other.to_string()),
    }
}

/// redb means to return errors; where a garbled file makes it panic, that is an error too.
fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StoreError::Corrupt("its structure cannot be followed".to_owned())))
}

fn opened(result: Result<Database, DatabaseError>) -> Result<Database, StoreError> {
    result.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse,
        DatabaseError::Storage(redb::StorageError::Io(error))
            if error.kind() == io::ErrorKind::InvalidData =>
        {
            StoreError::Corrupt(format!("not a store: {error}"))
        }
        DatabaseError::UpgradeRequired(format) => StoreError::Newer(u64::from(format)),
        other => failed(other),
    })
}

/// Every page is verified at each open: a file that rotted while it was closed must not be trusted with votes.
fn builder(cache: usize) -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(cache).set_check_integrity_on_open(true);
    builder
}

/// Begins a write, to be committed in two phases. A commit of one phase that is damaged when the store is opened looks
/// like one that was torn, and the one before it counts: a vote would be forgotten. Of two phases the second is written
/// once the first is durable, so damage is damage.
fn writing(database: &Database) -> Result<WriteTransaction, StoreError> {
    let mut write = database.begin_write().map_err(failed)?;
    write.set_two_phase_commit(true);
    Ok(write)
}

impl RedbStore {
    /// Opens a store's file. A missing, an empty or a foreign one is refused.
    pub fn open_file(path: &Path, identity: &Identity) -> Result<Self, StoreError> {
        guarded(|| {
            let database = opened(builder(limits::CACHE_BYTES).open(path))?;
            Self::claim(database, identity, Empty::IsLost)
        })
    }

    /// Makes a store's file, born of a token.
    pub(super) fn make_file(
        path: &Path,
        identity: &Identity,
        token: &str,
    ) -> Result<Self, StoreError> {
        guarded(|| {
            let database = opened(builder(limits::CACHE_BYTES).create(path))?;
            Self::claim(database, identity, Empty::Becomes(token))
        })
    }

    /// Opens a store over any backend, or makes it: only a directory can tell a new disk from a wiped one.
    pub fn open_backend(
        backend: impl StorageBackend,
        identity: &Identity,
    ) -> Result<Self, StoreError> {
        guarded(|| {
            let database = opened(builder(1 << 20).create_with_backend(backend))?;
            Self::claim(database, identity, Empty::Becomes(""))
        })
    }

    /// Checks whose store it is.
    fn claim(
        database: Database,
        identity: &Identity,
        empty: Empty<'_>,
    ) -> Result<Self, StoreError> {
        let found = {
            let read = database.begin_read().map_err(failed)?;
            match read.open_table(META) {
                Ok(meta) => {
                    let format: u64 = must(get(&meta, FORMAT)?, FORMAT)?;
                    if format > limits::FORMAT {
                        return Err(StoreError::Newer(format));
                    }
                    let (cluster, member, members) = must(get(&meta, IDENTITY)?, IDENTITY)?;
                    Some(Identity { cluster, member, members })
                }
                Err(redb::TableError::TableDoesNotExist(_)) => None,
                Err(error) => return Err(StoreError::Corrupt(error.to_string())),
            }
        };
        match (found, empty) {
            (Some(owner), _) if owner.is_of(identity) => identity.check_members(&owner.members)?,
            (Some(owner), _) => {
                let (found, wanted) = (owner.words(), identity.words());
                return Err(StoreError::Foreign { found, wanted });
            }
            (None, Empty::Becomes(token)) => Self::found(&database, identity, token)?,
            (None, Empty::IsLost) => {
                return Err(StoreError::Corrupt("it does not say whose it is".to_owned()));
            }
        }
        Ok(Self { database, broken: None })
    }

    fn found(database: &Database, identity: &Identity, token: &str) -> Result<(), StoreError> {
        let write = writing(database)?;
        {
            let mut meta = write.open_table(META).map_err(failed)?;
            put(&mut meta, FORMAT, &limits::FORMAT)?;
            put(&mut meta, IDENTITY, &(&identity.cluster, identity.member, &identity.members))?;
            put(&mut meta, BIRTH, &token)?;
            put(&mut meta, INCARNATION, &Incarnation(0))?;
            put(&mut meta, HARD_STATE, &HardState::default())?;
            write.open_table(LOG).map_err(failed)?;
        }
        write.commit().map_err(failed)
    }

    /// The token that it was born of.
    pub(super) fn birth(&self) -> Result<String, StoreError> {
        guarded(|| {
            let read = self.database.begin_read().map_err(failed)?;
            let meta = read.open_table(META).map_err(failed)?;
            must(get(&meta, BIRTH)?, BIRTH)
        })
    }

    fn raise_incarnation(&self) -> Result<Incarnation, StoreError> {
        let write = writing(&self.database)?;
        let raised = {
            let mut meta = write.open_table(META).map_err(failed)?;
            let last: Incarnation = must(get(&meta, INCARNATION)?, INCARNATION)?;
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
            hard_state: must(get(&meta, HARD_STATE)?, HARD_STATE)?,
            snapshot: get(&meta, SNAPSHOT)?,
            entries: Vec::new(),
        };
        for row in log.iter().map_err(failed)? {
            let (index, bytes) = row.map_err(failed)?;
            let index = index.value();
            let entry: LogEntry = record::decode(&format!("entry {index}"), bytes.value())?;
            if entry.index != index {
                let why = format!("entry {} stands in the place of {index}", entry.index);
                return Err(StoreError::Corrupt(why));
            }
            recovered.entries.push(entry);
        }
        recovered.check().map_err(StoreError::Corrupt)?;
        Ok(recovered)
    }

    fn write(&self, batch: &PersistBatch) -> Result<(), StoreError> {
        let write = writing(&self.database)?;
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
        if let Some(why) = &self.broken {
            return Err(StoreError::Failed(format!("{why} (an earlier write)")));
        }
        let written = guarded(|| self.write(batch));
        if let Err(error) = &written {
            self.broken = Some(error.to_string());
        }
        written
    }
}

fn must<T>(found: Option<T>, what: &str) -> Result<T, StoreError> {
    found.ok_or_else(|| StoreError::Corrupt(format!("its record `{what}` is missing")))
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
