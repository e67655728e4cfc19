//! Decisions from facts: what the policy makes of each.

use std::time::Duration;

use super::*;
use crate::kernel::domain::{LedgerTime, PlaneName, ServiceName};
use crate::kernel::health::Verdict;
use crate::kernel::policy::{ASK_EXPIRES, Budget, OutWhen, PlaneSum, Policy, WhenBothDown};

fn sum(verdict: Verdict) -> PlaneSum {
    let mut sum = PlaneSum::default();
    sum.add(&ServiceName::new("web").expect("a good name"), verdict);
    sum
}

fn policy(mode: Mode) -> Policy {
    Policy {
        mode,
        dwell: Duration::from_secs(60),
        budget: Some(Budget { switches: 2, window: Duration::from_secs(3600) }),
        flap_limit: None,
        when_both_down: WhenBothDown::Keep,
        degraded_is_out: false,
        ask_expires: ASK_EXPIRES,
    }
}

fn outage(policy: &Policy) -> Facts<'_> {
    Facts {
        policy,
        out_when: OutWhen::AnyCritical,
        source: sum(Verdict::Down),
        target: sum(Verdict::Up),
        target_name: PlaneName::new("west").expect("a good name"),
        now: LedgerTime(10_000_000),
        changed_at: None,
        automatic: &[],
        frozen: None,
        target_drained: None,
        target_unstable: false,
        in_flight: false,
        member_sites: 3,
        two_sites_voted: true,
        approved: false,
    }
}

fn held(facts: &Facts<'_>, reason: &Hold) {
    match decide(facts) {
        Decision::Hold(reasons) => assert!(reasons.contains(reason), "{reasons:?}"),
        other => panic!("{other:?}, expected to hold for {reason:?}"),
    }
}

#[test]
fn an_outage_with_a_good_target_switches_asks_or_is_only_observed() {
    assert_eq!(decide(&outage(&policy(Mode::Auto))), Decision::Switch);
    assert_eq!(decide(&outage(&policy(Mode::Ask))), Decision::Ask);
    held(&outage(&policy(Mode::Observe)), &Hold::Observed);
}

#[test]
fn a_source_that_is_well_stays() {
    let policy = policy(Mode::Auto);
    assert_eq!(decide(&Facts { source: sum(Verdict::Up), ..outage(&policy) }), Decision::Stay);
}

#[test]
fn each_unclear_source_holds_with_its_reason() {
    let policy = policy(Mode::Auto);
    for (verdict, reason) in [
        (Verdict::Partial, Hold::Partial),
        (Verdict::NoData, Hold::NoData),
        (Verdict::Degraded, Hold::Degraded),
    ] {
        held(&Facts { source: sum(verdict), ..outage(&policy) }, &reason);
    }
    let not_enough = Facts { out_when: OutWhen::AtLeast(2), ..outage(&policy) };
    held(&not_enough, &Hold::NotEnoughDown);
}

#[test]
fn each_guard_holds_alone() {
    let policy = policy(Mode::Auto);
    let base = || outage(&policy);
    held(&Facts { target: sum(Verdict::Down), ..base() }, &Hold::BothDown);
    held(
        &Facts { target: sum(Verdict::NoData), ..base() },
        &Hold::TargetNotGood("0 of 1 critical services up; web no-data".to_owned()),
    );
    held(
        &Facts { target_drained: Some("works"), ..base() },
        &Hold::TargetDrained("works".to_owned()),
    );
    held(&Facts { target_unstable: true, ..base() }, &Hold::TargetUnstable);
    held(&Facts { frozen: Some("release"), ..base() }, &Hold::Frozen("release".to_owned()));
    held(&Facts { in_flight: true, ..base() }, &Hold::InFlight);
    held(&Facts { member_sites: 2, ..base() }, &Hold::TooFewSites);
    held(&Facts { two_sites_voted: false, ..base() }, &Hold::OneSiteVoted);
}

#[test]
fn dwell_holds_until_its_last_millisecond() {
    let policy = policy(Mode::Auto);
    let changed_at = Some(LedgerTime(10_000_000 - 59_999));
    held(&Facts { changed_at, ..outage(&policy) }, &Hold::Dwell { left_ms: 1 });
    let changed_at = Some(LedgerTime(10_000_000 - 60_000));
    assert_eq!(decide(&Facts { changed_at, ..outage(&policy) }), Decision::Switch);
}

#[test]
fn the_budget_counts_only_its_window() {
    let policy = policy(Mode::Auto);
    let now = 10_000_000;
    let used = [LedgerTime(now - 3_600_000 + 5), LedgerTime(now - 100_000)];
    held(&Facts { automatic: &used, ..outage(&policy) }, &Hold::Budget { used: 2, left_ms: 5 });
    let one_left = [LedgerTime(now - 3_600_000), LedgerTime(now - 100_000)];
    assert_eq!(decide(&Facts { automatic: &one_left, ..outage(&policy) }), Decision::Switch);
}
