//! Records as they lie on disk: a format byte, a checksum, and postcard. redb guards its pages' structure, not
//! every byte of a value against rot; the checksum does.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::error::StoreError;

/// Format byte of records.
const FORMAT: u8 = 1;
/// Bytes of the checksum: the head of a SHA-256.
const SUM: usize = 8;

pub(super) fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![FORMAT];
    bytes.extend([0; SUM]);
    let mut bytes = postcard::to_extend(record, bytes)
        .map_err(|error| StoreError::Failed(format!("a record cannot be written: {error}")))?;
    let sum = checksum(&bytes[1 + SUM..]);
    bytes[1..=SUM].copy_from_slice(&sum);
    Ok(bytes)
}

pub(super) fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, StoreError> {
    let corrupt = |why: &str| StoreError::Corrupt(format!("{what}: {why}"));
    let (format, rest) = bytes.split_first().ok_or_else(|| corrupt("empty"))?;
    if *format != FORMAT {
        return Err(StoreError::Newer(u64::from(*format)));
    }
    let (sum, body) = rest.split_at_checked(SUM).ok_or_else(|| corrupt("too short"))?;
    if sum != checksum(body) {
        return Err(corrupt("its checksum does not match"));
    }
    let (record, left) =
        postcard::take_from_bytes(body).map_err(|error| corrupt(&error.to_string()))?;
    if left.is_empty() { Ok(record) } else { Err(corrupt("bytes are left over")) }
}

fn checksum(bytes: &[u8]) -> [u8; SUM] {
    let digest = Sha256::digest(bytes);
    let mut sum = [0; SUM];
    sum.copy_from_slice(&digest[..SUM]);
    sum
}
