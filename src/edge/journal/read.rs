//! Reading: the segments of a directory, and what stands in each. The node may be writing while this reads.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::block::{self, BlockError, Kind};
use super::{Beginning, End, Header, JOURNAL_DIR, Turns, limits, read_kernel};

/// A directory with a journal in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Where the segments are.
    pub dir: PathBuf,
    /// Each of them, oldest first.
    pub segments: Vec<PathBuf>,
}

/// Finds the journal in a data directory, or in its own.
pub fn find(dir: &Path) -> io::Result<Found> {
    let inner = dir.join(JOURNAL_DIR);
    let dir = if inner.is_dir() { inner } else { dir.to_owned() };
    let segments = list(&dir)?;
    if segments.len() > limits::FILES {
        return Err(io::Error::other(format!("more than {} segments", limits::FILES)));
    }
    Ok(Found { segments, dir })
}

/// The segments of a directory, oldest first: their names are made so.
pub(super) fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "journal") {
            segments.push(path);
        }
    }
    segments.sort();
    Ok(segments)
}

/// Why no more can be read of a segment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The file ends within a block: it is being written, or its writer was killed.
    #[error("the last block is torn: it is being written, or its writer was killed")]
    Torn,
    /// It is gone: the ring has gone on.
    #[error("it is gone: the ring has gone on")]
    Gone,
    /// Bytes are not what was written.
    #[error("damaged at byte {at}: {what}")]
    Damaged {
        /// Where the block begins.
        at: u64,
        /// What is wrong.
        what: String,
    },
    /// Written by a newer version.
    #[error("it has format {0}, and this version reads up to {max}: use a newer biplane", max = limits::FORMAT)]
    Newer(u32),
    /// The disk.
    #[error("it cannot be read: {0}")]
    Io(String),
}

/// A segment that is being read.
#[derive(Debug)]
pub struct SegmentReader {
    file: Counted<BufReader<File>>,
}

/// What a segment starts with.
#[derive(Debug)]
pub struct Segment {
    /// Whose it is.
    pub header: Header,
    /// Its kernel.
    pub beginning: Beginning,
    /// What follows.
    pub rest: SegmentReader,
}

/// A reader that knows how far it is.
#[derive(Debug)]
struct Counted<R> {
    inner: R,
    at: u64,
}

impl<R: io::Read> io::Read for Counted<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(to)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Opens a segment, up to its first turn. An error comes with the header, if that could be read.
pub fn open(path: &Path) -> Result<Segment, (Option<Box<Header>>, Trouble)> {
    let file = File::open(path).map_err(|error| {
        let gone = error.kind() == io::ErrorKind::NotFound;
        (None, if gone { Trouble::Gone } else { Trouble::Io(error.to_string()) })
    })?;
    let mut rest = SegmentReader { file: Counted { inner: BufReader::new(file), at: 0 } };
    let header = rest.header().map_err(|trouble| (None, trouble))?;
    match rest.beginning() {
        Ok(beginning) => Ok(Segment { header, beginning, rest }),
        Err(trouble) => Err((Some(Box::new(header)), trouble)),
    }
}

/// The next part of a segment.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// Turns.
    Turns(Turns),
    /// Its end.
    End(End),
}

impl SegmentReader {
    /// The next block and where it begins; nothing at the end of the file.
    fn block(&mut self) -> Result<Option<(u64, Kind, Vec<u8>)>, Trouble> {
        let at = self.file.at;
        match block::read(&mut self.file) {
            Ok(block) => Ok(block.map(|(kind, content)| (at, kind, content))),
            Err(BlockError::Torn) => Err(Trouble::Torn),
            Err(BlockError::Damaged(what)) => Err(Trouble::Damaged { at, what: what.to_owned() }),
            Err(BlockError::Io(error)) => Err(Trouble::Io(error.to_string())),
        }
    }

    fn expect(&mut self, expected: Kind) -> Result<(u64, Vec<u8>), Trouble> {
        match self.block()? {
            Some((at, kind, content)) if kind == expected => Ok((at, content)),
            Some((at, kind, _)) => {
                Err(Trouble::Damaged { at, what: format!("a block of {kind:?} stands here") })
            }
            None => Err(Trouble::Torn),
        }
    }

    fn header(&mut self) -> Result<Header, Trouble> {
        #[derive(serde::Deserialize)]
        struct Format {
            format: u32,
        }
        let (at, content) = self.expect(Kind::Header)?;
        let damaged = |error: serde_json::Error| Trouble::Damaged { at, what: error.to_string() };
        let Format { format } = serde_json::from_slice(&content).map_err(damaged)?;
        if format > limits::FORMAT {
            return Err(Trouble::Newer(format));
        }
        serde_json::from_slice(&content).map_err(damaged)
    }

    fn beginning(&mut self) -> Result<Beginning, Trouble> {
        let (at, content) = self.expect(Kind::Beginning)?;
        read_kernel(&content).map_err(|what| Trouble::Damaged { at, what })
    }

    /// The next part; nothing where the file ends.
    pub fn next_part(&mut self) -> Result<Option<Part>, Trouble> {
        let Some((at, kind, content)) = self.block()? else { return Ok(None) };
        let damaged = |what: String| Trouble::Damaged { at, what };
        match kind {
            Kind::Turns => {
                let turns = postcard::from_bytes(&content);
                turns.map(|turns| Some(Part::Turns(turns))).map_err(|e| damaged(e.to_string()))
            }
            Kind::End => {
                let end = serde_json::from_slice(&content);
                end.map(|end| Some(Part::End(end))).map_err(|error| damaged(error.to_string()))
            }
            Kind::Header | Kind::Beginning => {
                Err(damaged("a second segment begins here".to_owned()))
            }
        }
    }
}
