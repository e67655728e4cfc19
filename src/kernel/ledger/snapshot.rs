//! The whole state as bytes: self-describing JSON with a format number.

use std::collections::BTreeMap;
use std::io::{BufWriter, Read as _, Write};
use std::sync::Arc;

use lz4_flex::frame::{FrameDecoder, FrameEncoder, FrameInfo};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

use super::audit::hex;
use super::state::Ledger;

/// The snapshot format that this version writes and the newest that it reads.
const FORMAT: u32 = 1;

/// Why bytes are not a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Written by a newer version.
    #[error(
        "the snapshot has format {0}; this version reads up to {FORMAT}: start a newer biplane"
    )]
    Newer(u32),
    /// Not a snapshot.
    #[error("the snapshot cannot be read: {0}")]
    Unreadable(String),
}

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    ledger: &'a Ledger,
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

#[derive(Deserialize)]
struct Read {
    ledger: Ledger,
}

/// What an LZ4 frame starts with (LZ4 frame format, section "Magic Number").
const LZ4_MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();
/// A packed snapshot that is larger than this when unpacked is refused: ten times what 10,000 groups take.
const UNPACKED_MAX: u64 = 1 << 29;

fn unpack(frame: &[u8], max: u64) -> Result<Vec<u8>, SnapshotError> {
    let mut bytes = Vec::new();
    let read = FrameDecoder::new(frame).take(max + 1).read_to_end(&mut bytes);
    read.map_err(|error| SnapshotError::Unreadable(error.to_string()))?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= max) {
        return Ok(bytes);
    }
    Err(SnapshotError::Unreadable(format!("it is larger than {max} bytes when unpacked")))
}

impl Ledger {
    /// The state as bytes. Equal states give equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut bytes);
        bytes
    }

    /// [`Self::to_bytes`] as one LZ4 frame: what is written to disk and sent to members. A few percent of the size.
    pub fn pack(&self) -> Vec<u8> {
        let mut frame =
            FrameEncoder::with_frame_info(FrameInfo::new().content_checksum(true), Vec::new());
        self.write(&mut frame);
        frame.finish().expect("memory takes all")
    }

    fn write(&self, to: impl Write) {
        serde_json::to_writer(to, &Written { format: FORMAT, ledger: self })
            .expect("the state's maps have text and number keys: all JSON; and memory takes all");
    }

    /// Reads what [`Self::to_bytes`] or [`Self::pack`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        if bytes.starts_with(&LZ4_MAGIC) {
            return Self::from_json(&unpack(bytes, UNPACKED_MAX)?);
        }
        Self::from_json(bytes)
    }

    fn from_json(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let unreadable = |error: serde_json::Error| SnapshotError::Unreadable(error.to_string());
        let Format { format } = serde_json::from_slice(bytes).map_err(unreadable)?;
        if format > FORMAT {
            return Err(SnapshotError::Newer(format));
        }
        let Read { mut ledger } = serde_json::from_slice(bytes).map_err(unreadable)?;
        ledger.index_services();
        ledger.set_timers();
        Ok(ledger)
    }

    /// Reads a state that stands in another structure.
    pub fn deserialize_indexed<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut ledger = Self::deserialize(from)?;
        ledger.index_services();
        ledger.set_timers();
        Ok(ledger)
    }

    /// Hex of SHA-256 over [`Self::to_bytes`]: equal on all nodes at equal index.
    pub fn digest(&self) -> String {
        // The JSON comes in bits of a few bytes, and for thousands of groups it would be tens of megabytes at once.
        let mut sum = BufWriter::with_capacity(16 << 10, Sha256::new());
        self.write(&mut sum);
        let sum = sum.into_inner().expect("a sum takes all");
        hex(&sum.finalize())
    }

    /// Rebuilds what follows from the configuration.
    pub(super) fn index_services(&mut self) {
        let mut group_of = BTreeMap::new();
        if let Some(config) = &self.config {
            for (name, group) in &config.groups {
                for service in &group.services {
                    group_of.insert(service.clone(), name.clone());
                }
            }
        }
        self.group_of = Arc::new(group_of);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_state_is_the_same_state_and_a_garbled_frame_is_refused() {
        let ledger = Ledger::default();
        let packed = ledger.pack();
        assert_eq!(Ledger::from_bytes(&packed).expect("a snapshot").to_bytes(), ledger.to_bytes());
        assert_eq!(ledger.digest(), hex(&Sha256::digest(ledger.to_bytes())));
        // What follows the last block can be lost without loss; nothing makes a panic or another state.
        let cut = (0..packed.len()).map(|len| packed[..len].to_vec());
        let garbled = (0..packed.len()).map(|at| {
            let mut garbled = packed.clone();
            garbled[at] ^= 0x55;
            garbled
        });
        let mut refused = 0;
        for changed in cut.chain(garbled) {
            match Ledger::from_bytes(&changed) {
                Ok(read) => assert_eq!(read.to_bytes(), ledger.to_bytes()),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > packed.len(), "{refused} of {} changes", 2 * packed.len());
    }

    #[test]
    fn a_frame_unpacks_up_to_the_limit_and_not_beyond() {
        let mut frame = FrameEncoder::new(Vec::new());
        frame.write_all(&[b' '; 100_000]).expect("memory takes all");
        let frame = frame.finish().expect("memory takes all");
        assert!(frame.len() < 1_000);
        assert_eq!(unpack(&frame, 100_000).expect("at the limit").len(), 100_000);
        assert!(unpack(&frame, 99_999).is_err_and(|error| error.to_string().contains("larger")));
    }
}
