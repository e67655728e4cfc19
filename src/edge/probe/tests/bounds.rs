//! How much one node probes, and how much of an answer it takes: each bound at its last value and one beyond.

use domain::base::iana::Rcode;
use domain::base::{MessageBuilder, Rtype, Ttl};
use domain::rdata::{A, Txt};

use super::super::limits;
use super::dns::{Query, ask_for, name, udp_server};
use super::grpc::{about, head, saying, trailers, treating};
use super::*;
use crate::kernel::domain::DnsType;

impl Probing {
    /// Asks with time enough on a busy machine.
    async fn patiently(&mut self, endpoint: Endpoint, kind: ProbeKind) -> Result<(), ProbeFault> {
        let timeout = Duration::from_secs(8);
        let target = Arc::new(ProbeTarget { endpoint, kind, timeout });
        self.runner.start(ProbeOrder { id: ProbeId(7), target });
        self.result().await.outcome
    }
}

#[tokio::test]
async fn a_probe_over_the_limit_is_not_made() {
    let (_listener, address) = listen().await;
    let mut probing = probing_with(1, &[], RootCertStore::empty());
    probing.start(at(address), ProbeKind::Http(get()));
    probing.start(at(address), ProbeKind::Http(get()));
    assert!(matches!(probing.result().await.outcome, Err(ProbeFault::NotProbed(_))));
    assert_eq!(probing.result().await.outcome, Err(ProbeFault::TimedOut));
}

