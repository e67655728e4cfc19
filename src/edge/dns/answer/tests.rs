//! Answers, octet by octet.

use std::time::Duration;

use domain::base::iana::Class;
use domain::base::{Message, ParsedName, Ttl};
use domain::rdata::{AllRecordData, Soa};

use super::super::sample::{
    A, AAAA, ANY, NS, SOA, TXT, header, opt, published, query, query_edns, question, wire,
};
use super::*;

mod hostile;

const NOERROR: u8 = 0;
const FORMERR: u8 = 1;
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;
const NOTIMP: u8 = 4;
const REFUSED: u8 = 5;

/// The answer to `query`; `None` if it was dropped.
fn ask_by(transport: Transport, query: &[u8]) -> Option<Vec<u8>> {
    let mut out = vec![0xEE; 7];
    match answer(&published(), Instant::now(), query, &Asker::plain(transport), &mut out) {
        Verdict::Answered(_) => Some(out),
        Verdict::Dropped => {
            assert!(out.is_empty());
            None
        }
    }
}

fn ask(query: &[u8]) -> Vec<u8> {
    ask_by(Transport::Udp, query).expect("an answer")
}

fn rcode(answer: &[u8]) -> u8 {
    answer[3] & 0x0F
}

fn is_authoritative(answer: &[u8]) -> bool {
    answer[2] & 0x04 != 0
}

fn is_truncated(answer: &[u8]) -> bool {
    answer[2] & 0x02 != 0
}

/// Counts of question, answer, authority, additional.
fn counts(answer: &[u8]) -> [u16; 4] {
    [4, 6, 8, 10].map(|i| u16::from_be_bytes([answer[i], answer[i + 1]]))
}

/// Section (1 answer, 2 authority, 3 additional), owner, TTL, data; all that the message holds.
fn records(answer: &[u8]) -> Vec<(u8, String, u32, String)> {
    let message = Message::from_octets(answer).unwrap();
    let (_, an, ns, ar) = message.sections().unwrap();
    let mut all = Vec::new();
    for (number, section) in [(1, an), (2, ns), (3, ar)] {
        for record in section.into_records::<AllRecordData<_, ParsedName<_>>>() {
            let record = record.unwrap();
            let (owner, ttl) = (record.owner().to_string(), record.ttl().as_secs());
            all.push((number, owner, ttl, record.data().to_string()));
        }
    }
    all
}

fn data(answer: &[u8]) -> Vec<String> {
    records(answer).into_iter().filter(|r| r.0 == 1).map(|r| r.3).collect()
}

#[test]
fn each_type_of_a_name_is_answered_with_authority() {
    let table: [(&str, u16, &[&str]); 6] = [
        ("shop.biplane.test", A, &["10.1.0.1"]),
        ("shop.biplane.test", AAAA, &["2001:db8::1"]),
        ("_biplane.shop.biplane.test", TXT, &["\"group=shop plane=east epoch=1.7\""]),
        ("ns1.biplane.test", A, &["127.0.0.1"]),
        ("biplane.test", SOA, &["ns1.biplane.test. admin.biplane.test. 42 60 10 3600 2"]),
        ("shop.deep.biplane.test", A, &["10.7.0.0"]),
    ];
    for (name, qtype, expected) in table {
        let answer = ask(&query(name, qtype));
        assert_eq!(answer[..2], [0x12, 0x34], "the id of {name}");
        // QR, AA, RD as asked; no RA, AD or CD.
        assert_eq!((answer[2], answer[3]), (0x85, 0x00), "{name}");
        let mut shown = data(&answer);
        for text in &mut shown {
            *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        }
        let same = |a: &str, b: &str| a.replace('.', "") == b.replace('.', "");
        assert!(
            shown.len() == expected.len() && shown.iter().zip(expected).all(|(a, b)| same(a, b)),
            "{name} {qtype}: {shown:?}, expected {expected:?}"
        );
        assert!(records(&answer).iter().all(|r| r.2 == 5), "the TTL of {name}");
    }
}

#[test]
fn ns_of_the_apex_brings_the_addresses_of_servers_inside() {
    let answer = ask(&query("biplane.test", NS));
    assert_eq!(counts(&answer), [1, 3, 0, 4]);
    let glue: Vec<_> = records(&answer).into_iter().filter(|r| r.0 == 3).collect();
    assert_eq!((glue[0].1.as_str(), glue[0].3.as_str()), ("ns1.biplane.test", "127.0.0.1"));
}

#[test]
fn the_askers_case_comes_back() {
    let asked = query("ShOp.BiPlAnE.tEsT", A);
    let answer = ask(&asked);
    assert_eq!(answer[12..asked.len()], asked[12..]);
    assert_eq!(data(&answer), ["10.1.0.1"]);
    // The owner is a pointer to the question: its case too.
    assert_eq!(answer[asked.len()..asked.len() + 2], [0xC0, 12]);
    assert_eq!(answer.len(), asked.len() + 16);
}

