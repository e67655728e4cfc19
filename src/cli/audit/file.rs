//! An exported audit trail: a header, the entries, a footer, each a line of JSON, and a last line with the sum of all
//! bytes before it.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::kernel::domain::WallTime;
use crate::kernel::ledger::AuditHead;

/// The format that this version writes, and the newest that it reads. The first one had no sum.
pub(super) const FORMAT: u32 = 2;

/// The first line of an export.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    /// The format.
    pub(super) biplane_audit: u32,
    pub(super) cluster: String,
    pub(super) exported_at: WallTime,
}

/// The line behind the entries.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Footer {
    /// Where the chain stood when the export began.
    pub(super) end: AuditHead,
    /// How many entries the export has.
    #[serde(default)]
    pub(super) entries: Option<u64>,
    /// Its first one.
    #[serde(default)]
    pub(super) first: Option<u64>,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Sum {
    /// Of every byte before this line, in hexadecimal digits.
    pub(super) sha256: String,
}

/// A sum of bytes, as text.
pub(super) fn digits(sum: Sha256) -> String {
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file that is written.
#[derive(Debug)]
pub(super) struct Out {
    file: BufWriter<File>,
    sum: Sha256,
}

impl Out {
    pub(super) fn new(file: File) -> Self {
        Self { file: BufWriter::new(file), sum: Sha256::new() }
    }

    pub(super) fn line<T: Serialize>(&mut self, value: &T) -> io::Result<()> {
        let mut text = serde_json::to_vec(value)?;
        text.push(b'\n');
        self.sum.update(&text);
        self.file.write_all(&text)
    }

    /// Writes the sum, and sees that all of it arrived.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let sha256 = digits(self.sum.clone());
        self.line(&Sum { sha256 })?;
        self.file.flush()
    }
}
