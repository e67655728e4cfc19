//! The last segment of an archive, when it is opened: a line that a crash tore is cut off; a line that the disk damaged
//! is taken out, and the segment as it was is kept beside, for evidence.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::limits::DAMAGED_KEPT;
use crate::kernel::ledger::AuditLine;

/// Stands behind the name of a segment that is kept for evidence, with a number behind it.
const DAMAGED: &str = "damaged";
/// Of a segment that is being written anew.
const MENDING: &str = "mending";

/// What a segment holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Bytes of its whole lines.
    pub(super) whole: u64,
    /// Index and head of its last sound line.
    pub(super) last: Option<(u64, String)>,
    /// The first line that is not what was written there: its number, from 1, and what is wrong with it.
    pub(super) damage: Option<(u64, &'static str)>,
}

/// Reads a segment; each sound line goes to `sound`.
pub(super) fn read(
    path: &Path,
    mut sound: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Found> {
    let mut found = Found::default();
    let mut reader = BufReader::new(File::open(path)?);
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        reader.read_until(b'\n', &mut bytes)?;
        if bytes.last() != Some(&b'\n') {
            break;
        }
        found.whole += bytes.len() as u64;
        match serde_json::from_slice::<AuditLine>(&bytes) {
            Ok(line) if line.is_sound() => {
                sound(&bytes)?;
                found.last = Some((line.index, line.head));
            }
            Ok(_) => {
                found.damage.get_or_insert((number, "its bytes are not those that were chained"));
            }
            Err(_) => {
                found.damage.get_or_insert((number, "it is no entry of the log"));
            }
        }
    }
    Ok(found)
}

/// Keeps a damaged segment under another name, which it gives, and leaves its sound lines, if there are any, under its own.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = keep(path)?;
    let mending = with(path, MENDING);
    let file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&mending)?;
    let mut out = BufWriter::new(file);
    let found = read(path, |line| out.write_all(line))?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    if found.last.is_some() {
        fs::rename(&mending, path)?;
    } else {
        fs::remove_file(&mending)?;
        fs::remove_file(path)?;
    }
    if let Some(dir) = path.parent() {
        File::open(dir)?.sync_all()?;
    }
    Ok(aside)
}

/// Gives a file a second name that nothing had, so that nothing is ever overwritten.
fn keep(path: &Path) -> io::Result<PathBuf> {
    let dir = path.parent().unwrap_or_else(|| Path::new("."));
    let mut kept = 0;
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        kept += usize::from(name.to_string_lossy().contains(&format!(".jsonl.{DAMAGED}-")));
    }
    if kept >= DAMAGED_KEPT {
        return Err(io::Error::other(format!(
            "{kept} damaged files are kept in {} already: see the disk, and move them away",
            dir.display()
        )));
    }
    for number in 1_usize.. {
        let aside = with(path, &format!("{DAMAGED}-{number}"));
        match fs::hard_link(path, &aside) {
            Ok(()) => return Ok(aside),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("every name is taken"))
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}
