//! The checker: good histories pass, and each kind of bad one is caught.

use super::linear::*;

/// A register.
struct Register;

#[derive(Clone, Copy, Debug)]
enum Op {
    Read(u8),
    Write(u8),
}

impl Model for Register {
    type State = u8;
    type Op = Op;

    fn step(&self, state: &u8, op: &Op) -> Option<u8> {
        match op {
            Op::Read(value) => (value == state).then_some(*state),
            Op::Write(value) => Some(*value),
        }
    }

    fn by_itself(&self, _: &u8) -> Vec<u8> {
        Vec::new()
    }
}

fn timed(call: u64, answer: impl Into<Option<u64>>, op: Op) -> Timed<Op> {
    Timed { call, answer: answer.into(), op, words: format!("{op:?}") }
}

#[test]
fn overlapping_operations_may_take_effect_in_either_order() {
    let history = [
        timed(0, 10, Op::Write(1)),
        timed(5, 15, Op::Write(2)),
        timed(16, 17, Op::Read(1)),
        timed(1, 9, Op::Read(0)),
    ];
    assert_eq!(check(&Register, 0, &history), Ok(()));
}

#[test]
fn a_stale_read_is_found_and_named() {
    let history = [timed(0, 1, Op::Write(1)), timed(2, 3, Op::Read(0))];
    let said = check(&Register, 0, &history).unwrap_err();
    assert!(said.contains("after 1 of 2") && said.contains("Read(0)"), "{said}");
}

#[test]
fn two_readers_agree_on_the_order() {
    let both = |second: [u8; 2]| {
        [
            timed(0, 100, Op::Write(1)),
            timed(0, 100, Op::Write(2)),
            timed(10, 20, Op::Read(1)),
            timed(30, 40, Op::Read(2)),
            timed(10, 20, Op::Read(second[0])),
            timed(30, 40, Op::Read(second[1])),
        ]
    };
    assert_eq!(check(&Register, 0, &both([1, 2])), Ok(()));
    assert!(check(&Register, 0, &both([2, 1])).is_err());
}

#[test]
fn an_unknown_write_takes_effect_late_or_never_but_not_before_it_was_asked() {
    let unknown = timed(10, None, Op::Write(7));
    let late = [unknown.clone(), timed(20, 21, Op::Read(0)), timed(90, 91, Op::Read(7))];
    assert_eq!(check(&Register, 0, &late), Ok(()));
    let never = [unknown.clone(), timed(20, 21, Op::Read(0))];
    assert_eq!(check(&Register, 0, &never), Ok(()));
    let early = [unknown.clone(), timed(5, 6, Op::Read(7))];
    assert!(check(&Register, 0, &early).is_err());
    let twice = [unknown, timed(20, 21, Op::Read(7)), timed(22, 23, Op::Read(0))];
    assert!(check(&Register, 0, &twice).is_err());
}

#[test]
fn a_long_history_of_three_clients_with_lost_answers_is_searched_in_time() {
    let mut history = Vec::new();
    for at in 0..2_000_u64 {
        let value = u8::try_from(at / 2 % 200).expect("small");
        let op = if at % 2 == 0 { Op::Write(value) } else { Op::Read(value) };
        history.push(timed(at * 10, at * 10 + 9, op));
        if at % 100 == 1 {
            history.push(timed(at * 10, None, Op::Write(250)));
        }
    }
    assert_eq!(check(&Register, 0, &history), Ok(()));
}
