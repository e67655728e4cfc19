//! What excuses an automatic switchover, and what does not.

use super::blame::*;

#[test]
fn a_plane_that_was_out_is_a_cause_and_one_that_was_not_is_none() {
    let mut harm = Harm::default();
    harm.plane_out(0, 10_000);
    harm.plane_back(0, 12_000);
    assert!(harm.excuses(0, 11_000));
    assert!(harm.excuses(0, 16_500));
    assert!(!harm.excuses(0, 9_000), "before the outage");
    assert!(!harm.excuses(0, 18_000), "long after it");
    assert!(!harm.excuses(1, 11_000), "the other plane");
}

#[test]
fn one_node_that_cannot_reach_a_plane_is_no_cause_and_two_are() {
    let mut harm = Harm::default();
    harm.way_cut(0, 1, 1_000);
    assert!(!harm.excuses(1, 3_000));
    harm.way_cut(2, 1, 2_000);
    assert!(harm.excuses(1, 3_000));
    assert!(!harm.excuses(0, 3_000));
    harm.way_free(2, 1, 4_000);
    harm.way_free(0, 1, 5_000);
    assert!(harm.excuses(1, 9_000));
    assert!(!harm.excuses(1, 12_000));
    // One after the other is not both.
    let mut turns = Harm::default();
    turns.way_cut(0, 0, 1_000);
    turns.way_free(0, 0, 2_000);
    turns.way_cut(1, 0, 4_000);
    assert!(!turns.excuses(0, 6_000));
}
