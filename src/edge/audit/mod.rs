//! The audit trail's disk (F5): every entry of the log as it was applied, in files of lines, each linked to the one before
//! by the chain's hash.
//!
//! ```text
//! DIR/audit/00000000000000000012.jsonl      one segment, named after its first entry
//!
//! line = {"index":12,"term":3,"before":HEAD,"head":HEAD,"entry":TEXT}
//! HEAD = hex of SHA-256(HEAD before ‖ index ‖ term ‖ bytes of TEXT), numbers as 8 bytes big-endian
//! ```
//!
//! The log itself is compacted; this is kept, up to a limit, oldest segments going first. A line that a crash tore is cut
//! off when the archive is opened, and written again from the log as far as it reaches back. Where something is
//! missing (a member that took over a snapshot, a disk that was full, a line that the disk damaged) a new segment begins, and its first line's
//! `before` is not the last line's `head`: who reads sees the gap, and other members have what is missing here.

mod mend;
mod read;
#[cfg(test)]
mod tests;

pub use read::page;

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::kernel::ledger::AuditRecord;

/// The directory of the archive in a node's data directory.
pub const AUDIT_DIR: &str = "audit";

/// Limits of the archive.
pub mod limits {
    /// Bytes after which another segment begins, or the part [`SEGMENTS`] of the archive's limit if that is less.
    pub const SEGMENT_BYTES: u64 = 4 << 20;
    /// See [`SEGMENT_BYTES`].
    pub const SEGMENTS: u64 = 4;
    /// Lines of one answer.
    pub const PAGE_LINES: usize = 500;
    /// Bytes of one answer; one line may have more.
    pub const PAGE_BYTES: usize = 2 << 20;
    /// Damaged segments that are kept for evidence; with so many of them nothing is written until a person looked.
    pub const DAMAGED_KEPT: usize = 8;
}

/// The writer of one node's archive.
#[derive(Debug)]
pub struct Archive {
    dir: PathBuf,
    /// Bytes that all segments may take.
    limit: u64,
    segment: Option<Segment>,
    /// Index and head of the last line.
    last: Option<(u64, String)>,
    /// Whether something was written since it was last made durable.
    dirty: bool,
}

#[derive(Debug)]
struct Segment {
    file: File,
    bytes: u64,
}

impl Archive {
    /// Opens the archive in a data directory; what is torn at its end is cut off. A last segment in which a line is not
    /// what was written there is set aside as it is, and its sound lines are written anew: believed, a damaged index
    /// would be the last one for ever.
    ///
    /// # Errors
    /// When the directory or its last segment cannot be read or written, or too many damaged ones are kept.
    pub fn open(data_dir: &Path, limit: u64) -> io::Result<Self> {
        let dir = data_dir.join(AUDIT_DIR);
        DirBuilder::new().mode(0o700).recursive(true).create(&dir)?;
        close_to_others(&dir);
        let mut archive = Self { dir, limit, segment: None, last: None, dirty: false };
        let Some((path, _)) = segments(&archive.dir)?.pop() else { return Ok(archive) };
        let mut found = mend::read(&path, |_| Ok(()))?;
        if let Some((number, what)) = found.damage {
            let aside = mend::set_aside(&path)?;
            tracing::error!(
                "line {number} of {} is damaged: {what}. The file is kept as {}; the sound lines are written anew, and \
                 what is lost other members have. See the disk",
                path.display(),
                aside.display()
            );
            if found.last.is_none() {
                return Self::open(data_dir, limit);
            }
            found = mend::read(&path, |_| Ok(()))?;
        }
        let file = OpenOptions::new().append(true).open(&path)?;
        file.set_len(found.whole)?;
        archive.segment = Some(Segment { file, bytes: found.whole });
        archive.last = found.last;
        Ok(archive)
    }

    /// Writes one entry. What is there already is passed over.
    ///
    /// # Errors
    /// When the disk does not take it: the archive must be opened anew.
    pub fn append(&mut self, record: &AuditRecord) -> io::Result<()> {
        let fits = match &self.last {
            Some((index, _)) if record.index <= *index => return Ok(()),
            Some((_, head)) => *head == record.before,
            None => false,
        };
        let line = record.line();
        let mut text = serde_json::to_string(&line).map_err(io::Error::other)?;
        text.push('\n');
        let full = self.segment.as_ref().is_none_or(|open| open.bytes >= self.segment_bytes());
        if !fits || full {
            self.begin(record.index)?;
        }
        let segment = self.segment.as_mut().ok_or_else(|| io::Error::other("no segment"))?;
        segment.file.write_all(text.as_bytes())?;
        segment.bytes += text.len() as u64;
        self.last = Some((line.index, line.head));
        self.dirty = true;
        Ok(())
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// When the disk does not.
    pub fn sync(&mut self) -> io::Result<()> {
        if let Some(segment) = self.segment.as_ref().filter(|_| self.dirty) {
            segment.file.sync_data()?;
            self.dirty = false;
        }
        Ok(())
    }

    fn segment_bytes(&self) -> u64 {
        limits::SEGMENT_BYTES.min(self.limit / limits::SEGMENTS)
    }

    fn begin(&mut self, index: u64) -> io::Result<()> {
        self.sync()?;
        let path = self.dir.join(format!("{index:020}.jsonl"));
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        // A file of this name that was there holds no whole line: its lines would have been the last.
        file.set_len(0)?;
        self.segment = Some(Segment { file, bytes: 0 });
        let mut all = segments(&self.dir)?;
        let mut total: u64 = all.iter().map(|(_, bytes)| bytes).sum();
        all.pop();
        for (path, bytes) in all {
            if total + self.segment_bytes() <= self.limit {
                break;
            }
            fs::remove_file(path)?;
            total -= bytes;
        }
        Ok(())
    }
}

/// Takes what an earlier version left open to others from them: the trail holds names, addresses and hashes of tokens.
fn close_to_others(dir: &Path) {
    let mut all = vec![(dir.to_owned(), 0o700)];
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        all.push((entry.path(), 0o600));
    }
    for (path, mode) in all {
        // Only the owner can; whoever else runs a node here reads and writes as before.
        let _ = fs::set_permissions(path, Permissions::from_mode(mode));
    }
}

/// The segments with their sizes, oldest first.
fn segments(dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if first_of(&path).is_some() {
            all.push((path, entry.metadata()?.len()));
        }
    }
    all.sort();
    Ok(all)
}

/// The first entry of a segment, by its name.
fn first_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
    (name.len() == 20).then(|| name.parse().ok()).flatten()
}
