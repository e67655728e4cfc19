//! The data directory of an observer beside the members: one number, raised durably at each start.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::error::StoreError;
use crate::kernel::domain::Incarnation;

/// The number's file.
const FILE: &str = "incarnation";
/// The next one, until it is durable.
const NEXT: &str = "incarnation.new";
/// Longest content, in bytes.
const BYTES: u64 = 256;

/// The directory, as long as this process may use it.
#[derive(Debug)]
pub struct Incarnations {
    /// The lock goes with the handle.
    _dir: File,
    /// This process's number.
    pub incarnation: Incarnation,
}

/// Raises the number of this observer. `whose` stands in the file, so that a directory is not used for another.
///
/// # Errors
/// The directory is another's, in use, or what is in it cannot be read or written.
pub fn raise_incarnation(dir: &Path, whose: &str) -> Result<Incarnations, StoreError> {
    let failed = |error: io::Error| StoreError::Failed(format!("{}: {error}", dir.display()));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    let handle = File::open(dir).map_err(failed)?;
    handle.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => StoreError::InUse,
        TryLockError::Error(error) => failed(error),
    })?;
    let last = match read(&dir.join(FILE)) {
        Ok(text) => parse(&text, whose)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(failed(error)),
    };
    let number = last.checked_add(1).ok_or_else(|| corrupt("its number is too large"))?;
    let text = format!("{number} {whose}\n");
    if text.len() as u64 > BYTES {
        return Err(corrupt("it would be too long to be read again"));
    }
    write(dir, &handle, &text).map_err(failed)?;
    Ok(Incarnations { _dir: handle, incarnation: Incarnation(number) })
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(BYTES + 1).read_to_string(&mut text)?;
    Ok(text)
}

fn parse(text: &str, whose: &str) -> Result<u64, StoreError> {
    if text.len() as u64 > BYTES {
        return Err(corrupt("it is too long"));
    }
    let line = text.strip_suffix('\n').ok_or_else(|| corrupt("it is cut off"))?;
    let (number, owner) = line.split_once(' ').ok_or_else(|| corrupt("it has no number"))?;
    let number = number.parse().map_err(|_| corrupt("it has no number"))?;
    if owner != whose {
        let (found, wanted) = (owner.to_owned(), whose.to_owned());
        return Err(StoreError::Foreign { found, wanted });
    }
    Ok(number)
}

fn corrupt(what: &str) -> StoreError {
    StoreError::Observer(what.to_owned())
}

/// Under another name first: a crash leaves the old number or the new one, never half of it.
fn write(dir: &Path, handle: &File, text: &str) -> io::Result<()> {
    let next = dir.join(NEXT);
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&next)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&next, dir.join(FILE))?;
    handle.sync_all()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// A program that another test starts has what is open here until it is executed: so the lock may go a little later
    /// than its holder.
    fn raised(dir: &Path, whose: &str) -> Result<Incarnations, StoreError> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            match raise_incarnation(dir, whose) {
                Err(StoreError::InUse) if Instant::now() < end => std::thread::yield_now(),
                other => return other,
            }
        }
    }

    #[test]
    fn each_start_has_a_greater_number_and_a_directory_has_one_owner_and_one_process() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        for number in 1..=3 {
            let raised = raised(&dir, "observer x of cluster shop").unwrap();
            assert_eq!(raised.incarnation, Incarnation(number));
            let second = raise_incarnation(&dir, "observer x of cluster shop");
            assert!(matches!(second, Err(StoreError::InUse)), "{second:?}");
        }
        let other = raised(&dir, "observer y of cluster shop");
        assert!(matches!(other, Err(StoreError::Foreign { .. })), "{other:?}");
        for torn in ["", "7", "7 observer x of cluster shop", "x observer x of cluster shop\n"] {
            fs::write(dir.join(FILE), torn).unwrap();
            let refused = raised(&dir, "observer x of cluster shop");
            assert!(matches!(refused, Err(StoreError::Observer(_))), "{torn:?}: {refused:?}");
        }
    }

    #[test]
    fn content_of_the_limit_is_read_again_and_a_byte_more_is_neither_written_nor_read() {
        let bytes = usize::try_from(BYTES).unwrap();
        let longest = "x".repeat(bytes - "1 \n".len());
        let temp = tempfile::tempdir().unwrap();
        for number in 1..=9 {
            let raised = raised(temp.path(), &longest).unwrap();
            assert_eq!(raised.incarnation, Incarnation(number));
        }
        let file = temp.path().join(FILE);
        assert_eq!(fs::read(&file).unwrap().len(), bytes);
        let tenth = raised(temp.path(), &longest);
        assert!(matches!(tenth, Err(StoreError::Observer(_))), "{tenth:?}");
        assert_eq!(fs::read(&file).unwrap().len(), bytes, "what was there is there");
        fs::write(&file, format!("1 {longest}\n\n")).unwrap();
        let refused = raised(temp.path(), &longest);
        assert!(refused.expect_err("a byte too long").to_string().contains("it is too long"));
    }
}
