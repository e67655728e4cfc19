//! Ten thousand groups over fifty endpoints, moved together when their plane dies. Pace and budget are off.
//!
//! From the first verdict (the earliest `decided` in the switchovers' records) to the last route in the DNS
//! answers of the slowest node.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use biplane::edge::dns::ask_addresses;
use serde_json::Value;

use super::cluster::{ALWAYS_MOVES, Cluster, LIMIT, NODES, Size, block_on};
use super::figure;
use super::process::until;
use super::published::Watch;

const GROUPS: usize = 10_000;
const GOAL: Duration = Duration::from_secs(3);
const MEMORY_GOAL: u64 = 300;
const SIZE: Size = Size {
    groups: GROUPS,
    endpoints: 50,
    check: "interval = \"500ms\"\nfast_interval = \"200ms\"\ntimeout = \"200ms\"\nfall = 2\nrise = 2",
    policies: &[ALWAYS_MOVES],
};

/// Measures.
pub(crate) fn run(rounds: usize) {
    let mut spans = Vec::new();
    let (mut memory, mut most) = (0, 0);
    for _ in 0..rounds {
        let began = Instant::now();
        let mut cluster = Cluster::steady(SIZE);
        println!("    steady after {:.1?}", began.elapsed());
        // What starting took goes back to the system only bit by bit; both are told.
        memory = memory.max(highest(&cluster, "VmRSS"));
        spans.push(one(&mut cluster));
        most = most.max(highest(&cluster, "VmHWM"));
        slowest_turns(&cluster);
    }
    figure::spans(
        "10,000 routes published on all nodes after the first verdict",
        &spans,
        Some(GOAL),
    );
    figure::mebibytes("memory of a node with 10,000 services, steady", memory, MEMORY_GOAL);
    figure::mebibytes("memory of a node with 10,000 services, most ever", most, MEMORY_GOAL);
}

fn highest(cluster: &Cluster, line: &str) -> u64 {
    (0..NODES.len()).map(|node| cluster.memory(node, line)).max().expect("there are nodes")
}

/// Kills the plane that all groups are on.
fn one(cluster: &mut Cluster) -> Duration {
    let pause = Duration::from_millis(5);
    let watches = [0, 1, 2].map(|node| Watch::start(cluster.dns(node), pause));
    let killed = SystemTime::now();
    cluster.kill_plane(0);
    for node in 0..NODES.len() {
        all_moved(cluster, node);
    }
    let last = watches.each_ref().map(|watch| watch.newest().expect("it answered"));
    assert!(last.iter().all(|(_, serial)| *serial == last[0].1), "not one zone: {last:?}");
    let published = last.iter().map(|(at, _)| *at).max().expect("there are nodes");
    let verdicts = verdicts(cluster);
    let (first, latest) = (verdicts[0], verdicts[verdicts.len() - 1]);
    let after =
        |later: SystemTime, earlier: SystemTime| later.duration_since(earlier).unwrap_or_default();
    println!(
        "    plane killed; first verdict after {:.1?}, last {:.1?}; all published after {:.1?}",
        after(first, killed),
        after(latest, killed),
        after(published, killed)
    );
    after(published, first)
}

/// Waits until a node answers with the other plane for every name.
fn all_moved(cluster: &Cluster, node: usize) {
    let west = [IpAddr::from(Cluster::address(1))];
    for group in 0..GROUPS {
        until(LIMIT, || {
            let (server, name) = (cluster.dns(node), Cluster::name(group));
            let said = block_on(ask_addresses(server, &name, Duration::from_secs(1)))?;
            if said == west {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
            Err(format!("{name} is at {said:?} on {}", NODES[node]))
        });
    }
}

/// When each switchover was decided, by the clock of the leader, in order.
fn verdicts(cluster: &Cluster) -> Vec<SystemTime> {
    let records = until(LIMIT, || cluster.get(0, "/v1/switchovers"));
    let records = records.as_array().expect("a list");
    assert_eq!(records.len(), GROUPS, "each group moved once");
    let mut times: Vec<SystemTime> = records.iter().map(decided).collect();
    times.sort();
    times
}

/// When a switchover was decided.
pub(crate) fn decided(record: &Value) -> SystemTime {
    let steps = record["steps"].as_array().into_iter().flatten();
    let wall =
        steps.filter(|step| step["step"] == "decided").find_map(|step| step["wall"].as_u64());
    UNIX_EPOCH + Duration::from_millis(wall.expect("a decided switchover says when"))
}

/// The longest turn of each node's kernel: the lowest bound in its histogram that no turn exceeded.
fn slowest_turns(cluster: &Cluster) {
    for (node, name) in NODES.iter().enumerate() {
        let text = cluster.metrics(node);
        let mut inputs: BTreeMap<&str, Vec<(f64, u64)>> = BTreeMap::new();
        for line in text.lines() {
            let Some(labels) = line.strip_prefix("biplane_handle_seconds_bucket{") else {
                continue;
            };
            let mut words = labels.split('"');
            let (Some(input), Some(bound), Some(count)) =
                (words.nth(1), words.nth(1), words.next())
            else {
                continue;
            };
            let bound = bound.parse().unwrap_or(f64::INFINITY);
            let count = count.trim_start_matches('}').trim().parse().unwrap_or(0);
            inputs.entry(input).or_default().push((bound, count));
        }
        let longest = |buckets: &Vec<(f64, u64)>| {
            let total = buckets.last().map_or(0, |last| last.1);
            buckets.iter().find(|bucket| bucket.1 == total).map_or(0.0, |bucket| bucket.0)
        };
        let worst = inputs.iter().max_by(|a, b| longest(a.1).total_cmp(&longest(b.1)));
        if let Some((input, buckets)) = worst {
            println!("    longest turn of {name}'s kernel: up to {} s ({input})", longest(buckets));
        }
    }
}
