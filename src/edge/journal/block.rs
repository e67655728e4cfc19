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
    framed(kind, &lz4_flex::block::compress_prepend_size(content))
}

fn framed(kind: Kind, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a block is far smaller than 4 GiB");
    let mut bytes = Vec::with_capacity(FRONT + body.len());
    bytes.extend(length.to_le_bytes());
    bytes.push(kind as u8);
    let check: [u8; 3] = sum(&bytes, &[]);
    bytes.extend(check);
    bytes.extend(sum::<8>(&[kind as u8], body));
    bytes.extend(body);
    bytes
}

/// Reads the next block; nothing at the end of the file.
pub(super) fn read(from: &mut impl Read) -> Result<Option<(Kind, Vec<u8>)>, BlockError> {
    read_within(from, BLOCK_BYTES)
}

/// The same for blocks that neither have nor unpack to more than so many bytes.
fn read_within(from: &mut impl Read, most: usize) -> Result<Option<(Kind, Vec<u8>)>, BlockError> {
    let mut front = [0; FRONT];
    match fill(from, &mut front)? {
        0 => return Ok(None),
        FRONT => {}
        _ => return Err(BlockError::Torn),
    }
    let [a, b, c, d, kind, check @ .., _, _, _, _, _, _, _, _] = front;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if check != sum::<3>(&front[..5], &[]) || length > most {
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
    unpack(&body, most).map(|content| Some((kind, content)))
}

fn unpack(body: &[u8], most: usize) -> Result<Vec<u8>, BlockError> {
    let bad = BlockError::Damaged("a block cannot be unpacked");
    let Ok((length, packed)) = lz4_flex::block::uncompressed_size(body) else { return Err(bad) };
    // LZ4 makes 255 bytes of one at the best: nothing is taken for a claim beyond that.
    if length > most || length > packed.len().saturating_mul(255) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn damage(read: Result<Option<(Kind, Vec<u8>)>, BlockError>) -> &'static str {
        match read {
            Err(BlockError::Damaged(what)) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_block_may_say_that_it_has_so_many_bytes_and_not_one_more() {
        let claiming = |length: usize| {
            let mut front = u32::try_from(length).unwrap().to_le_bytes().to_vec();
            front.push(Kind::Turns as u8);
            let check: [u8; 3] = sum(&front, &[]);
            front.extend(check);
            front.extend([0; 8]);
            read(&mut front.as_slice())
        };
        let short = claiming(BLOCK_BYTES);
        assert!(matches!(short, Err(BlockError::Torn)), "its bytes are awaited: {short:?}");
        assert_eq!(damage(claiming(BLOCK_BYTES + 1)), "a block's length was changed");
    }

    #[test]
    fn a_block_unpacks_to_the_limit_and_not_to_one_byte_more() {
        for content in [vec![0; 1 << 20], (0..=255).cycle().take(10_000).collect()] {
            let block = pack(Kind::Turns, &content);
            let most = content.len();
            let (kind, read) = read_within(&mut block.as_slice(), most).unwrap().unwrap();
            assert!(kind == Kind::Turns && read == content);
            let refused = read_within(&mut block.as_slice(), most - 1);
            assert_eq!(damage(refused), "a block cannot be unpacked");
        }
    }

    #[test]
    fn what_no_packing_could_hold_is_not_unpacked() {
        let claimed = u32::try_from(BLOCK_BYTES).unwrap().to_le_bytes();
        let block = framed(Kind::Turns, &[&claimed[..], b"\x10x"].concat());
        assert_eq!(damage(read(&mut block.as_slice())), "a block cannot be unpacked");
    }
}
