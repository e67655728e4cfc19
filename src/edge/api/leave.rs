//! An answer that goes on for ever: whoever gets it is looked at again while it does.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
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
        // Of all headers, only what says who asks.
        let mut headers = HeaderMap::new();
        for value in request.headers().get_all(header::AUTHORIZATION) {
            headers.append(header::AUTHORIZATION, value.clone());
        }
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

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::super::Limits;
    use super::super::tests::fixture::{Node, settings};
    use super::*;
    use crate::kernel::domain::{AccessRole, PrincipalName};

    #[tokio::test]
    async fn of_a_request_only_what_says_who_asks_is_kept() {
        let settings = settings("127.0.0.1:0".parse().unwrap(), Limits::default(), None);
        let state = ApiState::new(&settings, Node::with_table(1, "east"), CancellationToken::new());
        let mut request = Request::get("/v1/watch").header("authorization", "Bearer a");
        for number in 0..60 {
            request = request.header(format!("x-{number}"), "y".repeat(200));
        }
        let mut request = request.header("authorization", "Bearer b").body(Body::empty()).unwrap();
        let name = PrincipalName::new("ann").unwrap();
        let (role, groups) = (AccessRole::Admin, [].into());
        request.extensions_mut().insert(Principal { name, role, groups });
        let leave = Leave::of(&Arc::new(state), &request).expect("it was let in");
        let kept: Vec<_> =
            leave.headers.iter().map(|(name, value)| (name.as_str(), value)).collect();
        assert_eq!(kept.len(), 2, "{kept:?}");
        assert!(kept.iter().all(|(name, _)| *name == "authorization"), "{kept:?}");
    }
}
