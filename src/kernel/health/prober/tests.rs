//! When probes are due, and what their results change.

mod ballots;
mod rate;

use std::time::Duration;

use proptest::prelude::*;

use super::super::{Check, Require};
use super::*;
use crate::kernel::domain::{ProbeKind, ProbeTarget, ProbeTimings};

const SECOND: Duration = Duration::from_secs(1);

fn ms(millis: u64) -> Moment {
    Moment::from_micros(millis * 1000)
}

fn name(text: &str) -> ServiceName {
    ServiceName::new(text).expect("a good name")
}

fn planes() -> [PlaneName; 2] {
    ["east", "west"].map(|plane| PlaneName::new(plane).expect("a good name"))
}

fn endpoint(host: &str) -> Endpoint {
    Endpoint { host: host.to_owned(), port: 80 }
}

fn target(host: &str) -> Arc<ProbeTarget> {
    let timeout = Duration::from_millis(500);
    Arc::new(ProbeTarget { endpoint: endpoint(host), kind: ProbeKind::Tcp, timeout })
}

/// A check of `east.HOST` and `west.HOST`: fall 3, rise 2.
fn check(host: &str) -> Check {
    Check {
        targets: planes()
            .map(|plane| (plane.clone(), target(&format!("{plane}.{host}"))))
            .into_iter()
            .collect(),
        interval: SECOND,
        fast_interval: Duration::from_millis(200),
        fall: 3,
        rise: 2,
        slow: None,
    }
}

fn service(checks: &[(&str, Check)], require: Require) -> Service {
    let checks = checks
        .iter()
        .map(|(text, check)| (CheckName::new(text).expect("a good name"), check.clone()));
    Service { critical: true, checks: checks.collect(), require }
}

/// A prober with a world around it, in which every target passes unless it is told otherwise.
struct World {
    prober: Prober,
    now: Moment,
    /// Hosts that fail, and how.
    failing: BTreeMap<String, ProbeFault>,
    took: Duration,
    changes: Changes,
    /// (when, host) of each probe.
    log: Vec<(Moment, String)>,
}

impl World {
    fn new(services: &[(&str, Service)]) -> Self {
        let mut world = Self {
            prober: Prober::new(1),
            now: Moment::ZERO,
            failing: BTreeMap::new(),
            took: Duration::from_millis(3),
            changes: Changes::default(),
            log: Vec::new(),
        };
        world.configure(services, &[]);
        world
    }

    fn configure(&mut self, services: &[(&str, Service)], references: &[Endpoint]) {
        let services = services.iter().map(|(text, s)| (name(text), s.clone())).collect();
        self.prober.configure(self.now, &planes(), &services, references, SECOND);
    }

    fn fail(&mut self, host: &str, fault: ProbeFault) {
        self.failing.insert(host.to_owned(), fault);
    }

    fn answer(&mut self, order: &ProbeOrder, began: Moment) -> Changes {
        let host = &order.target.endpoint.host;
        let outcome = self.failing.get(host).map_or(Ok(()), |fault| Err(fault.clone()));
        let first_byte = self.took / 2;
        let timings = ProbeTimings { total: self.took, first_byte, ..ProbeTimings::default() };
        self.prober.on_result(self.now, ProbeResult { id: order.id, began, outcome, timings })
    }

    /// Lets time pass until `until`; probes are answered at once.
    fn run(&mut self, until: Moment) {
        while self.prober.next_due() <= until {
            self.now = self.now.max(self.prober.next_due());
            while let Some(order) = self.prober.poll(self.now) {
                self.log.push((self.now, order.target.endpoint.host.clone()));
                let changes = self.answer(&order, self.now);
                self.changes.reports.extend(changes.reports);
                self.changes.suspects.extend(changes.suspects);
                self.changes.cleared.extend(changes.cleared);
                self.changes.reference |= changes.reference;
            }
        }
        self.now = until;
    }

    fn report(&self, service: &str) -> String {
        self.prober.reports().get(service).copied().unwrap_or_default().into()
    }

    fn ballot(&self, service: &str, seen: Moment) -> String {
        let service = name(service);
        let ballot = self.prober.ballot(std::iter::once(&service), seen);
        ballot.get(&service).copied().unwrap_or_default().into()
    }

    fn words(&self, service: &str, plane: usize) -> String {
        let words = self.prober.describe(&name(service)).expect("a known service");
        words[plane].values().cloned().collect::<Vec<_>>().join("; ")
    }

    fn probes_of(&self, host: &str) -> Vec<Moment> {
        let of = |entry: &&(Moment, String)| entry.1 == host;
        self.log.iter().filter(of).map(|(at, _)| *at).collect()
    }
}

