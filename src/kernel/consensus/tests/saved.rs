//! Consensus in the middle of things, written down and read back.

use super::*;

/// What it was in the middle of.
fn comes_back(consensus: &Consensus) -> Option<[usize; 5]> {
    let parts = consensus.under_way()?;
    let written = serde_json::to_string(consensus).expect("it is quiet");
    let read: Consensus = serde_json::from_str(&written).expect("it was just written");
    assert_eq!(read.under_way(), Some(parts));
    assert_eq!(written, serde_json::to_string(&read).expect("what is read back is quiet"));
    Some(parts)
}

#[test]
fn what_is_in_flight_uncommitted_asked_and_voted_comes_back() {
    let (mut trio, leader) = Trio::led(5);
    trio.cut = (1..=3).filter(|id| *id != leader).collect();
    let mut seen = [false; 5];
    let mut look = |consensus: &Consensus| {
        let parts = comes_back(consensus).unwrap_or_default();
        for (seen, part) in seen.iter_mut().zip(parts) {
            *seen |= part > 0;
        }
    };
    for round in 0..60 {
        let node = trio.node(leader);
        if round < 5 {
            node.consensus.propose(vec![b'x'; 100]).expect("it leads");
            let context = ReadContext {
                member: MemberId(leader),
                incarnation: Incarnation(1),
                counter: 1_000 + round,
            };
            node.consensus.read_index(context);
        }
        node.consensus.tick();
        trio.pump(leader);
        look(&trio.node(leader).consensus);
        // The others are cut off, too: each stands for election by itself.
        for id in (1..=3).filter(|id| *id != leader) {
            trio.node(id).consensus.tick();
            trio.pump(id);
            look(&trio.node(id).consensus);
        }
    }
    assert_eq!(seen, [true; 5], "in flight, uncommitted, reads, votes, ticks since a heartbeat");
}
