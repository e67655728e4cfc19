//! A raft id belongs to one disk: `init` puts a one-time token into each data directory, the first start turns
//! it into a store. Without token and store a node refuses to start.
//!
//! The token also says who the members are, and so does the store that is born of it: until the first snapshot
//! the voters are those of the cluster file, and a member whose file has lost the others would elect itself.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::error::StoreError;
use super::redb_store::{Identity, RedbStore};
use crate::kernel::domain::MemberId;

/// The token's file in a data directory.
pub const BIRTH_TOKEN_FILE: &str = "birth-token";
/// The store's file there.
pub const STORE_FILE: &str = "biplane.redb";
/// A store that is being born.
const UNBORN_FILE: &str = "biplane.redb.new";
/// What stands between a token's random part and the members' ids.
const MEMBERS: &str = " members=";
/// Longest token, in bytes.
pub(super) const TOKEN_BYTES: u64 = 256;

/// The text of a birth token: random bytes, at least 16, in hexadecimal digits, and the members' ids.
pub fn birth_token(entropy: &[u8], members: impl IntoIterator<Item = MemberId>) -> String {
    let mut token = String::new();
    for byte in entropy {
        let _ = write!(token, "{byte:02x}");
    }
    token.push_str(MEMBERS);
    for (place, member) in members.into_iter().enumerate() {
        let _ = write!(token, "{}{member}", if place == 0 { "" } else { "," });
    }
    token
}

/// The members that a token names.
fn members_of(token: &str) -> Option<Vec<MemberId>> {
    let (_, members) = token.split_once(MEMBERS)?;
    members.split(',').map(|id| id.parse().ok().map(MemberId)).collect()
}

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
    // An earlier version left it open to others. Only the owner can close it: whoever else runs a node here goes on.
    let _ = fs::set_permissions(&path, Permissions::from_mode(0o600));
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
    let born = members_of(token).ok_or_else(|| StoreError::NoToken(dir.to_owned()))?;
    identity.check_members(&born)?;
    let unborn = dir.join(UNBORN_FILE);
    match fs::remove_file(&unborn) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    // The store is for its owner only, whatever the umask: it holds the log.
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unborn);
    drop(made.map_err(failed)?);
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
