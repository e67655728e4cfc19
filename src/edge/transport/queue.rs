//! The bounded queue of normal frames that wait for one peer.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::frame::put_frame;
use super::limits::{BATCH_BYTES, NORMAL_QUEUE_BYTES, NORMAL_QUEUE_FRAMES};

/// Frames in order; full, it loses its oldest. What is oldest is what Raft is most likely to have given up on.
#[derive(Debug, Default)]
pub(super) struct FrameQueue {
    frames: VecDeque<Bytes>,
    bytes: usize,
}

impl FrameQueue {
    /// Adds a frame, and says how many were lost for it.
    pub(super) fn push(&mut self, frame: Bytes) -> u64 {
        self.bytes += frame.len();
        self.frames.push_back(frame);
        let mut lost = 0;
        while self.frames.len() > NORMAL_QUEUE_FRAMES || self.bytes > NORMAL_QUEUE_BYTES {
            self.pop();
            lost += 1;
        }
        lost
    }

    /// Moves frames into `batch`, at least one and at most [`BATCH_BYTES`] of them, and says how many.
    pub(super) fn take(&mut self, batch: &mut BytesMut) -> u64 {
        let mut taken = 0;
        while let Some(next) = self.frames.front() {
            if taken > 0 && batch.len() + next.len() > BATCH_BYTES {
                break;
            }
            let frame = self.pop().expect("the front was just looked at");
            put_frame(batch, &frame);
            taken += 1;
        }
        taken
    }

    /// Loses everything, and says how many that were.
    pub(super) fn clear(&mut self) -> u64 {
        let lost = self.frames.len();
        *self = Self::default();
        u64::try_from(lost).unwrap_or(u64::MAX)
    }

    /// Frames waiting.
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Bytes waiting.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    fn pop(&mut self) -> Option<Bytes> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_loses_its_oldest_frames() {
        let mut queue = FrameQueue::default();
        for i in 0..NORMAL_QUEUE_FRAMES {
            assert_eq!(queue.push(Bytes::copy_from_slice(&i.to_be_bytes())), 0);
        }
        assert_eq!(queue.push(Bytes::from_static(b"newest")), 1);
        assert_eq!(queue.len(), NORMAL_QUEUE_FRAMES);
        assert_eq!(queue.pop().unwrap(), 1_usize.to_be_bytes().as_slice());
    }

    #[test]
    fn a_queue_is_bounded_in_bytes_too() {
        let mut queue = FrameQueue::default();
        let frame = Bytes::from(vec![0; NORMAL_QUEUE_BYTES / 2]);
        assert_eq!(queue.push(frame.clone()) + queue.push(frame.clone()), 0);
        assert_eq!(queue.push(frame), 1);
        assert!(queue.bytes() <= NORMAL_QUEUE_BYTES);
    }

    #[test]
    fn a_batch_is_bounded_and_keeps_the_order() {
        let mut queue = FrameQueue::default();
        queue.push(Bytes::from(vec![1; BATCH_BYTES * 2]));
        queue.push(Bytes::from(vec![2; 10]));
        queue.push(Bytes::from(vec![3; 10]));
        let mut batch = BytesMut::new();
        assert_eq!(queue.take(&mut batch), 1);
        batch.clear();
        assert_eq!(queue.take(&mut batch), 2);
        assert_eq!(batch.len(), 28);
        assert_eq!((queue.take(&mut batch), queue.bytes()), (0, 0));
    }
}
