//! A lease from its first renewal to the other plane's, and each way in which a weaker rule would break.

use std::time::Duration;

use super::*;
use crate::kernel::domain::{Epoch, GroupName, HolderName, HostName, Moment, PlaneName};

const D: u64 = 5_000;
const STOP: u64 = 1_000;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn at(millis: u64) -> Moment {
    Moment::from_micros(millis * 1_000)
}

const fn epoch(counter: u64) -> Epoch {
    Epoch { generation: 1, counter }
}

fn terms() -> Terms {
    let (lease, stop, margin) = (ms(D), ms(STOP), ms(100));
    Terms { lease, stop, margin, renew: ms(500), drift_ppm: 500 }
}

fn plane(name: &str) -> PlaneName {
    PlaneName::new(name).expect("a name")
}

fn shop() -> GroupName {
    GroupName::new("shop").expect("a name")
}

fn holder(name: &str, run: u128) -> Holder {
    Holder { name: HolderName::new(name).expect("a name"), run: Run(run) }
}

fn host(name: &str) -> HostName {
    HostName::new(name).expect("a name")
}

fn on(name: &str, index: u64) -> Registration {
    let standing = Standing::Live {};
    Registration { plane: plane(name), host: host(&format!("{name}-1")), at: index, standing }
}

/// East may act, at epoch 1; an agent stands on each side.
fn tenure() -> Tenure {
    let mut tenure = Tenure::new(plane("east"), epoch(1), terms());
    assert_eq!(tenure.register(holder("agent-e", 1), on("east", 2)), Ok(()));
    assert_eq!(tenure.register(holder("agent-w", 2), on("west", 3)), Ok(()));
    tenure
}

fn hold(name: &str, run: u128, on: &str) -> Hold {
    Hold::new((holder(name, run), shop(), plane(on)), terms(), None)
}

/// One that acts at epoch 1, by a renewal that it sent at a time.
fn acting(sent: u64) -> Hold {
    let mut hold = hold("agent-e", 1, "east");
    let renewal = hold.renew(epoch(1), at(sent)).expect("nothing is fenced");
    hold.granted(&renewal, at(sent + 200));
    let by = at(sent + D - STOP);
    assert_eq!(hold.order(at(sent + 200)), Some(Order::Start { epoch: epoch(1), by }));
    hold.started();
    hold
}

#[test]
fn a_holder_stops_by_itself_so_long_after_it_sent_what_was_granted_last() {
    let mut hold = acting(1_000);
    let until = at(1_000 + D - STOP);
    assert_eq!(hold.right(at(1_200)), Some(Right { epoch: epoch(1), until }));
    assert_eq!((hold.due(), hold.order(at(4_999))), (until, None));
    // Sent, and not granted: it moves nothing.
    let second = hold.renew(epoch(1), at(2_000)).expect("nothing is fenced");
    assert_eq!(
        (hold.right(at(4_999)).map(|right| right.until), hold.right(until)),
        (Some(until), None)
    );
    hold.granted(&second, at(4_999));
    assert_eq!(
        hold.due(),
        at(2_000 + D - STOP),
        "counted from when it was sent, not from when it was heard of"
    );
    // The answer to the first, once more, moves nothing back.
    let first = Renewal { seq: 1, ..second };
    hold.granted(&first, at(5_000));
    assert_eq!(hold.due(), at(6_000));
    // A timer that comes late is a hint: nothing is begun, and it stops at once.
    assert_eq!(hold.right(at(6_500)), None);
    let stop = Order::Stop { epoch: epoch(1), by: at(2_000 + D) };
    assert_eq!(hold.order(at(6_500)), Some(stop));
    assert_eq!((hold.order(at(6_600)), hold.phase()), (None, Phase::Stopping { epoch: epoch(1) }));
    hold.stopped();
    assert_eq!((hold.order(at(7_100)), hold.phase()), (None, Phase::Stopped {}));
}