#[tokio::test]
async fn probes_over_the_rate_are_not_made_and_the_next_second_has_room_again() {
    let (_listener, address) = listen().await;
    let settings = ProbeSettings { a_second: 3, ..ProbeSettings::default() };
    let (sender, mut results) = mpsc::channel(64);
    let millis = Arc::new(std::sync::atomic::AtomicU64::new(5_000));
    let clock = Arc::clone(&millis);
    let now = move || Moment::from_micros(1000 * clock.load(std::sync::atomic::Ordering::Relaxed));
    let roots = RootCertStore::empty();
    let runner = ProbeRunner::with_names_and_roots(settings, now, sender, &[], roots);
    let mut made = async |count: u64| {
        for id in 0..count {
            let (endpoint, kind) = (at(address), ProbeKind::Tcp);
            let target = Arc::new(ProbeTarget { endpoint, kind, timeout: TIMEOUT });
            runner.start(ProbeOrder { id: ProbeId(id), target });
        }
        let mut passed = 0;
        for _ in 0..count {
            match results.recv().await.expect("the runner lives").outcome {
                Ok(()) => passed += 1,
                Err(ProbeFault::NotProbed(why)) => {
                    assert_eq!(why, "too many probes in a second on this node");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        passed
    };
    assert_eq!(made(3).await, 3, "at the limit");
    assert_eq!(made(2).await, 0, "beyond it");
    millis.store(6_000, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(made(4).await, 3, "a second later");
}

#[tokio::test]
async fn a_head_of_the_limit_is_an_answer_and_a_longer_one_is_none() {
    let mut probing = probing();
    let mut ask = async |answer: String| {
        let address = server(answer).await;
        probing.patiently(at(address), ProbeKind::Http(get())).await
    };
    let front = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n";
    let value = "y".repeat(limits::HEADER_BYTES - front.len() - "x: \r\n\r\n".len());
    assert_eq!(ask(format!("{front}x: {value}\r\n\r\n")).await, Ok(()));
    let with = |headers: usize| format!("{front}{}\r\n", "x: y\r\n".repeat(headers - 1));
    assert_eq!(ask(with(limits::HEADER_COUNT)).await, Ok(()));
    // So many bytes without an end, and a header more.
    for beyond in [format!("{front}x: {value}yyyy"), with(limits::HEADER_COUNT + 1)] {
        let said = wrong(ask(beyond).await);
        assert_eq!(said, "no HTTP answer: message head is too large");
    }
}

#[tokio::test]
async fn a_body_is_read_to_the_limit_and_not_one_byte_further() {
    let mut probing = probing();
    for (ends_at, found) in [(limits::BODY_BYTES, true), (limits::BODY_BYTES + 1, false)] {
        let before = "x".repeat(ends_at - "ready".len());
        let address = server(ok_with(&format!("{before}ready{before}"))).await;
        let probe = HttpProbe { body_contains: "ready".to_owned(), ..get() };
        let outcome = probing.patiently(at(address), ProbeKind::Http(probe)).await;
        assert_eq!(outcome.is_ok(), found, "{ends_at}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_fault_has_so_many_characters_and_of_a_longer_one_the_rest_is_left_out() {
    let mut probing = probing();
    let words = |seen: &str| format!("header `x-plane` is `{seen}`, not `west`");
    let room = limits::FAULT_CHARS - words("").len();
    for (length, whole) in [(room, true), (room + 1, false)] {
        let seen = "e".repeat(length);
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-plane: {seen}\r\n\r\n");
        let header = Some(("x-plane".to_owned(), "west".to_owned()));
        let (endpoint, kind) = (at(server(answer).await), HttpProbe { header, ..get() });
        let said = wrong(probing.patiently(endpoint, ProbeKind::Http(kind)).await);
        let due = words(&seen);
        let cut = || format!("{}…", &due[..limits::FAULT_CHARS]);
        assert_eq!(said, if whole { due.clone() } else { cut() });
    }
}

/// A name server by which `plane.test` has so many addresses: 127.0.1.1, 127.0.1.2, …
async fn name_server(addresses: usize) -> SocketAddr {
    udp_server(move |query| {
        let asked = query.sole_question().expect("one question");
        let mut answer =
            MessageBuilder::new_vec().start_answer(query, Rcode::NOERROR).expect("fits");
        let count = if asked.qtype() == Rtype::A { addresses } else { 0 };
        for place in 1..=u8::try_from(count).expect("a few") {
            let record = (name("plane.test"), Ttl::from_secs(5), A::from_octets(127, 0, 1, place));
            answer.push(record).expect("fits");
        }
        Some(answer.into_message().into_octets())
    })
    .await
}

#[tokio::test]
async fn so_many_addresses_of_a_name_are_tried_and_no_further_one() {
    for (place, passes) in [(limits::ADDRESSES, true), (limits::ADDRESSES + 1, false)] {
        // Only the last one listens.
        let listener = TcpListener::bind(format!("127.0.1.{place}:0")).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let mut probing = probing_with(4, &[name_server(place).await], RootCertStore::empty());
        let endpoint = Endpoint { host: "plane.test".to_owned(), port };
        let outcome = probing.patiently(endpoint, ProbeKind::Tcp).await;
        let due = if passes { Ok(()) } else { Err(ProbeFault::Refused) };
        assert_eq!(outcome, due, "{place} addresses");
    }
}

/// An answer of so many octets, whose last record says `the end`.
fn texts(query: &Query, octets: usize) -> Vec<u8> {
    let mut answer = MessageBuilder::new_vec().start_answer(query, Rcode::NOERROR).expect("fits");
    let mut push = |text: &str| {
        let text = Txt::<Vec<u8>>::build_from_slice(text.as_bytes()).expect("short");
        answer.push((name("www.shop.test"), Ttl::from_secs(5), text)).expect("fits");
        answer.as_slice().len()
    };
    // A record has 26 octets besides its text.
    let mut length = push("x");
    while octets - length > 26 + 250 {
        length = push(&"x".repeat(100));
    }
    let last = octets - length - 26;
    assert_eq!(push(&format!("{}the end", "x".repeat(last - "the end".len()))), octets);
    answer.into_message().into_octets()
}

#[tokio::test]
async fn an_answer_by_udp_of_the_limit_is_read_and_one_octet_more_is_not() {
    let mut probing = probing();
    let most = usize::from(limits::DNS_UDP_BYTES);
    for (octets, whole) in [(most, true), (most + 1, false)] {
        let address = udp_server(move |query| {
            let asked = query.opt().expect("EDNS").udp_payload_size();
            assert_eq!(asked, limits::DNS_UDP_BYTES);
            Some(texts(query, octets))
        })
        .await;
        let kind = ask_for("www.shop.test", DnsType::Txt, "the end");
        let outcome = probing.patiently(at(address), kind).await;
        if whole {
            assert_eq!(outcome, Ok(()));
        } else {
            let said = wrong(outcome);
            assert!(said.starts_with("an answer that cannot be read: "), "{said}");
        }
    }
}

#[tokio::test]
async fn a_grpc_message_of_the_limit_is_read_and_one_byte_more_is_not() {
    let mut probing = probing();
    let serving = |bytes: usize| {
        // Field 1 says SERVING; field 15, which nobody knows, has the other bytes.
        let rest = bytes - 5;
        let [low, high] =
            [(rest & 0x7f) | 0x80, rest >> 7].map(|b| u8::try_from(b).expect("7 bits"));
        let [_, _, long @ ..] = u32::try_from(bytes).expect("short").to_be_bytes();
        [&[0, 0, 0][..], &long, &[8, 1, 0x7a, low, high], &vec![7; rest]].concat()
    };
    for (bytes, whole) in
        [(limits::GRPC_MESSAGE_BYTES, true), (limits::GRPC_MESSAGE_BYTES + 1, false)]
    {
        let address = saying(serving(bytes), trailers("0", "")).await;
        let outcome = probing.patiently(at(address), ProbeKind::Grpc(about(""))).await;
        if whole {
            assert_eq!(outcome, Ok(()));
        } else {
            assert_eq!(wrong(outcome), "an answer of more than 1024 bytes");
        }
    }
}

#[tokio::test]
async fn the_headers_of_http2_stay_below_their_limit() {
    let mut probing = probing();
    let limit = usize::try_from(limits::HTTP2_HEADER_BYTES).expect("it fits");
    for (bytes, taken) in [(limit - 1, true), (limit, false)] {
        // Each field counts 32 bytes beside its own: the status is 42, the content type 60, the name of this one 33.
        let value = "y".repeat(bytes - 42 - 60 - 33);
        let address = treating(move |_, mut respond| {
            let mut head = head("application/grpc");
            head.headers_mut().insert("x", value.parse().expect("a value"));
            async move {
                let Ok(mut body) = respond.send_response(head, false) else { return };
                let serving = [0, 0, 0, 0, 2, 8, 1];
                let _ = body.send_data(serving.to_vec().into(), false);
                let _ = body.send_trailers(trailers("0", ""));
            }
        })
        .await;
        let outcome = probing.patiently(at(address), ProbeKind::Grpc(about(""))).await;
        assert_eq!(outcome.is_ok(), taken, "{bytes}: {outcome:?}");
    }
}
