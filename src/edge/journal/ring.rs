//! Writing: one segment after the other, the oldest deleted when the ring is full.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::block::{self, Kind};
use super::read::list;
use super::{End, Header, Turns, limits};

/// Why something is not in the ring.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The disk.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The kernel's state takes too large a part of the ring.
    #[error(
        "the state of this cluster takes {kernel} bytes, and the journal may take {limit}: give it more \
             (`journal_mib` in node.toml)"
    )]
    TooSmall {
        /// Of the state, packed.
        kernel: u64,
        /// Of the ring.
        limit: u64,
    },
    /// The segment has its full length, and none has followed.
    #[error("the kernel was never at rest for a new segment to begin")]
    Full,
}

/// The ring of one node.
#[derive(Debug)]
pub struct Ring {
    dir: PathBuf,
    limit: u64,
    /// Segments that ended, oldest first, with their bytes.
    ended: VecDeque<(PathBuf, u64)>,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Of them, those before the first turn.
    kernel: u64,
}

impl Ring {
    /// A ring of at most `limit` bytes in this directory; makes the directory, and room if there is too much in it.
    pub fn open(dir: &Path, limit: u64) -> io::Result<Self> {
        DirBuilder::new().mode(0o700).recursive(true).create(dir)?;
        // One that was made by hand, too. Only its owner can: whoever else runs a node here goes on.
        let _ = fs::set_permissions(dir, Permissions::from_mode(0o700));
        let mut ended = VecDeque::new();
        for path in list(dir)? {
            let bytes = fs::metadata(&path)?.len();
            ended.push_back((path, bytes));
        }
        let mut ring = Self { dir: dir.to_owned(), limit, ended, current: None };
        ring.make_room(0)?;
        Ok(ring)
    }

    /// Bytes on the disk.
    pub fn bytes(&self) -> u64 {
        let ended: u64 = self.ended.iter().map(|(_, bytes)| bytes).sum();
        ended + self.current.as_ref().map_or(0, |current| current.bytes)
    }

    /// Whether the segment is long enough, so that another one should begin.
    pub fn wants_another(&self) -> bool {
        self.current.as_ref().is_some_and(|current| {
            current.bytes >= (self.limit / limits::SEGMENTS).max(2 * current.kernel)
        })
    }

    /// Whether a segment is being written.
    pub const fn writes(&self) -> bool {
        self.current.is_some()
    }

    /// Begins a segment; one that was being written is left as it is.
    pub fn begin(&mut self, header: &Header, kernel: &[u8]) -> Result<(), RingError> {
        self.leave();
        let mut front = block::pack(Kind::Header, &to_json(header)?);
        front.extend(block::pack(Kind::Beginning, kernel));
        let bytes = front.len() as u64;
        if bytes > self.limit / limits::KERNEL_PART {
            return Err(RingError::TooSmall { kernel: bytes, limit: self.limit });
        }
        self.make_room(bytes)?;
        let name = format!("{:010}-{:06}.journal", header.incarnation.0, header.segment);
        let path = self.dir.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        self.current = Some(Current { path, file, bytes: 0, kernel: bytes });
        self.write(&front)
    }

    /// Adds turns to the segment.
    pub fn append(&mut self, turns: &Turns) -> Result<(), RingError> {
        let content = postcard::to_stdvec(turns).map_err(io::Error::other)?;
        let bytes = block::pack(Kind::Turns, &content);
        let most = self.limit / limits::SEGMENT_PART;
        if self.current.as_ref().is_some_and(|c| c.bytes + bytes.len() as u64 > most) {
            return Err(RingError::Full);
        }
        self.make_room(bytes.len() as u64)?;
        self.write(&bytes)
    }

    /// Ends the segment.
    pub fn end(&mut self, end: &End) -> Result<(), RingError> {
        if self.current.is_none() {
            return Ok(());
        }
        let bytes = block::pack(Kind::End, &to_json(end)?);
        self.make_room(bytes.len() as u64)?;
        self.write(&bytes)?;
        self.leave();
        Ok(())
    }

    /// Writes no more to the segment. After an error this cuts off what was half written, as far as that is possible.
    pub fn leave(&mut self) {
        if let Some(Current { path, file, bytes, .. }) = self.current.take() {
            // The reader knows what to make of half a block.
            let _ = file.set_len(bytes);
            self.ended.push_back((path, bytes));
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), RingError> {
        let Some(current) = &mut self.current else { return Ok(()) };
        match current.file.write_all(bytes) {
            Ok(()) => {
                current.bytes += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.leave();
                Err(error.into())
            }
        }
    }

    /// Deletes the oldest segments until so many bytes fit, and one more segment: a node that starts again and again
    /// writes many small ones.
    fn make_room(&mut self, bytes: u64) -> io::Result<()> {
        while self.bytes() + bytes > self.limit || self.ended.len() >= limits::FILES {
            let Some((oldest, _)) = self.ended.front() else { break };
            match fs::remove_file(oldest) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.ended.pop_front(),
            };
        }
        Ok(())
    }
}

fn to_json(value: &impl serde::Serialize) -> io::Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(io::Error::other)
}
