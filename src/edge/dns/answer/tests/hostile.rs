//! Bytes that are no questions.

use proptest::prelude::*;

use super::super::super::sample::{
    A, AAAA, ANY, NS, SOA, TXT, header, opt, query, query_edns, question, wire,
};
use super::*;

#[test]
fn answers_and_scraps_are_dropped() {
    let mut response = query("shop.biplane.test", A);
    response[2] |= 0x80;
    let mut cut = query("shop.biplane.test", A);
    cut.truncate(11);
    for transport in [Transport::Udp, Transport::Tcp] {
        for octets in [&response[..], &cut, &[], &[0x12]] {
            assert_eq!(ask_by(transport, octets), None);
        }
        // An answer to an answer would be a loop, whatever is wrong with it.
        let mut answer = ask(&query("example.com", A));
        answer.truncate(14);
        assert_eq!(ask_by(transport, &answer), None);
    }
}

#[test]
fn malformed_queries_are_told_so_by_a_header_alone() {
    let plain = query("shop.biplane.test", A);
    let one = |counts, rest: &[u8]| {
        [header(0x0100, counts), question("shop.biplane.test", A), rest.to_vec()].concat()
    };
    let record = [wire("x"), vec![0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4]].concat();
    let (opt_one, two) = (opt(1232, 0, false, &[]), opt(1232, 0, false, &[]));
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("no question", header(0x0100, [0; 4])),
        ("two questions", one([2, 0, 0, 0], &question("shop.biplane.test", A))),
        ("question missing", header(0x0100, [1, 0, 0, 0])),
        ("question cut", plain[..plain.len() - 1].to_vec()),
        ("octets behind", [plain.clone(), vec![0]].concat()),
        ("a record as an answer", one([1, 1, 0, 0], &record)),
        ("a record as authority", one([1, 0, 1, 0], &record)),
        ("additional missing", one([1, 0, 0, 1], &[])),
        ("two OPTs", one([1, 0, 0, 2], &[opt_one, two].concat())),
        (
            "OPT not at the root",
            one([1, 0, 0, 1], &[&b"\x01x"[..], &opt(1232, 0, false, &[])].concat()),
        ),
        ("OPT cut", one([1, 0, 0, 1], &opt(1232, 0, false, &[])[..9])),
        ("option longer than its OPT", one([1, 0, 0, 1], &opt(1232, 0, false, &[0, 10, 0, 9, 1]))),
        (
            "a pointer into the header",
            [header(0, [1, 0, 0, 0]), vec![0xC0, 4, 0, 1, 0, 1]].concat(),
        ),
        ("a pointer to itself", [header(0, [1, 0, 0, 0]), vec![0xC0, 12, 0, 1, 0, 1]].concat()),
        (
            "a label of a kind that is none",
            [header(0, [1, 0, 0, 0]), vec![0x80, 0, 0, 1, 0, 1]].concat(),
        ),
    ];
    for (what, asked) in table {
        let answer = ask(&asked);
        assert_eq!((rcode(&answer), answer.len()), (FORMERR, 12), "{what}");
        assert_eq!(answer[..2], asked[..2], "{what}");
        assert_eq!(counts(&answer), [0; 4], "{what}");
    }
    for qtype in [41, 249, 250] {
        assert_eq!(rcode(&ask(&query("shop.biplane.test", qtype))), FORMERR);
    }
}

#[test]
fn a_dot_inside_a_label_is_no_boundary() {
    let label = b"\x11shop.biplane.test\x00";
    let asked = [header(0, [1, 0, 0, 0]), label.to_vec(), vec![0, 1, 0, 1]].concat();
    assert_eq!(rcode(&ask(&asked)), REFUSED);
    let inside = [b"\x06a.shop".to_vec(), wire("biplane.test"), vec![0, 1, 0, 1]].concat();
    assert_eq!(rcode(&ask(&[header(0, [1, 0, 0, 0]), inside].concat())), NXDOMAIN);
}

/// A well-formed query for something near the sample zones.
fn some_query() -> impl Strategy<Value = Vec<u8>> {
    let names = prop::sample::select(vec![
        "shop.biplane.test",
        "crowd.biplane.test",
        "forty.biplane.test",
        "between.biplane.test",
        "biplane.test",
        "_biplane.shop.deep.biplane.test",
        "no.such.stale.test",
        "example.com",
        "",
    ]);
    let types = prop::sample::select(vec![A, NS, SOA, TXT, AAAA, ANY, 251, 252, 41, 0, 65_535]);
    (names, types, prop::option::of(any::<u16>())).prop_map(
        |(name, qtype, payload)| match payload {
            Some(payload) => query_edns(name, qtype, payload),
            None => query(name, qtype),
        },
    )
}

fn some_transport() -> impl Strategy<Value = Transport> {
    prop::sample::select(vec![Transport::Udp, Transport::Tcp])
}

/// What holds for every answer to whatever octets.
fn check(asked: &[u8], transport: Transport) -> Result<(), TestCaseError> {
    let Some(answer) = ask_by(transport, asked) else {
        prop_assert!(asked.len() < 12 || asked[2] & 0x80 != 0, "dropped without need");
        return Ok(());
    };
    prop_assert!(asked.len() >= 12 && asked[2] & 0x80 == 0, "answered an answer or a scrap");
    prop_assert_eq!(&answer[..2], &asked[..2]);
    prop_assert!(answer[2] & 0x80 != 0);
    prop_assert_eq!(answer[3] & 0xF0, 0, "RA, Z, AD, CD");
    let Ok(message) = Message::from_octets(&answer[..]) else {
        return Err(TestCaseError::fail("no whole header"));
    };
    let edns = message.opt().is_some();
    let room = match (transport, edns) {
        (Transport::Tcp, _) => 65_535,
        (Transport::Udp, true) => 1232,
        (Transport::Udp, false) => 512,
    };
    prop_assert!(answer.len() <= room, "{} octets", answer.len());
    if is_truncated(&answer) {
        prop_assert_eq!(&counts(&answer)[1..], &[0, 0, u16::from(edns)]);
    }
    let questions = message.question().flatten().filter(|q| q.qclass() == Class::IN).count();
    if questions == 1
        && rcode(&answer) == NOERROR
        && !is_truncated(&answer)
        && is_authoritative(&answer)
    {
        prop_assert!(counts(&answer)[1] > 0 || counts(&answer)[2] == 1, "neither records nor SOA");
    }
    // Every record can be read to the end.
    records(&answer);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_octets_never_hurt(
        octets in prop::collection::vec(any::<u8>(), 0..600), transport in some_transport(),
    ) {
        check(&octets, transport)?;
    }

    #[test]
    fn mutated_queries_never_hurt(
        base in some_query(),
        transport in some_transport(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
        tail in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut octets = base;
        for (place, octet) in changes {
            let place = place.index(octets.len());
            octets[place] = octet;
        }
        if let Some(cut) = cut {
            octets.truncate(cut.index(octets.len() + 1));
        }
        octets.extend(tail);
        check(&octets, transport)?;
    }

    #[test]
    fn well_formed_queries_echo_their_question(asked in some_query(), transport in some_transport()) {
        check(&asked, transport)?;
        let answer = ask_by(transport, &asked).unwrap();
        let end = asked[12..].iter().position(|octet| *octet == 0).unwrap() + 12 + 5;
        prop_assert_eq!(&answer[12..end], &asked[12..end]);
    }
}