fn shop() -> World {
    World::new(&[("shop", service(&[("web", check("shop"))], Require::All))])
}

#[test]
fn a_service_is_unknown_until_enough_probes_agree_and_soon_known() {
    let mut world = shop();
    assert_eq!(world.report("shop"), "??");
    assert_eq!(world.words("shop", 0), "unknown: not probed yet");
    world.run(ms(1500));
    assert_eq!(world.report("shop"), "uu");
    assert_eq!(world.changes.reports.len(), 2);
    assert!(world.prober.suspects().is_empty(), "cold start is no suspicion");
    assert!(world.words("shop", 0).starts_with("up, "), "{}", world.words("shop", 0));
    assert!(world.words("shop", 0).ends_with(" passed in a row, last 3.0 ms, first byte 1.5 ms"));
}

#[test]
fn a_probe_that_cannot_be_made_changes_nothing_and_says_why() {
    let mut world = shop();
    let why = ProbeFault::NotProbed("no such program".to_owned());
    world.fail("east.shop", why.clone());
    world.run(ms(3000));
    assert_eq!(world.report("shop"), "?u");
    assert_eq!(world.words("shop", 0), "unknown: not probed: no such program");
    world.failing.clear();
    world.run(ms(6000));
    let up = world.words("shop", 0);
    assert!(up.starts_with("up, ") && !up.contains("not probed"), "{up}");
    world.fail("east.shop", why);
    world.run(ms(9000));
    assert_eq!(world.report("shop"), "uu");
    let words = world.words("shop", 0);
    assert!(words.ends_with("; since then not probed: no such program"), "{words}");
}

#[test]
fn an_outage_is_suspected_at_the_first_failure_and_reported_after_fall_fast_probes() {
    let mut world = shop();
    world.run(ms(10_000));
    world.changes = Changes::default();
    world.log.clear();
    world.fail("east.shop", ProbeFault::Refused);
    world.run(ms(12_000));
    assert_eq!(world.changes.suspects, vec![(name("shop"), 0)]);
    assert_eq!(world.prober.suspects().get("shop"), Some(&[true, false]));
    assert_eq!(world.report("shop"), "du");
    let probes = world.probes_of("east.shop");
    let needed = probes[2].since(probes[0]);
    assert!(needed <= Duration::from_millis(440), "three in {needed:?}");
    assert!(world.words("shop", 0).starts_with("down: connection refused ("));

    world.failing.clear();
    world.run(ms(20_000));
    assert_eq!(world.report("shop"), "uu");
    assert_eq!(world.changes.cleared, vec![(name("shop"), 0)]);
    assert!(world.prober.suspects().is_empty());
}

#[test]
fn probes_keep_their_interval_within_a_tenth() {
    let mut world = shop();
    world.run(ms(5000));
    world.log.clear();
    world.run(ms(60_000));
    let probes = world.probes_of("west.shop");
    for pair in probes.windows(2) {
        let between = pair[1].since(pair[0]).as_millis();
        assert!((900..=1100).contains(&between), "{between} ms");
    }
    assert!(probes.len() > 45);
}

#[test]
fn equal_checks_are_probed_once_and_feed_every_service() {
    let one = service(&[("web", check("shared"))], Require::All);
    let mut other = one.clone();
    other.critical = false;
    let mut world = World::new(&[("shop", one), ("pay", other)]);
    world.run(ms(3000));
    world.fail("east.shared", ProbeFault::TimedOut);
    world.run(ms(6000));
    assert_eq!(world.report("shop"), "du");
    assert_eq!(world.report("pay"), "du");
    assert_eq!(world.changes.suspects, vec![(name("pay"), 0), (name("shop"), 0)]);
    world.log.sort();
    let before = world.log.len();
    world.log.dedup();
    assert_eq!(world.log.len(), before, "nothing is probed twice at one moment");
    assert_eq!(world.prober.targets.len(), 2);
}

#[test]
fn a_lost_result_stops_nothing_and_says_nothing() {
    let mut world = shop();
    world.run(ms(3000));
    let mut lost = Vec::new();
    while lost.len() < 2 {
        world.now = world.now.max(world.prober.next_due());
        lost.extend(world.prober.poll(world.now));
    }
    assert_eq!(world.report("shop"), "uu");
    world.log.clear();
    world.run(world.now + Duration::from_secs(4));
    assert!(world.probes_of("east.shop").len() >= 2, "probing went on");
    assert!(world.prober.suspects().is_empty());

    world.fail("east.shop", ProbeFault::Refused);
    let late = world.answer(&lost[0].clone(), world.now);
    assert_eq!(late, Changes::default(), "a late result is ignored");
}

