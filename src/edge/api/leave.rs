//! An answer that goes on for ever: whoever gets it is looked at again while it does.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Frame;

use super::ApiState;
use super::admit::{Peer, authenticate};
use crate::kernel::domain::Principal;

/// By what somebody was let in.
pub(super) struct Leave {
    state: Arc<ApiState>,
    principal: Principal,
    headers: HeaderMap,
    peer: Option<Peer>,
}

impl Leave {
    /// Of a request that was let in; nothing where nobody is asked who he is.
    pub(super) fn of(state: &Arc<ApiState>, request: &Request) -> Option<Self> {
        let principal = request.extensions().get::<Principal>()?.clone();
        let peer = request.extensions().get::<Peer>().cloned();
        let headers = request.headers().clone();
        Some(Self { state: Arc::clone(state), principal, headers, peer })
    }

    /// Ends this answer soon after its reader would not be let in any more: something is sent at least as often as the
    /// keep-alive says, and as often it is looked at.
    pub(super) fn watch_over(self, response: Response) -> Response {
        let looked = Instant::now();
        response.map(|inner| Body::new(Watched { inner, leave: self, looked }))
    }

    fn holds(&self) -> bool {
        let is = authenticate(&self.state, &self.headers, self.peer.as_ref());
        is.as_ref() == Ok(&self.principal)
    }
}

struct Watched {
    inner: Body,
    leave: Leave,
    looked: Instant,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if polled.is_pending() || self.looked.elapsed() < self.leave.state.limits.keep_alive {
            return polled;
        }
        self.looked = Instant::now();
        if self.leave.holds() {
            return polled;
        }
        tracing::info!(name = %self.leave.principal.name, "a watch ends: its reader is not let in any more");
        Poll::Ready(None)
    }
}