#[test]
fn names_in_answers_are_compressed() {
    let asked = query("nothing.biplane.test", A);
    let answer = ask(&asked);
    // Owner: pointer. RDATA: ns1 + pointer, admin + pointer, five numbers.
    assert_eq!(answer.len(), asked.len() + 2 + 10 + (4 + 2) + (6 + 2) + 20);
}

#[test]
fn nothing_is_proved_by_the_soa() {
    let table = [
        ("nothing.biplane.test", A, NXDOMAIN),
        ("below.shop.biplane.test", A, NXDOMAIN),
        ("a.nothing.biplane.test", A, NXDOMAIN),
        ("shop.biplane.test", TXT, NOERROR),
        ("shop.biplane.test", SOA, NOERROR),
        ("shop.biplane.test", NS, NOERROR),
        ("biplane.test", A, NOERROR),
        ("shop.biplane.test", 0, NOERROR),
        ("shop.biplane.test", 65_280, NOERROR),
        ("between.biplane.test", A, NOERROR),
        ("between.biplane.test", ANY, NOERROR),
    ];
    for (name, qtype, expected) in table {
        let answer = ask(&query(name, qtype));
        assert_eq!((rcode(&answer), is_authoritative(&answer)), (expected, true), "{name} {qtype}");
        assert_eq!(counts(&answer), [1, 0, 1, 0], "{name} {qtype}");
        let message = Message::from_octets(&answer[..]).unwrap();
        let soa = message.authority().unwrap().limit_to::<Soa<ParsedName<_>>>().next();
        let soa = soa.unwrap().unwrap();
        assert_eq!(soa.owner().to_string(), "biplane.test");
        // The lesser of TTL and negative TTL.
        assert_eq!((soa.ttl(), soa.data().minimum()), (Ttl::from_secs(2), Ttl::from_secs(2)));
    }
}

#[test]
fn any_gets_one_small_record() {
    for name in ["shop.biplane.test", "biplane.test", "crowd.biplane.test"] {
        let answer = ask(&query(name, ANY));
        assert_eq!((rcode(&answer), counts(&answer)), (NOERROR, [1, 1, 0, 0]), "{name}");
        assert!(records(&answer)[0].3.contains("RFC8482"), "{name}");
    }
}

