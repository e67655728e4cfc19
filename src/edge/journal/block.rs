//! Blocks: a length, a kind, a sum, and a packed body.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::limits::BLOCK_BYTES;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Header = 1,
    Beginning = 2,
    Turns = 3,
    End = 4,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Header, Self::Beginning, Self::Turns, Self::End];
}

/// Bytes before the body.
const FRONT: usize = 4 + 1 + 3 + 8;

/// Why there is no next block.
#[derive(Debug, thiserror::Error)]
pub(super) enum BlockError {
    /// The file ends within a block: it was being written, or its writer was killed.
    #[error("it ends within a block")]
    Torn,
    /// Its sum is wrong, or it cannot be unpacked.
    #[error("{0}")]
    Damaged(&'static str),
    /// The disk.
    #[error("{0}")]
    Io(#[from] io::Error),
}

fn sum<const N: usize>(front: &[u8], body: &[u8]) -> [u8; N] {
    let whole = Sha256::new_with_prefix(front).chain_update(body).finalize();
    let mut short = [0; N];
    short.copy_from_slice(&whole[..N]);
    short
}

/// One block as bytes.
pub(super) fn pack(kind: Kind, content: &[u8]) -> Vec<u8> {
    let body = lz4_flex::block::compress_prepend_size(content);
    let length = u32::try_from(body.len()).expect("a block is far smaller than 4 GiB");
    let mut bytes = Vec::with_capacity(FRONT + body.len());
    bytes.extend(length.to_le_bytes());
    bytes.push(kind as u8);
    let check: [u8; 3] = sum(&bytes, &[]);
    bytes.extend(check);
    bytes.extend(sum::<8>(&[kind as u8], &body));
    bytes.extend(body);
    bytes
}

/// Reads the next block; nothing at the end of the file.
pub(super) fn read(from: &mut impl Read) -> Result<Option<(Kind, Vec<u8>)>, BlockError> {
    let mut front = [0; FRONT];
    match fill(from, &mut front)? {
        0 => return Ok(None),
        FRONT => {}
        _ => return Err(BlockError::Torn),
    }
    let [a, b, c, d, kind, check @ .., _, _, _, _, _, _, _, _] = front;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if check != sum::<3>(&front[..5], &[]) || length > BLOCK_BYTES {
        return Err(BlockError::Damaged("a block's length was changed"));
    }
    let mut body = Vec::new();
    from.take(length as u64).read_to_end(&mut body)?;
    if body.len() < length {
        return Err(BlockError::Torn);
    }
    if sum::<8>(&[kind], &body) != front[8..] {
        return Err(BlockError::Damaged("a block's sum is wrong: bytes of it were changed"));
    }
    let kind = Kind::ALL.into_iter().find(|known| *known as u8 == kind);
    let kind =
        kind.ok_or(BlockError::Damaged("a block is of a kind that this version does not know"))?;
    unpack(&body).map(|content| Some((kind, content)))
}

fn unpack(body: &[u8]) -> Result<Vec<u8>, BlockError> {
    let bad = BlockError::Damaged("a block cannot be unpacked");
    let Ok((length, packed)) = lz4_flex::block::uncompressed_size(body) else { return Err(bad) };
    if length > BLOCK_BYTES {
        return Err(bad);
    }
    lz4_flex::block::decompress(packed, length).map_err(|_| bad)
}

/// Reads as much as there is, up to the whole of `to`.
fn fill(from: &mut impl Read, to: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < to.len() {
        match from.read(&mut to[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
