//! Seeded schedules of everything that goes wrong: loss, duplication, reordering, slow disks, crashes. What is
//! applied is compared as it is applied.

use super::*;

struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }

    fn place(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(u64::try_from(bound).expect("small"))).expect("small")
    }
}

/// What a run met.
#[derive(Debug, Default, PartialEq, Eq)]
struct Met {
    crashes: usize,
    restores: usize,
    applied: usize,
    terms: usize,
}

struct Run {
    trio: Trio,
    /// The disks of members that do not run.
    down: BTreeMap<u64, Recovered>,
    draws: Draws,
    crashes: usize,
}

impl Run {
    fn turn(&mut self, number: u64) {
        let id = 1 + self.draws.below(3);
        if let Some(disk) = self.down.remove(&id) {
            if self.draws.below(20) == 0 {
                self.trio.start(id, disk);
            } else {
                self.down.insert(id, disk);
            }
            return;
        }
        let trio = &mut self.trio;
        trio.node(id).slow_disk = true;
        match self.draws.below(100) {
            0 if self.draws.below(4) == 0 => self.crash(id),
            1 => drop(trio.cut.insert(id)),
            2 => trio.cut.clear(),
            3..=5 => drop(trio.compact(id, 20)),
            6 => drop(trio.node(id).consensus.transfer_leadership()),
            7..=12 => {
                let many = if self.draws.below(16) == 0 { 50 } else { 1 };
                for _ in 0..many {
                    let _ = trio.node(id).consensus.propose(number.to_string().into_bytes());
                }
            }
            13..=40 => trio.write(id),
            41..=55 => trio.node(id).consensus.tick(),
            _ => self.carry(),
        }
        if self.trio.nodes.contains_key(&id) {
            self.trio.pump(id);
        }
    }

    /// The process dies; some of the writes under way were done.
    fn crash(&mut self, id: u64) {
        self.crashes += 1;
        let node = self.trio.node(id);
        let kept = self.draws.place(node.writes.len() + 1);
        for batch in node.writes.drain(..kept).collect::<Vec<_>>() {
            store(&mut node.disk, batch);
        }
        let disk = self.trio.kill(id);
        self.down.insert(id, disk);
    }

    fn carry(&mut self) {
        let under_way = self.trio.net.len();
        if under_way == 0 {
            return;
        }
        let at = if self.draws.below(4) == 0 { self.draws.place(under_way) } else { 0 };
        let Some(message) = self.trio.net.remove(at) else { return };
        match self.draws.below(30) {
            0 => {}
            1 => {
                self.trio.net.push_back(message.clone());
                self.trio.deliver_one(message);
            }
            _ => self.trio.deliver_one(message),
        }
    }

    /// Everything heals, and everybody must get there.
    fn heal(&mut self) {
        self.trio.cut.clear();
        for (id, disk) in std::mem::take(&mut self.down) {
            self.trio.start(id, disk);
        }
        for id in 1..=3 {
            self.trio.write_all(id);
        }
        let last = self.trio.chain.keys().last().copied().unwrap_or(0);
        self.trio.until("all have what was applied anywhere", |trio| {
            trio.leader().is_some() && trio.nodes.values().all(|node| node.next > last)
        });
        // Long enough for a handing over that was begun to end.
        self.trio.run(60);
        let leader = self.trio.elect();
        self.trio.propose(leader, "healed");
        self.trio.until("all go on", |trio| {
            (1..=3).all(|id| trio.words(id).last().is_some_and(|word| word == "healed"))
        });
    }
}

fn run(seed: u64) -> (Met, Vec<(u64, u64, Bytes)>) {
    let mut run =
        Run { trio: Trio::new(seed), down: BTreeMap::new(), draws: Draws(seed), crashes: 0 };
    for number in 0..6_000 {
        run.turn(number);
    }
    run.heal();
    let Run { trio, crashes, .. } = run;
    let met = Met {
        crashes,
        restores: trio.restores,
        applied: trio.chain.len(),
        terms: trio.leaders.len(),
    };
    (met, trio.trace)
}

#[test]
fn what_was_applied_anywhere_is_applied_everywhere_whatever_goes_wrong() {
    let mut all = Met::default();
    for seed in 0..80 {
        let (met, _) = run(seed);
        all.crashes += met.crashes;
        all.restores += met.restores;
        all.applied += met.applied;
        all.terms += met.terms;
    }
    let enough = all.crashes > 200 && all.applied > 2_000 && all.terms > 200 && all.restores > 20;
    assert!(enough, "{all:?}");
}

#[test]
fn a_wild_run_repeats_itself() {
    assert!(run(5) == run(5));
}
