//! Seeded schedules of everything that goes wrong: loss, duplication, reordering, slow disks, crashes.

use super::super::limits;
use super::cluster::{Cluster, Message, keep};

struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }

    fn place(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(u64::try_from(bound).unwrap())).unwrap()
    }
}

/// What a run met.
#[derive(Debug, Default)]
struct Met {
    crashes: u64,
    restores: usize,
    applied: usize,
    terms: u64,
}

fn turn(cluster: &mut Cluster, draws: &mut Draws, met: &mut Met, number: u64) {
    let place = draws.place(3);
    if cluster.nodes[place].consensus.is_none() {
        if draws.below(20) == 0 {
            cluster.start(place);
        }
        return;
    }
    match draws.below(100) {
        0 if draws.below(4) == 0 => {
            met.crashes += 1;
            let kept = draws.place(cluster.nodes[place].under_way.len() + 1);
            let node = &mut cluster.nodes[place];
            for batch in node.under_way.drain(..kept).collect::<Vec<_>>() {
                keep(&mut node.disk, &batch);
            }
            cluster.crash(place);
        }
        1 => cluster.isolate(place),
        2 => cluster.cut.clear(),
        3..=5 => cluster.nodes[place].compact(),
        6 => drop(cluster.nodes[place].live().transfer_leadership()),
        7..=12 => {
            let many = if draws.below(16) == 0 { limits::TAIL + 50 } else { 1 };
            for _ in 0..many {
                let _ = cluster.nodes[place].live().propose(number.to_be_bytes().to_vec());
            }
        }
        13..=40 => drop(cluster.nodes[place].complete()),
        41..=55 => cluster.nodes[place].live().tick(),
        _ => carry(cluster, draws),
    }
}

fn carry(cluster: &mut Cluster, draws: &mut Draws) {
    if cluster.network.is_empty() {
        return;
    }
    let at = if draws.below(4) == 0 { draws.place(cluster.network.len()) } else { 0 };
    let Some(message) = cluster.network.remove(at) else { return };
    match draws.below(30) {
        0 => {}
        1 => {
            let Message { from, to, ref bytes, bulk } = message;
            cluster.network.push_back(Message { from, to, bytes: bytes.clone(), bulk });
            cluster.deliver(&message);
        }
        _ => cluster.deliver(&message),
    }
}

fn run(seed: u64) -> (Met, u64) {
    let mut cluster = Cluster::new(seed);
    let mut draws = Draws(seed);
    let mut met = Met::default();
    for number in 0..6_000 {
        turn(&mut cluster, &mut draws, &mut met, number);
        for place in 0..3 {
            cluster.poll(place);
        }
        if number % 50 == 0 {
            cluster.check_agreement();
        }
    }
    let acknowledged = cluster.nodes.iter().map(|node| node.applied.clone()).max_by_key(Vec::len);
    // Everything heals, and everybody must get there.
    cluster.cut.clear();
    for place in 0..3 {
        if cluster.nodes[place].consensus.is_none() {
            cluster.start(place);
        }
    }
    let leader = cluster.elect();
    let _ = cluster.nodes[leader].live().propose(b"last".to_vec());
    cluster.until("all have the last entry", |cluster| {
        if let Some(leader) = cluster.leader()
            && cluster.nodes[leader].applied.iter().all(|(_, _, data)| data != b"last")
        {
            let _ = cluster.nodes[leader].live().propose(b"last".to_vec());
        }
        cluster.nodes.iter().all(|node| node.applied.iter().any(|(_, _, data)| data == b"last"))
    });
    cluster.check_agreement();
    let acknowledged = acknowledged.unwrap();
    assert_eq!(cluster.nodes[0].applied[..acknowledged.len()], acknowledged, "seed {seed}");
    met.restores = cluster.nodes.iter().map(|node| node.restores).sum();
    met.applied = acknowledged.len();
    met.terms = cluster.nodes[leader].live().term();
    (met, cluster.digest)
}

#[test]
fn what_was_applied_anywhere_is_applied_everywhere_whatever_goes_wrong() {
    let mut all = Met::default();
    for seed in 0..60 {
        let (met, _) = run(seed);
        all.crashes += met.crashes;
        all.restores += met.restores;
        all.applied += met.applied;
        all.terms += met.terms;
    }
    let enough = all.crashes > 200 && all.applied > 2_000 && all.terms > 200 && all.restores > 5;
    assert!(enough, "{all:?}");
}

#[test]
fn a_wild_run_repeats_itself() {
    assert_eq!(run(5).1, run(5).1);
}
