//! What a ballot rests on.

use super::*;

#[test]
fn a_ballot_rests_on_probes_begun_after_the_question_was_seen() {
    let mut world = shop();
    world.run(ms(5000));
    world.fail("east.shop", ProbeFault::Refused);
    world.run(ms(8000));
    assert_eq!(world.report("shop"), "du");
    assert_eq!(world.ballot("shop", ms(7000)), "du");
    let seen = world.now + Duration::from_micros(1);
    assert_eq!(world.ballot("shop", seen), "??");
    world.now = seen;
    world.prober.hasten(world.now, &[name("shop")].into());
    world.run(seen + Duration::from_millis(200));
    assert_eq!(world.ballot("shop", seen), "du");
    assert!(world.prober.ballot(std::iter::once(&name("other")), seen).is_empty());
}

#[test]
fn a_result_against_the_report_makes_the_ballot_unknown() {
    let mut world = shop();
    world.run(ms(5000));
    world.fail("east.shop", ProbeFault::Refused);
    let asked = world.now;
    world.prober.hasten(asked, &[name("shop")].into());
    while world.probes_of("east.shop").last().is_none_or(|last| *last < asked) {
        world.run(world.prober.next_due());
    }
    assert_eq!(world.report("shop"), "uu", "one failure is not an outage");
    assert_eq!(&world.ballot("shop", asked)[..1], "?");
}

#[test]
fn an_observer_is_isolated_when_no_reference_answers_since() {
    let mut world = World::new(&[]);
    assert_eq!(world.prober.isolated(None), Some(false), "nothing to reach");
    assert_eq!(world.prober.next_due(), Moment::NEVER);
    world.configure(&[], &[endpoint("r1"), endpoint("r2")]);
    assert_eq!(world.prober.isolated(None), None);
    world.run(ms(3000));
    assert!(world.changes.reference);
    assert_eq!(world.prober.isolated(None), Some(false));
    world.fail("r1", ProbeFault::TimedOut);
    world.run(ms(6000));
    assert_eq!(world.prober.isolated(None), Some(false));
    world.fail("r2", ProbeFault::Refused);
    world.run(ms(8000));
    assert_eq!(world.prober.isolated(None), Some(true));
    let asked = world.now + Duration::from_micros(1);
    assert_eq!(world.prober.isolated(Some(asked)), None);
    world.now = asked;
    world.prober.hasten_references(asked);
    world.run(asked + Duration::from_millis(200));
    assert_eq!(world.prober.isolated(Some(asked)), Some(true));
    world.failing.clear();
    world.run(ms(12_000));
    assert_eq!(world.prober.isolated(Some(asked)), Some(false));
}