#[test]
fn a_probe_that_was_not_made_says_nothing_about_its_target() {
    let mut world = shop();
    world.run(ms(3000));
    let ballot = world.ballot("shop", ms(1500));
    world.changes = Changes::default();
    world.fail("east.shop", ProbeFault::NotProbed("out of sockets".to_owned()));
    world.run(ms(20_000));
    assert_eq!(world.changes, Changes::default());
    assert_eq!(world.report("shop"), "uu");
    assert_eq!(ballot, "uu");
    assert_eq!(world.ballot("shop", ms(15_000)), "?u", "it stays unknown to a later question");
}

#[test]
fn hastening_probes_at_once_but_never_faster_than_the_fast_interval() {
    let mut world = shop();
    world.run(ms(5000));
    world.log.clear();
    let asked = world.now;
    for _ in 0..100 {
        world.prober.hasten(world.now, &[name("shop"), name("unknown")].into());
        world.run(world.now + Duration::from_millis(10));
    }
    let probes = world.probes_of("east.shop");
    assert!(probes[0].since(asked) <= Duration::from_millis(200));
    assert!((4..=6).contains(&probes.len()), "{} probes in a second", probes.len());
}

#[test]
fn a_target_in_flight_when_hastened_is_probed_again_after_it() {
    let mut world = shop();
    world.run(ms(5000));
    let order = loop {
        world.now = world.now.max(world.prober.next_due());
        let Some(order) = world.prober.poll(world.now) else { continue };
        if order.target.endpoint.host == "east.shop" {
            break order;
        }
        world.answer(&order, world.now);
    };
    let began = world.now;
    world.now = began + Duration::from_millis(300);
    let asked = world.now;
    world.prober.hasten(asked, &[name("shop")].into());
    world.answer(&order, began);
    assert_eq!(&world.ballot("shop", asked)[..1], "?", "it began before the question");
    world.log.clear();
    world.run(asked);
    assert_eq!(world.probes_of("east.shop"), vec![asked]);
    assert_eq!(&world.ballot("shop", asked)[..1], "u");
}

#[test]
fn new_settings_keep_the_state_of_targets_that_stay() {
    let mut world = shop();
    world.run(ms(5000));
    let mut slower = check("shop");
    slower.interval = Duration::from_secs(30);
    let same = service(&[("page", slower)], Require::All);
    let mut stricter = check("shop");
    stricter.fall = 1;
    let changed = service(&[("web", stricter)], Require::All);
    let new = service(&[("web", check("pay"))], Require::All);
    world.configure(&[("web", same), ("strict", changed), ("pay", new)], &[]);
    assert_eq!(world.report("web"), "uu");
    assert_eq!(world.report("strict"), "??");
    assert_eq!(world.report("pay"), "??");
    assert!(!world.prober.reports().contains_key("shop"));
    world.run(world.now + Duration::from_secs(3));
    assert_eq!(world.report("pay"), "uu");
}

#[test]
fn a_result_in_flight_over_new_settings_still_counts() {
    let mut world = shop();
    world.run(ms(5000));
    world.now = world.prober.next_due();
    let order = world.prober.poll(world.now).expect("one is due");
    let again = service(&[("web", check("shop"))], Require::All);
    world.configure(
        &[("also", service(&[("web", check("a"))], Require::All)), ("shop", again)],
        &[],
    );
    assert_eq!(world.answer(&order, world.now).results, vec![name("shop")]);
}

#[test]
fn a_slow_target_degrades_its_service_only_when_it_stays_slow() {
    let mut slow = check("shop");
    slow.slow = Some(Duration::from_millis(100));
    let mut world = World::new(&[("shop", service(&[("web", slow)], Require::All))]);
    world.run(ms(5000));
    world.took = Duration::from_millis(250);
    world.now = world.now.max(world.prober.next_due());
    let order = world.prober.poll(world.now).expect("one is due");
    world.answer(&order, world.now);
    assert_eq!(world.report("shop"), "uu");
    world.run(ms(9000));
    assert_eq!(world.report("shop"), "gg");
    assert_eq!(world.ballot("shop", ms(7000)), "gg");
    assert!(world.words("shop", 0).starts_with("up, but slower than 100.0 ms: "));
    world.took = Duration::from_millis(5);
    world.run(ms(13_000));
    assert_eq!(world.report("shop"), "uu");
    assert!(world.prober.suspects().is_empty());
}

