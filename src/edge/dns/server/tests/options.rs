//! EDNS options: who the server is (NSID), and that an asker is where he says (cookies).

use domain::base::Message;
use domain::base::opt::UnknownOptData;

use super::super::super::limits::NSID_MAX;
use super::*;

const NSID: u16 = 3;
const COOKIE: u16 = 10;

/// A question for an address, with these options.
fn with_options(options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut octets = query("shop.biplane.test", A);
    octets[11] = 1;
    let data: Vec<u8> = options
        .iter()
        .flat_map(|(code, data)| {
            let len = u16::try_from(data.len()).unwrap();
            [&code.to_be_bytes()[..], &len.to_be_bytes(), data].concat()
        })
        .collect();
    octets.extend([0, 0, 41, 4, 208, 0, 0, 0, 0]);
    octets.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    octets.extend(data);
    octets
}

/// Data of an option, which our answers write at their end.
fn option(answer: &[u8], code: u16) -> Option<Vec<u8>> {
    let message = Message::from_octets(answer).unwrap();
    let opt = message.opt()?;
    let mut all = opt.opt().iter::<UnknownOptData<_>>().map(Result::unwrap);
    all.find(|option| option.code().to_int() == code).map(|option| option.data().to_vec())
}

#[test]
fn the_server_tells_its_name_to_who_asks_for_it() {
    let server = start();
    let socket = udp_to(&server);
    let answer = exchange(&socket, &with_options(&[(NSID, &[])]));
    assert_eq!(option(&answer, NSID), Some(b"member-a".to_vec()));
    let answer = exchange(&socket, &with_options(&[]));
    assert_eq!((rcode(&answer), option(&answer, NSID)), (0, None));
}

#[test]
fn so_many_octets_of_its_name_are_told_and_no_further_one() {
    for length in [NSID_MAX, NSID_MAX + 1] {
        let identity = Identity { name: "n".repeat(length), ..identity() };
        let state = Arc::new(ArcSwap::from_pointee(published()));
        let server = DnsServer::start(loopback(), 1, state, identity).unwrap();
        let answer = exchange(&udp_to(&server), &with_options(&[(NSID, &[])]));
        assert_eq!(option(&answer, NSID), Some(vec![b'n'; NSID_MAX]), "{length}");
    }
}

#[test]
fn a_cookie_is_answered_with_one_that_the_server_knows_again() {
    let server = start();
    let socket = udp_to(&server);
    let client = [1, 2, 3, 4, 5, 6, 7, 8];
    let first = option(&exchange(&socket, &with_options(&[(COOKIE, &client)])), COOKIE).unwrap();
    assert_eq!((first.len(), &first[..8]), (24, &client[..]));
    let identity = identity();
    let shows = |address: &str, cookie: &[u8], wall: u32| {
        let mut parser = domain::dep::octseq::Parser::from_ref(cookie);
        let cookie = domain::base::opt::Cookie::parse(&mut parser).unwrap();
        let address = address.parse().unwrap();
        let server = Some(&identity);
        Asker { address, wall, server, ..Asker::plain(Transport::Udp) }.shows(&cookie)
    };
    let now = identity.wall;
    assert!(shows("127.0.0.1", &first, now) && shows("127.0.0.1", &first, now + 3_600));
    assert!(!shows("127.0.0.1", &first, now + 3_700), "too old");
    assert!(!shows("127.0.0.1", &first, now - 400), "from the future");
    assert!(!shows("127.0.0.2", &first, now), "another address");
    let mut forged = first;
    forged[23] ^= 1;
    assert!(!shows("127.0.0.1", &forged, now));
    // A wrong one is no fault: a new one comes back (RFC 7873, section 5.2.4).
    let again = exchange(&socket, &with_options(&[(COOKIE, &forged)]));
    assert_eq!(rcode(&again), 0);
    assert!(shows("127.0.0.1", &option(&again, COOKIE).unwrap(), now));
}

#[test]
fn a_cookie_of_a_length_that_none_has_is_malformed() {
    let server = start();
    let socket = udp_to(&server);
    for (len, code) in [(0, 1), (7, 1), (8, 0), (9, 1), (15, 1), (16, 0), (40, 0), (41, 1)] {
        let answer = exchange(&socket, &with_options(&[(COOKIE, &vec![9; len])]));
        assert_eq!(rcode(&answer), code, "{len} octets");
    }
}

#[test]
fn beyond_the_limit_an_answer_is_empty_and_truncated_but_not_for_who_shows_a_cookie() {
    let identity = identity();
    let address = "192.0.2.7".parse().unwrap();
    let limited = Asker {
        address,
        wall: identity.wall,
        server: Some(&identity),
        limited: true,
        ..Asker::plain(Transport::Udp)
    };
    let ask = |octets: &[u8]| {
        let mut out = Vec::new();
        answer(&published(), Instant::now(), octets, &limited, &mut out);
        let message = Message::from_octets(out.clone()).unwrap();
        (message.header().tc(), message.header_counts().ancount(), out)
    };
    let (truncated, records, out) = ask(&with_options(&[(COOKIE, &[5; 8])]));
    assert_eq!((truncated, records), (true, 0));
    let cookie = option(&out, COOKIE).unwrap();
    let (truncated, records, _) = ask(&with_options(&[(COOKIE, &cookie)]));
    assert_eq!((truncated, records), (false, 1));
}
