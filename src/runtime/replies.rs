//! Requests that wait for the kernel's reply.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::limits::OPEN_REQUESTS;
use crate::kernel::controller::{RequestId, Response};

type Open = BTreeMap<RequestId, oneshot::Sender<Response>>;

/// Who waits for which reply. Copies are the same table.
#[derive(Clone, Debug, Default)]
pub struct Replies {
    open: Arc<Mutex<Open>>,
    last: Arc<AtomicU64>,
}

/// One request's place in the table; dropping it gives the place back.
#[derive(Debug)]
pub struct Awaited {
    /// The number to ask under.
    pub id: RequestId,
    reply: oneshot::Receiver<Response>,
    replies: Replies,
}

impl Replies {
    /// A number for a request and a place for its reply; nothing when too many wait.
    pub fn register(&self) -> Option<Awaited> {
        let id = RequestId(self.last.fetch_add(1, Ordering::Relaxed) + 1);
        let (sender, reply) = oneshot::channel();
        let mut open = self.lock();
        if open.len() >= OPEN_REQUESTS {
            return None;
        }
        open.insert(id, sender);
        drop(open);
        Some(Awaited { id, reply, replies: self.clone() })
    }

    /// Hands a reply to who waits for it, if anybody still does. Never waits.
    pub fn reply(&self, id: RequestId, response: Response) {
        let waiting = self.lock().remove(&id);
        if let Some(waiting) = waiting {
            // Who gave up in this instant needs no reply.
            let _ = waiting.send(response);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Awaited {
    /// The reply; nothing when the kernel has ended.
    pub async fn reply(&mut self) -> Option<Response> {
        (&mut self.reply).await.ok()
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.replies.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reply_finds_who_asked() {
        let replies = Replies::default();
        let (mut a, mut b) = (replies.register().unwrap(), replies.register().unwrap());
        replies.reply(b.id, Response::Done);
        replies.reply(a.id, Response::Unknown { settle: "/v1/x".to_owned() });
        assert!(matches!(b.reply().await, Some(Response::Done)));
        assert!(matches!(a.reply().await, Some(Response::Unknown { .. })));
    }

    #[test]
    fn places_are_bounded_and_come_back() {
        let replies = Replies::default();
        let places: Vec<_> = std::iter::from_fn(|| replies.register()).collect();
        assert_eq!(places.len(), OPEN_REQUESTS);
        drop(places);
        assert!(replies.register().is_some());
        assert!(replies.lock().is_empty());
    }
}
