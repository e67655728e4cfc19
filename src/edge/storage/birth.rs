//! A raft id belongs to one disk: `init` puts a one-time token into each data directory, the first start turns
//! it into a store. Without token and store a node refuses to start.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::Path;

use super::error::StoreError;
use super::redb_store::{Identity, RedbStore};

/// The token's file in a data directory.
pub const BIRTH_TOKEN_FILE: &str = "birth-token";
/// The store's file there.
pub const STORE_FILE: &str = "biplane.redb";
/// A store that is being born.
const UNBORN_FILE: &str = "biplane.redb.new";
/// Longest token, in bytes.
const TOKEN_BYTES: u64 = 256;

/// Opens the store of a data directory; spends the birth token if the store is not yet there.
///
/// The store is made under another name, with the token in it, and renamed, so a crash in between leaves the token
/// or the store or both, never neither. A store that is there is never made anew, however little is in its file.
pub fn open_dir(dir: &Path, identity: &Identity) -> Result<RedbStore, StoreError> {
    let failed = |error: io::Error| StoreError::Failed(format!("{}: {error}", dir.display()));
    if !dir.try_exists().map_err(failed)? {
        return Err(StoreError::NoBirth(dir.to_owned()));
    }
    // Of two processes only one may give birth. The lock goes with the handle.
    let handle = File::open(dir).map_err(failed)?;
    handle.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => StoreError::InUse,
        TryLockError::Error(error) => failed(error),
    })?;
    let path = dir.join(STORE_FILE);
    let token = read_token(&dir.join(BIRTH_TOKEN_FILE)).map_err(failed)?;
    if !path.try_exists().map_err(failed)? {
        let token = token.as_ref().ok_or_else(|| StoreError::NoBirth(dir.to_owned()))?;
        give_birth(dir, &path, identity, token)?;
        handle.sync_all().map_err(failed)?;
    }
    let store = RedbStore::open_file(&path, identity)?;
    if let Some(token) = token {
        if store.birth()? != token {
            return Err(StoreError::OtherBirth(dir.to_owned()));
        }
        fs::remove_file(dir.join(BIRTH_TOKEN_FILE)).map_err(failed)?;
        handle.sync_all().map_err(failed)?;
    }
    Ok(store)
}

fn give_birth(dir: &Path, path: &Path, identity: &Identity, token: &str) -> Result<(), StoreError> {
    let failed = |error: io::Error| StoreError::Failed(format!("{}: {error}", dir.display()));
    let unborn = dir.join(UNBORN_FILE);
    match fs::remove_file(&unborn) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    drop(RedbStore::make_file(&unborn, identity, token)?);
    File::open(&unborn).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(&unborn, path).map_err(failed)
}

/// The token, if there is one.
fn read_token(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut token = String::new();
    file.take(TOKEN_BYTES + 1).read_to_string(&mut token)?;
    if token.len() as u64 > TOKEN_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "{BIRTH_TOKEN_FILE} is longer than {TOKEN_BYTES} bytes, so it is no birth token"
            ),
        ));
    }
    Ok(Some(token.trim().to_owned()))
}
