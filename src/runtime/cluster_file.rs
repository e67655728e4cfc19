//! The cluster file is read again when it changes: only to say whether it differs from what is in force.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::inbox::Inbox;
use super::limits::CLUSTER_FILE_EVERY;
use crate::config::{parse_cluster, text_of};
use crate::kernel::ledger::Cluster;

/// What a file looked like: when it was changed, and its size.
type Stamp = Option<(SystemTime, u64)>;

/// Looks at the file now and then, and tells the kernel when it is another. Runs until it is dropped.
pub(super) async fn watch(file: PathBuf, inbox: Inbox) {
    let mut turn = tokio::time::interval(CLUSTER_FILE_EVERY);
    turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last = stamp(&file).await;
    loop {
        turn.tick().await;
        let now = stamp(&file).await;
        if now == last {
            continue;
        }
        last = now;
        let path = file.clone();
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        match read {
            Ok(Ok(cluster)) => inbox.cluster_file(cluster),
            Ok(Err(why)) => {
                tracing::warn!("the changed cluster file {} is not used: {why}", file.display());
            }
            Err(error) => {
                tracing::error!(%error, "reading the cluster file ended in a panic: this is a bug")
            }
        }
    }
}

async fn stamp(file: &Path) -> Stamp {
    let found = tokio::fs::metadata(file).await.ok()?;
    Some((found.modified().ok()?, found.len()))
}

fn read(file: &Path) -> Result<Arc<Cluster>, String> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let text = text_of(&name, bytes).map_err(|faults| faults.to_string())?;
    let checked = parse_cluster(&name, &text).map_err(|faults| faults.to_string())?;
    Ok(Arc::new(checked.cluster))
}
