//! Length-delimited frames: four bytes of length, big-endian, then that many bytes.
//!
//! A length is a claim: memory is taken as bytes arrive, never because a length says so.

use std::io;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::limits::{READ_STALL, READ_STEP, WRITE_STEP, WRITE_TIMEOUT};

/// Bytes of a length.
const HEADER: usize = 4;

/// Why a stream of frames ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    /// Between two frames.
    #[error("the connection was closed")]
    Closed,
    /// A length that no frame may have.
    #[error("a frame of {length} bytes was announced, at most {max} are allowed")]
    TooLong {
        /// As announced.
        length: usize,
        /// As allowed.
        max: usize,
    },
    /// Within a frame.
    #[error("a frame stopped growing")]
    Stalled,
    /// The peer does not read.
    #[error("the peer took no bytes for {0:?}")]
    NotRead(Duration),
    /// The connection broke.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Reads one frame of at most `max` bytes. Waits for its first byte without end.
pub(super) async fn read_frame(
    from: &mut (impl AsyncRead + Unpin),
    max: usize,
) -> Result<Bytes, FrameError> {
    read_frame_within(from, max, READ_STALL).await
}

async fn read_frame_within(
    from: &mut (impl AsyncRead + Unpin),
    max: usize,
    stall: Duration,
) -> Result<Bytes, FrameError> {
    let mut header = [0; HEADER];
    if from.read(&mut header[..1]).await? == 0 {
        return Err(FrameError::Closed);
    }
    within_stall(stall, from.read_exact(&mut header[1..])).await?;
    let length = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
    if length > max {
        return Err(FrameError::TooLong { length, max });
    }
    let mut frame = BytesMut::with_capacity(length.min(READ_STEP));
    while frame.len() < length {
        let missing = length - frame.len();
        frame.reserve(missing.min(READ_STEP));
        let mut step = (&mut frame).limit(missing);
        if within_stall(stall, from.read_buf(&mut step)).await? == 0 {
            return Err(FrameError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
    }
    Ok(frame.freeze())
}

async fn within_stall<T>(
    stall: Duration,
    step: impl Future<Output = io::Result<T>>,
) -> Result<T, FrameError> {
    Ok(timeout(stall, step).await.map_err(|_| FrameError::Stalled)??)
}

/// Appends a frame, header first, to a batch.
pub(super) fn put_frame(batch: &mut BytesMut, frame: &[u8]) {
    batch.reserve(HEADER + frame.len());
    batch.put_slice(&header_of(frame));
    batch.put_slice(frame);
}

/// Writes one frame without copying it.
pub(super) async fn write_frame(
    to: &mut (impl AsyncWrite + Unpin),
    frame: &[u8],
) -> Result<(), FrameError> {
    write_steps(to, &header_of(frame), WRITE_TIMEOUT).await?;
    write_bytes(to, frame, WRITE_TIMEOUT).await
}

/// Writes bytes that already are frames.
pub(super) async fn write_batch(
    to: &mut (impl AsyncWrite + Unpin),
    batch: &[u8],
) -> Result<(), FrameError> {
    write_bytes(to, batch, WRITE_TIMEOUT).await
}

fn header_of(frame: &[u8]) -> [u8; HEADER] {
    // Callers keep frames below their limits, which are far below 4 GiB; were one longer, the receiver would
    // refuse the announced length.
    u32::try_from(frame.len()).unwrap_or(u32::MAX).to_be_bytes()
}

async fn write_bytes(
    to: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    patience: Duration,
) -> Result<(), FrameError> {
    write_steps(to, bytes, patience).await?;
    within_patience(patience, to.flush()).await
}

async fn write_steps(
    to: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    patience: Duration,
) -> Result<(), FrameError> {
    for step in bytes.chunks(WRITE_STEP) {
        within_patience(patience, to.write_all(step)).await?;
    }
    Ok(())
}

async fn within_patience(
    patience: Duration,
    step: impl Future<Output = io::Result<()>>,
) -> Result<(), FrameError> {
    timeout(patience, step).await.map_err(|_| FrameError::NotRead(patience))??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::limits::{MAX_HELLO, MAX_NORMAL_FRAME};
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_frame_reads_back_as_written() {
        for length in [0, 1, READ_STEP - 1, READ_STEP, READ_STEP + 1, 3 * READ_STEP + 7] {
            let frame: Vec<u8> = (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let mut wire = Vec::new();
            write_frame(&mut wire, &frame).await.unwrap();
            write_frame(&mut wire, b"next").await.unwrap();
            let mut from = wire.as_slice();
            assert_eq!(read_frame(&mut from, length.max(4)).await.unwrap(), frame);
            assert_eq!(read_frame(&mut from, 4).await.unwrap(), &b"next"[..]);
            assert!(matches!(read_frame(&mut from, 4).await, Err(FrameError::Closed)));
        }
    }

    #[tokio::test]
    async fn a_hostile_length_is_refused_before_anything_is_read() {
        let wire = [0xff; 64];
        let refused = read_frame(&mut wire.as_slice(), 1 << 20).await;
        assert!(matches!(refused, Err(FrameError::TooLong { .. })), "{refused:?}");
    }

    #[tokio::test]
    async fn a_frame_of_the_limit_is_read_and_one_byte_more_is_refused() {
        for most in [MAX_HELLO, MAX_NORMAL_FRAME] {
            let mut wire = Vec::new();
            write_frame(&mut wire, &vec![7; most]).await.unwrap();
            assert_eq!(read_frame(&mut wire.as_slice(), most).await.unwrap().len(), most);
            let longer = u32::try_from(most + 1).unwrap().to_be_bytes();
            let refused = read_frame(&mut longer.as_slice(), most).await;
            assert!(matches!(refused, Err(FrameError::TooLong { .. })), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn an_allowed_length_without_bytes_is_an_end_not_an_allocation() {
        let wire = 0x0fff_ffff_u32.to_be_bytes();
        let cut = read_frame(&mut wire.as_slice(), usize::MAX).await;
        assert!(matches!(cut, Err(FrameError::Io(_))), "{cut:?}");
    }

    #[tokio::test]
    async fn a_frame_that_stops_growing_ends_the_connection() {
        let (mut near, mut far) = tokio::io::duplex(64);
        near.write_all(&[0, 0, 0, 9, 1]).await.unwrap();
        let stalled = read_frame_within(&mut far, 64, SHORT).await;
        assert!(matches!(stalled, Err(FrameError::Stalled)), "{stalled:?}");
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_ends_the_connection() {
        let (mut near, _far) = tokio::io::duplex(64);
        let stuck = write_bytes(&mut near, &[7; 1000], SHORT).await;
        assert!(matches!(stuck, Err(FrameError::NotRead(_))), "{stuck:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_frames_or_an_error(wire: Vec<u8>) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async {
                let mut from = wire.as_slice();
                while let Ok(frame) = read_frame(&mut from, 1 << 16).await {
                    prop_assert!(frame.len() <= wire.len());
                }
                Ok(())
            })?;
        }
    }
}
