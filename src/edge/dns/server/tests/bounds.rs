//! Bounds of the server, each at its last value and one beyond.

use super::super::super::limits::{TCP_PAYLOAD, UDP_CLASSIC, UDP_PAYLOAD};
use super::super::super::sample::{addresses, follows, query_edns, route, settings};
use super::*;
use crate::kernel::zone::{CutOff, ZoneName, render};

/// A name whose answer has so many octets: a header, the question, 16 for each address, and an OPT.
fn named(octets: usize, opt: bool) -> ZoneName {
    let rest = octets - 12 - 4 - if opt { 11 } else { 0 };
    // The name on the wire is 15 octets longer than its first label.
    let label = 16 + (rest - 15) % 16;
    let count = u16::try_from((rest - 15 - label) / 16).unwrap();
    let name = format!("{}.biplane.test", "x".repeat(label));
    follows(&name, addresses(1, count), addresses(2, count))
}

fn serving(names: Vec<ZoneName>) -> DnsServer {
    let zone = settings("biplane.test", names, CutOff::ServeStale);
    let east = route("east", 7);
    let zone = Arc::new(render(&zone, 42, |_| Some(&east)));
    let zones = Arc::new([("biplane.test".to_owned(), zone)].into());
    let state = Arc::new(ArcSwap::from_pointee(Published { zones, cut_off_since: None }));
    DnsServer::start(loopback(), 1, state, identity()).unwrap()
}

/// Octets of an answer, whether it was truncated, and how many addresses it has.
fn shape(answer: &[u8]) -> (usize, bool, u16) {
    (answer.len(), answer[2] & 2 != 0, u16::from_be_bytes([answer[6], answer[7]]))
}

#[test]
fn an_answer_over_tcp_may_have_so_many_octets_and_with_one_more_it_is_truncated() {
    let most = usize::from(TCP_PAYLOAD);
    let [fits, beyond] = [most, most + 1].map(|octets| named(octets, false));
    let server = serving(vec![fits.clone(), beyond.clone()]);
    let mut stream = tcp_to(&server);
    let mut ask = |name: &ZoneName| {
        stream.write_all(&framed(&query(&name.name, A))).unwrap();
        shape(&read_framed(&mut stream).unwrap())
    };
    assert_eq!(ask(&fits), (most, false, 4_093));
    let (_, truncated, records) = ask(&beyond);
    assert!(truncated && records == 0);
}

#[test]
fn an_answer_by_udp_may_have_so_many_octets_and_with_one_more_it_is_truncated() {
    for (most, payload) in
        [(UDP_CLASSIC, None), (UDP_CLASSIC, Some(0)), (UDP_PAYLOAD, Some(65_535))]
    {
        let most = usize::from(most);
        let [fits, beyond] = [most, most + 1].map(|octets| named(octets, payload.is_some()));
        let server = serving(vec![fits.clone(), beyond.clone()]);
        let socket = udp_to(&server);
        let ask = |name: &ZoneName| {
            let plain = || query(&name.name, A);
            let asked = payload.map_or_else(plain, |size| query_edns(&name.name, A, size));
            shape(&exchange(&socket, &asked))
        };
        let (octets, truncated, records) = ask(&fits);
        assert_eq!((octets, truncated), (most, false), "{payload:?}");
        assert!(records > 20, "{records}");
        let (_, truncated, records) = ask(&beyond);
        assert!(truncated && records == 0, "{payload:?}");
    }
}

#[test]
fn so_many_threads_answer_by_udp_and_not_one_more() {
    for asked in [MAX_THREADS, MAX_THREADS + 1] {
        let state = Arc::new(ArcSwap::from_pointee(published()));
        let server = DnsServer::start(loopback(), asked, state, identity()).unwrap();
        // One is for all of TCP.
        assert_eq!(server.threads.len(), MAX_THREADS + 1, "{asked}");
        server.stop();
    }
}
