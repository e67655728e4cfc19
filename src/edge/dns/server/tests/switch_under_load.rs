//! The route changes while questions pour in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;

use domain::base::{Message, ParsedName};
use domain::rdata::{A as ARecord, Soa};

use super::super::super::sample::{A, SOA, addresses, follows, query, query_edns, route, settings};
use super::*;
use crate::kernel::domain::{GroupName, Route};
use crate::kernel::zone::{CutOff, next_serial, render, render_changed};

/// Serial of an SOA answer, first address of an A answer.
fn read(answer: &[u8]) -> (Option<u32>, Option<Ipv4Addr>) {
    let message = Message::from_octets(answer).unwrap();
    let section = message.answer().unwrap();
    let soa = section.limit_to::<Soa<ParsedName<_>>>().next();
    let address = section.limit_to::<ARecord>().next();
    (soa.map(|r| r.unwrap().data().serial().0), address.map(|r| r.unwrap().data().addr()))
}

#[test]
fn a_thousand_names_switch_under_load_without_a_gap() {
    const NAMES: usize = 1000;
    let group = |i: usize| GroupName::new(&format!("g{i}")).unwrap();
    let name = |i: usize| {
        let mut name = follows(&format!("n{i}.load.test"), addresses(1, 2), addresses(2, 2));
        name.group = group(i);
        name
    };
    let all = settings("load.test", (0..NAMES).map(name).collect(), CutOff::ServeStale);
    let mut routes: BTreeMap<GroupName, Route> =
        (0..NAMES).map(|i| (group(i), route("east", 1))).collect();
    let mut serial = 1;
    let mut zone = Arc::new(render(&all, serial, |g| routes.get(g)));
    let publish = |zone: &Arc<_>| {
        let zones = BTreeMap::from([("load.test".to_owned(), Arc::clone(zone))]);
        Published { zones: Arc::new(zones), cut_off_since: None }
    };
    let state = Arc::new(ArcSwap::from_pointee(publish(&zone)));
    let server = DnsServer::start(loopback(), 2, Arc::clone(&state), identity()).unwrap();
    let asked = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (server, asked, done) = (&server, &asked, &done);
            scope.spawn(move || {
                let socket = udp_to(server);
                let mut newest = 0;
                let mut i = thread;
                while !done.load(Ordering::Relaxed) {
                    i = (i + 7) % NAMES;
                    let answer =
                        exchange(&socket, &query_edns(&format!("n{i}.load.test"), A, 1232));
                    assert_eq!((rcode(&answer), answer[7]), (0, 2), "n{i}");
                    let (_, address) = read(&answer);
                    assert!(matches!(address.unwrap().octets()[1], 1 | 2));
                    let (now, _) = read(&exchange(&socket, &query("load.test", SOA)));
                    let now = now.expect("a serial");
                    assert!(now >= newest, "serial {now} after {newest}");
                    newest = now;
                    asked.fetch_add(2, Ordering::Relaxed);
                }
            });
        }
        for round in 0..200 {
            let changed: BTreeSet<GroupName> =
                (0..5).map(|i| group((round * 5 + i) % NAMES)).collect();
            let to = if round % 2 == 0 { "west" } else { "east" };
            for group in &changed {
                routes.insert(group.clone(), route(to, serial.into()));
            }
            serial = next_serial(serial);
            zone = Arc::new(render_changed(&zone, &all, serial, &changed, |g| routes.get(g)));
            state.store(Arc::new(publish(&zone)));
            let goal = asked.load(Ordering::Relaxed) + 4;
            wait_until("queries between two switches", || asked.load(Ordering::Relaxed) >= goal);
        }
        done.store(true, Ordering::Relaxed);
    });
    let (seen, _) = read(&exchange(&udp_to(&server), &query("load.test", SOA)));
    assert_eq!(seen, Some(201));
    let seen = server.counters();
    assert_eq!((seen.serv_fail, seen.nx_domain, seen.panics, seen.dropped), (0, 0, 0, 0));
}
