//! How many probes are started, whatever happens.

use super::super::super::{limits, probe_rate};
use super::*;
use crate::kernel::domain::TlsProbe;

/// A few services, some of whose checks are equal but for their thresholds or their intervals.
fn services() -> BTreeMap<ServiceName, Service> {
    let slower = Check { interval: 3 * SECOND, fast_interval: SECOND, ..check("mail") };
    let stricter = Check { fall: 1, ..check("shop") };
    let rarely =
        Check { interval: 3600 * SECOND, fast_interval: 3600 * SECOND, ..check("archive") };
    let lists = [
        ("shop", vec![("web", check("shop")), ("port", check("shop"))]),
        ("mail", vec![("web", slower), ("rare", rarely)]),
        ("pay", vec![("web", check("shop")), ("strict", stricter)]),
    ];
    lists.iter().map(|(text, checks)| (name(text), service(checks, Require::All))).collect()
}

#[test]
fn equal_checks_count_once_and_other_thresholds_make_another_probe() {
    let rate = |services: &BTreeMap<ServiceName, Service>, references: &[Endpoint]| {
        probe_rate(&planes(), services, references, SECOND)
    };
    // On two planes: shop five times a second, twice for its thresholds; mail and archive once.
    assert_eq!(rate(&services(), &[]), 2 * (5 + 5 + 1 + 1));
    assert_eq!(rate(&services(), &[endpoint("far"), endpoint("far")]), 24 + 5);
    assert_eq!(rate(&BTreeMap::new(), &[]), 0);
}

#[test]
fn what_a_kind_demands_makes_another_probe() {
    let tls = |days: u32| {
        let mut check = check("shop");
        for target in check.targets.values_mut() {
            let probe = TlsProbe { host: String::new(), tls_verify: true, days };
            Arc::make_mut(target).kind = ProbeKind::Tls(probe);
        }
        check
    };
    let rate = |checks: &[(&str, Check)]| {
        let services = BTreeMap::from([(name("shop"), service(checks, Require::All))]);
        probe_rate(&planes(), &services, &[], SECOND)
    };
    assert_eq!(rate(&[("one", tls(14)), ("two", tls(14))]), 10);
    assert_eq!(rate(&[("one", tls(14)), ("two", tls(15))]), 20);
}

#[test]
fn however_bad_it_is_no_second_has_more_probes_than_were_reckoned_with() {
    let references = [endpoint("far")];
    let most = probe_rate(&planes(), &services(), &references, SECOND);
    let mut prober = Prober::new(3);
    prober.configure(Moment::ZERO, &planes(), &services(), &references, SECOND);
    let all: BTreeSet<ServiceName> = services().into_keys().collect();
    let mut starts: Vec<Moment> = Vec::new();
    let mut now = Moment::ZERO;
    for step in 0..20_000_u64 {
        now = ms(step);
        // Hints without end, and every other probe fails.
        prober.hasten(now, &all);
        prober.hasten_references(now);
        while let Some(order) = prober.poll(now) {
            starts.push(now);
            let outcome =
                if starts.len().is_multiple_of(2) { Ok(()) } else { Err(ProbeFault::Refused) };
            let timings = ProbeTimings::default();
            prober.on_result(now, ProbeResult { id: order.id, began: now, outcome, timings });
        }
    }
    let in_second = |from: Moment| {
        let end = from + SECOND;
        u64::try_from(starts.iter().filter(|at| (from..end).contains(at)).count()).expect("few")
    };
    // Jitter makes an interval shorter by a tenth: for each target one probe more may fall into a second.
    let targets = u64::try_from(prober.targets.len()).expect("few");
    let bound = most + most / (limits::JITTER_PART - 1) + targets;
    let busiest = (0..19).map(|second| in_second(ms(second * 1000))).max().expect("some");
    assert!(busiest <= bound, "{busiest} in one second, {bound} reckoned");
    assert!(now > ms(19_000) && busiest > most / 2, "it was busy: {busiest} of {most}");
}