#[test]
fn a_grant_of_another_process_seq_epoch_or_length_gives_nothing() {
    let mut hold = hold("agent-e", 1, "east");
    let own = hold.renew(epoch(2), at(0)).expect("nothing is fenced");
    let others = [
        Renewal { holder: holder("agent-e", 9), ..own.clone() },
        Renewal { seq: 7, ..own.clone() },
        Renewal { epoch: epoch(1), ..own.clone() },
        Renewal { lease: ms(D + 1), ..own.clone() },
        Renewal { plane: plane("west"), ..own.clone() },
    ];
    for other in &others {
        hold.granted(other, at(100));
        assert_eq!(hold.order(at(100)), None, "{other:?}");
    }
    // Its own, when the lease has ended on its clock.
    let mut late = hold.clone();
    late.granted(&own, at(D));
    assert_eq!(late.order(at(D)), None);
    hold.granted(&own, at(D - 1));
    assert_eq!(hold.order(at(D - 1)), None, "too little is left to begin anything");
    assert_eq!(hold.right(at(D - 1)), None);
}

#[test]
fn what_was_fenced_is_never_held_again_and_is_answered_by_one_return() {
    let mut hold = acting(0);
    let late = hold.renew(epoch(1), at(900)).expect("nothing is fenced");
    hold.fence(epoch(1), 40);
    assert_eq!(hold.right(at(1_000)), None, "nothing is begun once it knows");
    assert_eq!(hold.order(at(1_000)), Some(Order::Stop { epoch: epoch(1), by: at(D) }));
    assert_eq!(hold.order(at(1_100)), None, "it has not stopped: it must not say so");
    hold.granted(&late, at(1_200));
    hold.stopped();
    assert_eq!(hold.order(at(1_300)), Some(Order::Return { fence: 40 }));
    assert_eq!(hold.order(at(1_400)), Some(Order::Return { fence: 40 }), "until it is told");
    hold.told(39);
    assert_eq!(hold.order(at(1_400)), Some(Order::Return { fence: 40 }), "another fence's");
    hold.told(40);
    assert_eq!((hold.order(at(1_500)), hold.renew(epoch(1), at(1_500))), (None, None));
    // It comes again, late: nothing is owed for what is done.
    let mut newer = hold.clone();
    let renewal = newer.renew(epoch(3), at(2_000)).expect("a newer epoch");
    newer.granted(&renewal, at(2_100));
    assert!(matches!(newer.order(at(2_100)), Some(Order::Start { .. })));
    newer.started();
    newer.fence(epoch(1), 40);
    assert_eq!(newer.right(at(2_200)).map(|right| right.epoch), Some(epoch(3)));
}

#[test]
fn only_a_live_process_of_the_active_plane_is_granted_its_epoch_and_length() {
    let mut tenure = tenure();
    let mut east = hold("agent-e", 1, "east");
    let own = east.renew(epoch(1), at(0)).expect("nothing is fenced");
    assert_eq!(tenure.judge(&own), Ok(()));
    let judge = |tenure: &Tenure, change: &dyn Fn(&mut Renewal)| {
        let mut other = own.clone();
        change(&mut other);
        tenure.judge(&other).expect_err("it is not")
    };
    assert!(matches!(
        judge(&tenure, &|r| r.plane = plane("west")),
        Refusal::NotActive { epoch: e, .. } if e == epoch(1)
    ));
    assert!(matches!(judge(&tenure, &|r| r.epoch = epoch(2)), Refusal::NotActive { .. }));
    assert_eq!(judge(&tenure, &|r| r.holder.run = Run(8)), Refusal::NotRegistered {});
    assert_eq!(judge(&tenure, &|r| r.lease = ms(1)), Refusal::OtherLease { due: ms(D) });
    // Another process of its name: the one before is granted nothing, and is waited for.
    assert_eq!(tenure.register(holder("agent-e", 5), on("east", 9)), Ok(()));
    assert_eq!(judge(&tenure, &|_| {}), Refusal::NotRegistered {});
    assert_eq!(tenure.register(holder("agent-e", 1), on("east", 10)), Err(TenureError::Again {}));
    assert_eq!(tenure.fence(11), Ok(()));
    assert_eq!(judge(&tenure, &|_| {}), Refusal::Fenced {});
    assert_eq!(tenure.wait_set(&plane("east")).count(), 2);
}