#[test]
fn what_is_not_ours_is_refused() {
    let chaos = [header(0, [1, 0, 0, 0]), wire("shop.biplane.test"), vec![0, 16, 0, 3]].concat();
    let any_class = [header(0, [1, 0, 0, 0]), wire("biplane.test"), vec![0, 1, 0, 255]].concat();
    let ixfr = [
        header(0, [1, 0, 1, 0]),
        question("biplane.test", 251),
        wire("biplane.test"),
        vec![0, 6, 0, 1, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    let table = [
        query("example.com", A),
        query("test", A),
        query("", A),
        query("notbiplane.test", A),
        query("biplane.test", 252),
        ixfr,
        chaos,
        any_class,
    ];
    for asked in table {
        let answer = ask(&asked);
        assert_eq!((rcode(&answer), is_authoritative(&answer)), (REFUSED, false), "{asked:?}");
        assert_eq!(counts(&answer), [1, 0, 0, 0], "{asked:?}");
    }
    let mut out = Vec::new();
    let empty = Published::default();
    let verdict = answer(
        &empty,
        Instant::now(),
        &query("a.test", A),
        &Asker::plain(Transport::Udp),
        &mut out,
    );
    assert_eq!(verdict, Verdict::Answered(OptRcode::REFUSED));
}

#[test]
fn other_opcodes_and_obsolete_types_are_not_implemented() {
    for opcode in 1..16_u8 {
        let mut asked = query("shop.biplane.test", A);
        asked[2] |= opcode << 3;
        let answer = ask(&asked);
        assert_eq!((rcode(&answer), answer[2] >> 3 & 15, answer.len()), (NOTIMP, opcode, 12));
    }
    for qtype in [253, 254] {
        assert_eq!(rcode(&ask(&query("shop.biplane.test", qtype))), NOTIMP);
    }
}

#[test]
fn edns_is_answered_with_edns() {
    let name = "shop.biplane.test";
    let asked = [
        header(0, [1, 0, 0, 1]),
        question(name, A),
        // DO, and options nobody knows: NSID, a cookie.
        opt(4096, 0, true, &[0, 3, 0, 0, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]),
    ]
    .concat();
    let answer = ask(&asked);
    assert_eq!(counts(&answer), [1, 1, 0, 1]);
    let tail = &answer[answer.len() - 11..];
    assert_eq!(
        tail,
        [0, 0, 41, 0x04, 0xD0, 0, 0, 0x80, 0, 0, 0],
        "1232, version 0, DO, no options"
    );
    for (asked, expected) in [
        (query_edns("example.com", A, 1232), REFUSED),
        (query_edns("nothing.biplane.test", A, 1232), NXDOMAIN),
    ] {
        let answer = ask(&asked);
        assert_eq!((rcode(&answer), counts(&answer)[3]), (expected, 1));
    }
    assert_eq!(counts(&ask(&query(name, A)))[3], 0, "no EDNS unasked");
}

#[test]
fn another_version_of_edns_is_told_ours() {
    let asked =
        [header(0, [1, 0, 0, 1]), question("shop.biplane.test", A), opt(1232, 1, false, &[])]
            .concat();
    let answer = ask(&asked);
    assert_eq!((rcode(&answer), counts(&answer)), (0, [1, 0, 0, 1]));
    let tail = &answer[answer.len() - 11..];
    assert_eq!(tail[5..7], [1, 0], "extended code 1 (BADVERS = 16), version 0");
}

#[test]
fn too_long_an_answer_is_truncated_to_nothing_but_keeps_its_opt() {
    // (name, query, room, fits)
    let table = [
        ("forty.biplane.test", None, 512, false),
        ("forty.biplane.test", Some(0), 512, false),
        ("forty.biplane.test", Some(512), 512, false),
        ("forty.biplane.test", Some(800), 800, true),
        ("forty.biplane.test", Some(65_535), 1232, true),
        ("crowd.biplane.test", Some(65_535), 1232, false),
    ];
    for (name, payload, room, fits) in table {
        let asked = payload.map_or_else(|| query(name, A), |size| query_edns(name, A, size));
        let answer = ask(&asked);
        let additional = u16::from(payload.is_some());
        let records = if fits { 40 } else { 0 };
        assert_eq!(counts(&answer), [1, records, 0, additional], "{name} {payload:?}");
        assert_eq!((is_truncated(&answer), is_authoritative(&answer)), (!fits, true));
        assert!(answer.len() <= room, "{name} {payload:?}: {}", answer.len());
    }
    let whole = ask_by(Transport::Tcp, &query("crowd.biplane.test", A)).unwrap();
    assert_eq!((counts(&whole), is_truncated(&whole)), ([1, 500, 0, 0], false));
}

#[test]
fn an_answer_that_just_fits_is_not_truncated() {
    // 12 + 24 + 40 × 16 + 11 octets.
    for (size, fits) in [(687, true), (686, false)] {
        let answer = ask(&query_edns("forty.biplane.test", A, size));
        assert_eq!(is_truncated(&answer), !fits, "{size}");
        assert_eq!(answer.len() == 687, fits, "{size}");
    }
}

#[test]
fn the_longest_name_is_answered() {
    let long = format!("{0}.{0}.{0}.{1}.biplane.test", "x".repeat(60), "y".repeat(53));
    assert_eq!(wire(&long).len(), 251);
    let longest = format!("{}.{}", "z".repeat(3), long);
    assert_eq!(wire(&longest).len(), 255);
    assert_eq!(rcode(&ask(&query(&longest, A))), NXDOMAIN);
    let over = format!("{}.{}", "z".repeat(4), long);
    assert_eq!(rcode(&ask(&query(&over, A))), FORMERR);
}

#[test]
fn a_node_that_is_cut_off_answers_as_its_zones_say() {
    let since = Instant::now();
    let cut_off = Published { cut_off_since: Some(since), ..published() };
    let table = [
        ("shop.biplane.test", 10, NOERROR),
        ("shop.biplane.test", 11, SERVFAIL),
        ("nothing.biplane.test", 11, SERVFAIL),
        ("shop.stale.test", 1_000_000, NOERROR),
        ("example.com", 1_000_000, REFUSED),
    ];
    for (name, seconds, expected) in table {
        let mut out = Vec::new();
        let now = since + Duration::from_secs(seconds);
        answer(&cut_off, now, &query_edns(name, A, 1232), &Asker::plain(Transport::Udp), &mut out);
        assert_eq!(rcode(&out), expected, "{name} after {seconds} s");
        assert_eq!(counts(&out)[3], 1, "the OPT of {name}");
        assert_eq!(is_authoritative(&out), expected == NOERROR);
    }
}

#[test]
fn a_zone_with_a_name_that_is_none_costs_its_own_answers_only() {
    let mut published = published();
    let zones = Arc::make_mut(&mut published.zones);
    let zone = Arc::make_mut(zones.get_mut("biplane.test").unwrap());
    zone.soa.mname = "x".repeat(64);
    let mut out = Vec::new();
    for (name, expected) in [("nothing.biplane.test", SERVFAIL), ("shop.biplane.test", NOERROR)] {
        answer(
            &published,
            Instant::now(),
            &query(name, A),
            &Asker::plain(Transport::Udp),
            &mut out,
        );
        assert_eq!((rcode(&out), counts(&out)[0]), (expected, 1), "{name}");
    }
}
