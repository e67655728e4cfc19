//! What a node tells its service manager (sd_notify(3)): that it is ready, that it stops, and that its kernel still answers.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;

use super::backend::NodeBackend;
use crate::edge::api::Backend as _;
use crate::kernel::controller::{Action, Response};

/// Without a service manager nobody is told; one that does not listen is no reason to stop.
fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(false, &[state]) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

/// It serves.
pub(super) fn ready() {
    tell(NotifyState::Ready);
}

/// It leaves.
pub(super) fn stopping() {
    tell(NotifyState::Stopping);
}

/// It lives.
pub(super) fn alive() {
    tell(NotifyState::Watchdog);
}

/// How often to say so; nothing where nobody watches.
pub(super) fn watched_every() -> Option<Duration> {
    let mut micros = 0;
    let watched = sd_notify::watchdog_enabled(false, &mut micros);
    watched.then(|| Duration::from_micros(micros / 4).max(Duration::from_millis(10)))
}

/// Says that the kernel answers, as long as it does: at least twice in the time that the service manager gives.
pub(super) async fn watch(backend: Arc<NodeBackend>) {
    // Waiting for the answer and for the next question takes two of these at most.
    let Some(quarter) = watched_every() else { return };
    loop {
        let asked = backend.ask("service manager".to_owned(), Action::Look);
        if let Ok(Response::Read(_)) = tokio::time::timeout(quarter, asked).await {
            alive();
        }
        tokio::time::sleep(quarter).await;
    }
}
