//! Plans are repeatable, whole, and get in nobody's way.

use std::collections::BTreeSet;

use super::schedule::*;

#[test]
fn one_seed_is_one_plan() {
    let words = |seed| {
        let plan = Schedule::draw(seed, 45_000);
        plan.troubles.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(words(7), words(7));
    assert_ne!(words(7), words(8));
}

#[test]
fn four_seeds_in_a_row_have_every_kind() {
    for first in [1_u64, 100, 777] {
        let plans = (first..first + 4).map(|seed| Schedule::draw(seed, 45_000));
        let kinds: BTreeSet<Kind> =
            plans.flat_map(|plan| plan.troubles).map(|trouble| trouble.kind).collect();
        let missing: Vec<_> = Kind::ALL.iter().filter(|kind| !kinds.contains(kind)).collect();
        assert!(missing.is_empty(), "from seed {first}: {missing:?}");
    }
}

#[test]
fn troubles_of_one_thing_do_not_overlap_and_end_in_time() {
    for seed in 0..200 {
        let plan = Schedule::draw(seed, 60_000);
        assert!(plan.troubles.len() > 15, "seed {seed}: {}", plan.troubles.len());
        for (at, trouble) in plan.troubles.iter().enumerate() {
            assert!(trouble.end() <= 60_000, "{trouble}");
            let clocks = trouble.kind.name().contains("clock");
            assert!(!clocks || trouble.node == plan.odd, "{trouble}");
            for other in &plan.troubles[..at] {
                assert!(!trouble.bars(other) || trouble.at > other.end(), "{other}; {trouble}");
            }
        }
    }
}