#[test]
fn one_of_two_alternatives_down_is_degraded() {
    let either = service(&[("a", check("a")), ("b", check("b"))], Require::Any);
    let mut world = World::new(&[("shop", either)]);
    world.fail("east.a", ProbeFault::Refused);
    world.run(ms(5000));
    assert_eq!(world.report("shop"), "gu");
    world.fail("east.b", ProbeFault::Refused);
    world.run(ms(10_000));
    assert_eq!(world.report("shop"), "du");
}

#[test]
fn the_death_of_fifty_endpoints_concerns_ten_thousand_services_once_each() {
    let services: Vec<(String, Service)> = (0..10_000)
        .map(|n| {
            let host = format!("h{}", n % 50);
            (format!("s{n}"), service(&[("web", check(&host))], Require::All))
        })
        .collect();
    let services: Vec<(&str, Service)> =
        services.iter().map(|(text, s)| (text.as_str(), s.clone())).collect();
    let mut world = World::new(&services);
    world.run(ms(3000));
    assert_eq!(world.prober.targets.len(), 100);
    assert!(world.prober.reports().values().all(|pair| String::from(*pair) == "uu"));
    world.changes = Changes::default();
    for n in 0..50 {
        world.fail(&format!("east.h{n}"), ProbeFault::Refused);
    }
    world.run(ms(6000));
    assert!(world.prober.reports().values().all(|pair| String::from(*pair) == "du"));
    assert_eq!(world.changes.reports.len(), 10_000);
    assert_eq!(world.changes.suspects.len(), 10_000);
}

#[test]
fn ten_thousand_targets_are_each_probed_soon_and_spread() {
    let services: Vec<(String, Service)> = (0..5_000)
        .map(|n| (format!("s{n}"), service(&[("web", check(&format!("h{n}")))], Require::All)))
        .collect();
    let services: Vec<(&str, Service)> =
        services.iter().map(|(text, s)| (text.as_str(), s.clone())).collect();
    let mut world = World::new(&services);
    world.run(ms(1000));
    let firsts: BTreeMap<&str, Moment> =
        world.log.iter().rev().map(|(at, host)| (host.as_str(), *at)).collect();
    assert_eq!(firsts.len(), 10_000);
    let mut by_tenth = [0_usize; 10];
    for at in firsts.values() {
        by_tenth[usize::try_from(at.as_micros() / 100_000).expect("within the first second")] += 1;
    }
    assert!(by_tenth.iter().all(|count| (800..1200).contains(count)), "{by_tenth:?}");
}

#[derive(Clone, Debug)]
enum Event {
    Pass(u64),
    Set(usize, bool),
    Ask,
    Lose,
    Hasten,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => (1u64..900).prop_map(Event::Pass),
        2 => (0..4usize, any::<bool>()).prop_map(|(host, fails)| Event::Set(host, fails)),
        1 => Just(Event::Ask),
        1 => Just(Event::Lose),
        1 => Just(Event::Hasten),
    ];
    prop::collection::vec(event, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Reports, suspects and the queue stay what their definitions say, whatever happens; and no ballot says
    /// anything before a probe was begun since the question.
    #[test]
    fn what_is_kept_is_what_a_recount_would_find(events in events()) {
        let hosts = ["east.a", "west.a", "east.b", "west.b"];
        let mut world = World::new(&[
            ("any", service(&[("a", check("a")), ("b", check("b"))], Require::Any)),
            ("all", service(&[("a", check("a")), ("b", check("b"))], Require::All)),
        ]);
        let mut asked = None;
        for event in events {
            match event {
                Event::Pass(millis) => world.run(world.now + Duration::from_millis(millis)),
                Event::Set(host, true) => world.fail(hosts[host], ProbeFault::TimedOut),
                Event::Set(host, false) => { world.failing.remove(hosts[host]); }
                Event::Ask => {
                    world.now = world.now + Duration::from_micros(1);
                    asked = Some((world.now, world.log.len()));
                    prop_assert_eq!(world.ballot("any", world.now), "??");
                }
                Event::Lose => {
                    world.now = world.now.max(world.prober.next_due());
                    let _lost = world.prober.poll(world.now);
                }
                Event::Hasten => world.prober.hasten(world.now, &[name("all")].into()),
            }
            let mut recount = world.prober.clone();
            recount.judge_anew();
            prop_assert_eq!(recount.reports(), world.prober.reports());
            prop_assert_eq!(recount.suspects(), world.prober.suspects());
            prop_assert_eq!(world.prober.queue.len(), 4);
            if let Some((seen, from)) = asked {
                for (plane, side) in ["east", "west"].iter().enumerate() {
                    let since = world.log[from..].iter().any(|(_, host)| host.starts_with(side));
                    let ballot = world.ballot("all", seen).chars().nth(plane);
                    prop_assert!(since || ballot == Some('?'));
                }
            }
        }
    }
}
