//! Answers under way: the bytes of large ones are counted from when they are made until the last of them has left, or its
//! reader is gone.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::UNCOUNTED_BYTES;
use super::problem::{Problem, ProblemKind};

/// Room for answers under way.
#[derive(Debug)]
pub(super) struct UnderWay {
    room: Arc<Semaphore>,
    bytes: usize,
}

/// Marks an answer whose bytes are counted already, because other answers share them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shared;

/// Bytes, and what they hold as long as anybody has a part of them.
struct Held {
    bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
    _request: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl UnderWay {
    /// Room for so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(bytes)), bytes }
    }

    /// The bytes that are held now.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.bytes - self.room.available_permits()
    }

    /// Bytes that several answers share, counted once, until the last of them is sent.
    ///
    /// # Errors
    /// When there is no room for them.
    pub(super) fn counted(&self, bytes: Bytes) -> Result<Bytes, Problem> {
        let room = self.take(bytes.len())?;
        Ok(Bytes::from_owner(Held { bytes, _room: room, _request: None }))
    }

    /// Lets an answer go, or a problem in its stead when there is no room for it. Its request counts as one that is being
    /// answered as long as a byte of it is here: what was handed to a connection is not yet sent.
    pub(super) async fn send(
        &self,
        response: Response,
        request: Option<OwnedSemaphorePermit>,
    ) -> Response {
        let (head, body) = response.into_parts();
        // Every answer but a watch was made as a whole: nothing is waited for.
        let Ok(body) = body.collect().await else {
            let why = "the answer broke off while it was made";
            return Problem::new(ProblemKind::Internal, why, "ask again").into_response();
        };
        let bytes = body.to_bytes();
        let shared = head.extensions.get::<Shared>().is_some();
        let room = if shared { Ok(None) } else { self.take(bytes.len()) };
        match room {
            Ok(room) => {
                let held = Held { bytes, _room: room, _request: request };
                Response::from_parts(head, Body::from(Bytes::from_owner(held)))
            }
            Err(problem) => problem.into_response(),
        }
    }

    fn take(&self, bytes: usize) -> Result<Option<OwnedSemaphorePermit>, Problem> {
        if bytes <= UNCOUNTED_BYTES {
            return Ok(None);
        }
        // One that is larger than all the room goes alone.
        let permits = u32::try_from(bytes.min(self.bytes)).unwrap_or(u32::MAX);
        Arc::clone(&self.room).try_acquire_many_owned(permits).map(Some).map_err(|_| {
            Problem::new(
                ProblemKind::Busy,
                format!(
                    "this answer has {bytes} bytes, and of the {} that may be under way at once only {} are free",
                    self.bytes,
                    self.room.available_permits()
                ),
                "try again in a second, ask another node, and read what you asked for sooner",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_answer_needs_no_room_and_one_byte_more_does() {
        let under_way = UnderWay::new(UNCOUNTED_BYTES + 2);
        let zeros = |bytes: usize| Bytes::from(vec![0; bytes]);
        let small: Vec<Bytes> =
            (0..9).map(|_| under_way.counted(zeros(UNCOUNTED_BYTES)).unwrap()).collect();
        assert_eq!((small.len(), under_way.held()), (9, 0));
        let large = under_way.counted(zeros(UNCOUNTED_BYTES + 1)).unwrap();
        assert_eq!(under_way.held(), UNCOUNTED_BYTES + 1);
        let refused = under_way.counted(zeros(UNCOUNTED_BYTES + 1)).unwrap_err();
        assert_eq!(refused.status, 503);
        assert!(refused.detail.contains("only 1 are free"), "{refused}");
        // Who has the last byte of it has all of it.
        let last = large.slice(UNCOUNTED_BYTES..);
        drop(large);
        assert_eq!(under_way.held(), UNCOUNTED_BYTES + 1);
        drop(last);
        assert_eq!(under_way.held(), 0);
        // One that is larger than all the room goes alone.
        let alone = under_way.counted(zeros(9 * UNCOUNTED_BYTES)).unwrap();
        assert_eq!(under_way.held(), UNCOUNTED_BYTES + 2);
        drop(alone);
        assert_eq!(under_way.held(), 0);
    }
}
