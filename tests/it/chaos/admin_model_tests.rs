//! Histories of the admin API, good ones and bad ones.

use super::admin_model::*;
use super::linear::Timed;

fn timed(call: u64, answer: impl Into<Option<u64>>, op: GroupOp) -> Timed<GroupOp> {
    let words = format!("{op:?}");
    Timed { call, answer: answer.into(), op, words }
}

fn read(epoch: u64, plane: &str) -> GroupOp {
    GroupOp::Read { epoch, plane: plane.to_owned(), frozen: None }
}

fn switched(base: u64, to: &str, id: &str) -> GroupOp {
    GroupOp::Switched { base, to: to.to_owned(), id: id.to_owned() }
}

fn first() -> Group {
    Group { epoch: 1, frozen: None, pending: None }
}

/// East, west by `s1`, east by `s2`.
fn truth() -> Truth {
    let planes = [(1, "east"), (2, "west"), (3, "east")];
    let fate = |base, to: &str| Fate { base, to: to.to_owned(), made: Some(base + 1) };
    Truth {
        planes: planes.map(|(epoch, plane)| (epoch, plane.to_owned())).into(),
        switchovers: [("s1".to_owned(), fate(1, "west")), ("s2".to_owned(), fate(2, "east"))]
            .into(),
    }
}

#[test]
fn accepted_switches_and_the_clusters_own_fit_between_reads() {
    let history = [
        timed(0, 1, read(1, "east")),
        timed(2, 5, switched(1, "west", "s1")),
        timed(6, 7, read(1, "east")),
        timed(8, 9, read(2, "west")),
        timed(10, 11, GroupOp::Stale { base: 1 }),
        timed(12, 13, GroupOp::There { base: 2, to: "west".to_owned() }),
        // The quorum's own, `s2`.
        timed(14, 15, read(3, "east")),
    ];
    assert_eq!(check_group(&truth(), &first(), &history), Ok(()));
}

#[test]
fn a_stale_read_is_caught() {
    let history = [timed(0, 1, read(3, "east")), timed(2, 3, read(2, "west"))];
    assert!(check_group(&truth(), &first(), &history).unwrap_err().contains("no order"));
    let wrong = [timed(0, 1, read(2, "east"))];
    assert!(check_group(&truth(), &first(), &wrong).is_err(), "an epoch has one plane");
}

#[test]
fn a_lost_acknowledged_switch_is_caught() {
    let history = [timed(2, 5, switched(3, "west", "s3"))];
    let said = check_group(&truth(), &first(), &history).unwrap_err();
    assert!(said.contains("lost"), "{said}");
}

#[test]
fn two_successes_of_one_compare_and_set_are_caught() {
    let mut both = truth();
    let fate = Fate { base: 1, to: "west".to_owned(), made: Some(2) };
    both.switchovers.insert("s9".to_owned(), fate.clone());
    assert!(check_group(&both, &first(), &[]).unwrap_err().contains("both made"));
    // The same, when the second one's record says that it came to nothing.
    both.switchovers.insert("s9".to_owned(), Fate { made: None, ..fate });
    let history = [
        timed(0, 1, switched(1, "west", "s1")),
        timed(2, 3, read(2, "west")),
        timed(4, 5, switched(1, "west", "s9")),
    ];
    assert!(check_group(&both, &first(), &history).unwrap_err().contains("no order"));
    // While one is under way, no other is accepted.
    let history = [timed(0, 1, switched(1, "west", "s1")), timed(2, 3, switched(1, "west", "s9"))];
    assert!(check_group(&both, &first(), &history).is_err());
    // One that ended before the other was asked for is fine.
    let history = [timed(0, 1, switched(1, "west", "s9")), timed(2, 3, switched(1, "west", "s1"))];
    assert_eq!(check_group(&both, &first(), &history), Ok(()));
}

#[test]
fn no_route_moves_before_its_switch_was_asked_for() {
    let history = [timed(0, 1, read(2, "west")), timed(2, 3, switched(1, "west", "s1"))];
    assert!(check_group(&truth(), &first(), &history).is_err());
}

#[test]
fn a_freeze_is_a_register_beside_the_route() {
    let freeze = |why: &str| GroupOp::Freeze { reason: Some(why.to_owned()) };
    let seen = |why: &str| GroupOp::Read {
        epoch: 1,
        plane: "east".to_owned(),
        frozen: Some(why.to_owned()),
    };
    let good = [
        timed(0, 1, freeze("a")),
        timed(2, None, freeze("b")),
        timed(3, 4, seen("a")),
        timed(5, 6, seen("b")),
        timed(7, 8, GroupOp::Freeze { reason: None }),
        timed(9, 10, read(1, "east")),
    ];
    assert_eq!(check_group(&truth(), &first(), &good), Ok(()));
    let bad = [timed(0, 1, freeze("a")), timed(2, 3, read(1, "east"))];
    assert!(check_group(&truth(), &first(), &bad).is_err());
}

#[test]
fn a_drain_that_was_acknowledged_is_seen() {
    let timed = |call, op: DrainOp| {
        let words = format!("{op:?}");
        Timed { call, answer: Some(call + 1), op, words }
    };
    let on = || Some("works".to_owned());
    let good = [timed(0, DrainOp::Set(on())), timed(2, DrainOp::Read(on()))];
    assert_eq!(check_drain(&good), Ok(()));
    let bad = [timed(0, DrainOp::Set(on())), timed(2, DrainOp::Read(None))];
    assert!(check_drain(&bad).is_err());
}
