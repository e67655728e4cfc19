//! How a process is asked to stop, and how a node leaves.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::kernel::controller::View;

/// A token that is cancelled by the first SIGTERM or SIGINT. Needs a tokio runtime.
pub fn stop_on_signals() -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stopped = stop.clone();
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "asked to stop");
        stopped.cancel();
    });
    Ok(stop)
}

/// Waits until this node is not the leader: another one is known, or `patience` has passed. A node that led nobody
/// need not wait.
pub async fn handed_over(mut view: watch::Receiver<Option<Arc<View>>>, patience: Duration) -> bool {
    let led = |view: &Option<Arc<View>>| {
        view.as_ref().is_some_and(|view| view.leader == Some(view.member))
    };
    if !led(&view.borrow()) {
        return true;
    }
    let other = |view: &Option<Arc<View>>| {
        view.as_ref().is_some_and(|view| view.leader.is_some_and(|leader| leader != view.member))
    };
    tokio::time::timeout(patience, view.wait_for(other)).await.is_ok_and(|seen| seen.is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn view(leader: Option<u64>) -> Option<Arc<View>> {
        Some(Arc::new(fixture::view(leader)))
    }

    #[tokio::test]
    async fn a_leader_waits_for_another_and_a_follower_does_not() {
        let short = Duration::from_millis(10);
        let (sender, seen) = watch::channel(view(Some(2)));
        assert!(handed_over(seen.clone(), short).await);
        sender.send_replace(view(Some(1)));
        assert!(!handed_over(seen.clone(), short).await);
        let waiter = tokio::spawn(handed_over(seen, Duration::from_secs(20)));
        sender.send_replace(view(None));
        sender.send_replace(view(Some(3)));
        assert!(waiter.await.unwrap());
    }

    #[tokio::test]
    async fn sigterm_and_sigint_ask_a_process_to_stop() {
        const CHILD: &str = "BIPLANE_TEST_SIGNALS";
        if let Some(ready) = std::env::var_os(CHILD) {
            let stop = stop_on_signals().unwrap();
            std::fs::write(ready, "").unwrap();
            stop.cancelled().await;
            return;
        }
        let name = std::thread::current().name().unwrap().to_owned();
        let dir = tempfile::tempdir().unwrap();
        for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
            let ready = dir.path().join(format!("{signal:?}"));
            let mut child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", &name])
                .env(CHILD, &ready)
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap();
            while !ready.exists() {
                assert!(child.try_wait().unwrap().is_none(), "it ended before it was asked to");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let id = rustix::process::Pid::from_child(&child);
            rustix::process::kill_process(id, signal).unwrap();
            assert!(child.wait().unwrap().success());
        }
    }
}
