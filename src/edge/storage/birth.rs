//! A raft id belongs to one disk: `init` puts a one-time token into each data directory, the first start turns
//! it into a store. Without token and store a node refuses to start.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::error::StoreError;
use super::redb_store::{Identity, RedbStore};

/// The token's file in a data directory.
pub const BIRTH_TOKEN_FILE: &str = "birth-token";
/// The store's file there.
pub const STORE_FILE: &str = "biplane.redb";
/// A store that is being born.
const UNBORN_FILE: &str = "biplane.redb.new";

/// Opens the store of a data directory; spends the birth token if the store is not yet there.
///
/// The store is made under another name and renamed, so a crash in between leaves either the token or the
/// store, never a store without an owner.
pub fn open_dir(dir: &Path, identity: &Identity) -> Result<RedbStore, StoreError> {
    let failed = |error: io::Error| StoreError::Failed(format!("{}: {error}", dir.display()));
    let (token, store) = (dir.join(BIRTH_TOKEN_FILE), dir.join(STORE_FILE));
    if !store.try_exists().map_err(failed)? {
        if !token.try_exists().map_err(failed)? {
            return Err(StoreError::NoBirth(dir.to_owned()));
        }
        let unborn = dir.join(UNBORN_FILE);
        match fs::remove_file(&unborn) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        drop(RedbStore::open_file(&unborn, identity)?);
        File::open(&unborn).and_then(|file| file.sync_all()).map_err(failed)?;
        fs::rename(&unborn, &store).map_err(failed)?;
        sync_dir(dir).map_err(failed)?;
    }
    match fs::remove_file(&token) {
        Ok(()) => sync_dir(dir).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    RedbStore::open_file(&store, identity)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
