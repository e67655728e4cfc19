//! One decision: from the ballot that completes the quorum, as the leader applies it (`decided` in the record), to
//! the new route in the DNS answers of all three nodes. In between lie two commits: the decision, and the route.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::cluster::{ALWAYS_MOVES, Cluster, LIMIT, Size};
use super::figure;
use super::process::until;
use super::published::Watch;
use super::scale::decided;

const GOAL: Duration = Duration::from_millis(15);
const SIZE: Size = Size {
    groups: 1,
    endpoints: 1,
    check: "interval = \"200ms\"\nfast_interval = \"100ms\"\ntimeout = \"100ms\"\nfall = 2\nrise = 2",
    policies: &[ALWAYS_MOVES],
};

/// Measures.
pub(crate) fn run(rounds: usize) {
    let mut cluster = Cluster::steady(SIZE);
    figure::spans("fdatasync of 4 KiB on this disk", &fdatasyncs(cluster.disk()), None);
    let mut spans = Vec::new();
    for round in 0..rounds {
        until(LIMIT, || cluster.all_up(0));
        spans.push(one(&mut cluster, round % 2, 0));
        cluster.start_plane(round % 2);
    }
    figure::spans("the route published on all nodes after the deciding ballot", &spans, Some(GOAL));
}

/// Kills the active plane; this node is asked when it was decided.
pub(crate) fn one(cluster: &mut Cluster, active: usize, node: usize) -> Duration {
    let pause = Duration::from_micros(200);
    let watches = [0, 1, 2].map(|node| Watch::start(cluster.dns(node), pause));
    let first = |watch: &Watch| watch.newest().ok_or_else(|| "no answer yet".to_owned());
    let before = watches.each_ref().map(|watch| until(LIMIT, || first(watch)).1);
    cluster.kill_plane(active);
    let shown = [0, 1, 2].map(|node| {
        until(LIMIT, || {
            let (at, serial) = first(&watches[node])?;
            if serial == before[node] { Err("no switch".to_owned()) } else { Ok(at) }
        })
    });
    let record = until(LIMIT, || {
        let record = cluster.get(node, "/v1/switchovers/last")?;
        if record["state"] == "done" { Ok(record) } else { Err(record["state"].to_string()) }
    });
    let published: SystemTime = shown.into_iter().max().expect("there are nodes");
    published.duration_since(decided(&record)).unwrap_or_default()
}

/// What it takes to make a small write durable: the floor under every commit.
fn fdatasyncs(dir: &Path) -> Vec<Duration> {
    let mut file = File::create(dir.join("fdatasync")).unwrap();
    let once = |_| {
        file.write_all(&[7; 4096]).unwrap();
        let began = Instant::now();
        file.sync_data().unwrap();
        began.elapsed()
    };
    (0..200).map(once).collect()
}