#[test]
fn the_other_plane_opens_when_all_have_returned_for_this_very_fence() {
    let mut tenure = tenure();
    let (east, west) = (holder("agent-e", 1), holder("agent-w", 2));
    assert_eq!(tenure.returned(&east, 4), Err(TenureError::NotFenced {}), "of no fence");
    assert_eq!(tenure.fence(7), Ok(()));
    assert!(matches!(tenure.fence(8), Err(TenureError::Fencing { .. })));
    assert_eq!(tenure.returned(&east, 4), Err(TenureError::OtherFence { named: 4, stands: 7 }));
    assert_eq!(tenure.returned(&west, 7), Err(TenureError::Unknown {}), "nobody waits for it");
    assert_eq!(tenure.fence_done(7, Proof::Accounted), Err(TenureError::Unaccounted { left: 1 }));
    assert_eq!(tenure.activate(plane("west"), epoch(2)), Err(TenureError::NotDone {}));
    assert!(matches!(
        tenure.register(holder("agent-f", 3), on("east", 8)),
        Err(TenureError::Fencing { .. })
    ));
    assert_eq!(tenure.returned(&east, 7), Ok(()));
    assert_eq!(tenure.fence_done(7, Proof::Accounted), Ok(()));
    assert_eq!(tenure.fence_done(7, Proof::Waited), Err(TenureError::Done {}));
    let old = TenureError::OldEpoch { epoch: epoch(1), last: epoch(1) };
    assert_eq!(
        tenure.activate(plane("east"), epoch(1)),
        Err(old),
        "the same plane too takes a new one"
    );
    assert_eq!(tenure.activate(plane("west"), epoch(2)), Ok(()));
    assert_eq!(tenure.active(), Some((&plane("west"), epoch(2))));
}

#[test]
fn of_nobody_nothing_is_known_and_a_host_is_confirmed_for_all_who_run_there() {
    let mut nobody = Tenure::new(plane("east"), epoch(1), terms());
    assert_eq!(nobody.fence(3), Ok(()));
    assert_eq!(nobody.fence_done(3, Proof::Accounted), Err(TenureError::Unaccounted { left: 0 }));
    assert_eq!(nobody.fence_done(3, Proof::Waited), Ok(()));

    let mut two = tenure();
    let elsewhere = Registration { host: host("east-2"), ..on("east", 4) };
    assert_eq!(two.register(holder("gateway", 7), elsewhere), Ok(()));
    assert_eq!(two.register(holder("gateway", 8), on("east", 5)), Ok(()));
    assert_eq!(
        two.confirmed(&host("east-1"), 6),
        Err(TenureError::NotFenced {}),
        "before the fence"
    );
    assert_eq!(two.fence(6), Ok(()));
    assert_eq!(two.confirmed(&host("east-1"), 6), Ok(()));
    // The one that was superseded runs on another host, which nobody has confirmed.
    assert_eq!(two.accounted(), Err(TenureError::Unaccounted { left: 1 }));
    assert_eq!(two.confirmed(&host("east-2"), 6), Ok(()));
    assert_eq!(two.fence_done(6, Proof::Accounted), Ok(()));
}

#[test]
fn whoever_was_removed_is_waited_for_until_somebody_has_waited_since_then() {
    let mut tenure = tenure();
    let east = holder("agent-e", 1);
    assert_eq!(tenure.remove(&east.name, 5), Ok(()));
    assert_eq!(tenure.remove(&east.name, 6), Err(TenureError::Unknown {}));
    let mut notes = Notes::default();
    notes.applied(&shop(), 5, at(1_000));
    let wait = tenure.wait();
    assert!(wait > ms(D) && !notes.waited(&shop(), 5, at(1_000 + D), wait));
    assert_eq!(tenure.forget(&east, 4), Err(TenureError::Unknown {}), "another removal's");
    assert_eq!(tenure.forget(&east, 5), Ok(()));
    assert_eq!(tenure.wait_set(&plane("east")).count(), 0);
}

#[test]
fn shorter_terms_are_waited_for_as_long_as_anybody_may_go_by_the_longer_ones() {
    let mut tenure = tenure();
    let long = tenure.wait();
    let short = Terms { lease: ms(2_500), stop: ms(100), ..terms() };
    tenure.set_terms(short);
    assert_eq!(tenure.wait(), long);
    assert_eq!(tenure.fence(7), Ok(()));
    assert_eq!(tenure.wait(), long);
    assert_eq!(tenure.fence_done(7, Proof::Waited), Ok(()));
    assert_eq!(tenure.wait(), short.wait());
    // A holder begins to stop as early as either of the terms wants it.
    let mut hold = acting(0);
    hold.set_terms(short);
    assert_eq!(hold.due(), at(D - STOP));
    hold.set_terms(Terms { stop: ms(3_000), ..terms() });
    assert_eq!(hold.due(), at(D - 3_000));
}

#[test]
fn a_round_answers_what_had_arrived_before_it_and_from_a_state_that_is_new_enough() {
    let mut granting = Granting::default();
    let mut east = hold("agent-e", 1, "east");
    let mut renewal = || east.renew(epoch(1), at(0)).expect("nothing is fenced");
    assert_eq!(granting.begin(), None);
    granting.arrived(renewal()).expect("there is room");
    let first = granting.begin().expect("one waits");
    granting.arrived(renewal()).expect("there is room");
    let before = tenure();
    let mut fenced = before.clone();
    assert_eq!(fenced.fence(9), Ok(()));
    assert_eq!(granting.answer(99, |_| Some(&before)), [], "nobody has confirmed anything");
    granting.confirmed(first, 9);
    assert_eq!(granting.answer(8, |_| Some(&before)), [], "the state is too old");
    let answers = granting.answer(9, |_| Some(&fenced));
    assert!(matches!(answers[..], [Answer::Refused(_, Refusal::Fenced {})]));
    // What came after the round began waits for another one, which confirms older ones too.
    assert_eq!((granting.answer(99, |_| Some(&before)), granting.len()), (Vec::new(), 1));
    let second = granting.begin().expect("one waits");
    granting.arrived(renewal()).expect("there is room");
    let third = granting.begin().expect("one waits");
    assert!(first < second && second < third);
    granting.confirmed(third, 9);
    let answers = granting.answer(9, |_| Some(&before));
    assert!(matches!(answers[..], [Answer::Granted(_), Answer::Granted(_)]));
    granting.arrived(renewal()).expect("there is room");
    granting.begin();
    granting.confirmed(third + 1, 9);
    let nobody = granting.answer(9, |_| None);
    assert!(matches!(nobody[..], [Answer::Refused(_, Refusal::NoGroup {})]));
    granting.arrived(renewal()).expect("there is room");
    granting.clear();
    assert!(granting.is_empty());
}

#[test]
fn no_more_wait_and_no_more_are_registered_than_there_is_room_for() {
    let mut granting = Granting::default();
    let mut east = hold("agent-e", 1, "east");
    let renewal = east.renew(epoch(1), at(0)).expect("nothing is fenced");
    while granting.arrived(renewal.clone()).is_ok() {}
    assert_eq!(granting.len(), limits::RENEWALS);
    let mut tenure = Tenure::new(plane("east"), epoch(1), terms());
    let next = |tenure: &mut Tenure, run| tenure.register(holder("agent-e", run), on("east", 2));
    for run in 0..limits::REGISTERED as u128 {
        assert_eq!(next(&mut tenure, run), Ok(()));
    }
    assert_eq!(next(&mut tenure, limits::REGISTERED as u128), Err(TenureError::Full {}));
    // Renewals whose answers nobody waits for any more are forgotten, the oldest first.
    let first = renewal;
    for n in 1..=limits::RENEWALS_SENT as u64 {
        east.renew(epoch(1), at(n)).expect("nothing is fenced");
    }
    east.granted(&first, at(20));
    assert_eq!(east.order(at(20)), None);
}
