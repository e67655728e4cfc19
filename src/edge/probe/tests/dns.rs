//! Checks of kind `dns`.

use domain::base::iana::{Class, Rcode};
use domain::base::message::Message;
use domain::base::{MessageBuilder, Name, Rtype, Ttl};
use domain::rdata::{A, Cname, Mx, Txt};

use super::*;
use crate::kernel::domain::{DnsProbe, DnsType};

pub(super) type Query = Message<Vec<u8>>;

pub(super) fn name(text: &str) -> Name<Vec<u8>> {
    text.parse().expect("a name")
}

pub(super) fn ask_for(name: &str, record: DnsType, contains: &str) -> ProbeKind {
    ProbeKind::Dns(DnsProbe { name: name.to_owned(), record, contains: contains.to_owned() })
}

/// A server whose UDP answers are made by this; nothing: it stays silent.
pub(super) async fn udp_server(
    answer: impl Fn(&Query) -> Option<Vec<u8>> + Send + 'static,
) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let query = Message::from_octets(buffer[..length].to_vec()).expect("a query");
            if let Some(answer) = answer(&query) {
                let _ = socket.send_to(&answer, peer).await;
            }
        }
    });
    address
}

/// A whole zone, as an honest server answers for it.
fn honest(query: &Query) -> Vec<u8> {
    let asked = query.sole_question().expect("one question");
    let owner = asked.qname().to_string();
    let known = matches!(&*owner, "www.shop.test" | "alias.shop.test" | "empty.shop.test");
    let rcode = match &*owner {
        "sick.shop.test" => Rcode::SERVFAIL,
        _ if known => Rcode::NOERROR,
        _ => Rcode::NXDOMAIN,
    };
    let mut answer = MessageBuilder::new_vec().start_answer(query, rcode).expect("fits");
    let ttl = Ttl::from_secs(5);
    let mut push = |record: (&str, Rtype)| match record {
        ("www.shop.test", Rtype::A) => {
            answer.push((name("www.shop.test"), ttl, A::from_octets(192, 0, 2, 10))).expect("fits");
            answer.push((name("www.shop.test"), ttl, A::from_octets(192, 0, 2, 11))).expect("fits");
        }
        ("www.shop.test", Rtype::MX) => {
            let mail = Mx::new(10, name("mail.shop.test"));
            answer.push((name("www.shop.test"), ttl, mail)).expect("fits");
        }
        ("www.shop.test", Rtype::TXT) => {
            let text = Txt::<Vec<u8>>::build_from_slice(b"plane=east \x1b[31m").expect("short");
            answer.push((name("www.shop.test"), ttl, text)).expect("fits");
        }
        ("alias.shop.test", _) => {
            let alias = Cname::new(name("www.shop.test"));
            answer.push((name("alias.shop.test"), ttl, alias)).expect("fits");
        }
        _ => {}
    };
    push((&owner, asked.qtype()));
    if owner == "alias.shop.test" && asked.qtype() == Rtype::A {
        push(("www.shop.test", Rtype::A));
    }
    answer.into_message().into_octets()
}

#[tokio::test]
async fn an_answer_with_a_record_passes_and_what_it_lacks_is_named() {
    let address = udp_server(|query| Some(honest(query))).await;
    let mut probing = probing();
    let mut said = async |host: &str, record, contains: &str| {
        let outcome = probing.ask(address, ask_for(host, record, contains)).await;
        outcome.map_or_else(|fault| fault.to_string(), |()| "passed".to_owned())
    };
    let www = "www.shop.test";
    assert_eq!(said(www, DnsType::A, "").await, "passed");
    assert_eq!(said(www, DnsType::A, "192.0.2.11").await, "passed");
    // A text would be contained.
    assert_eq!(
        said(www, DnsType::A, "192.0.2.1").await,
        "wrong answer: A of www.shop.test is `192.0.2.10` and 1 more, without `192.0.2.1`"
    );
    assert_eq!(said("alias.shop.test", DnsType::A, "192.0.2.10").await, "passed");
    assert_eq!(said("alias.shop.test", DnsType::Cname, "www.shop.test").await, "passed");
    assert_eq!(said(www, DnsType::Mx, "10 mail.shop.test").await, "passed");
    assert_eq!(said(www, DnsType::Txt, "plane=east").await, "passed");
    let other = said(www, DnsType::Txt, "plane=west").await;
    assert!(other.contains("plane=east") && other.ends_with("without `plane=west`"), "{other}");
    assert!(other.chars().all(|c| !c.is_control()), "{other:?}");
    assert_eq!(
        said("empty.shop.test", DnsType::Aaaa, "").await,
        "wrong answer: no AAAA record for empty.shop.test"
    );
    assert_eq!(
        said("alias.shop.test", DnsType::Mx, "").await,
        "wrong answer: no MX record for alias.shop.test"
    );
    assert_eq!(
        said("none.shop.test", DnsType::A, "").await,
        "wrong answer: NXDOMAIN for none.shop.test A, not NOERROR"
    );
    assert_eq!(
        said("sick.shop.test", DnsType::A, "").await,
        "wrong answer: SERVFAIL for sick.shop.test A, not NOERROR"
    );
}

#[tokio::test]
async fn a_lost_question_is_repeated_and_silence_runs_out_of_time() {
    let seen = std::sync::atomic::AtomicU32::new(0);
    let address = udp_server(move |query| {
        let first = seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        (!first).then(|| honest(query))
    })
    .await;
    let mut probing = probing();
    assert_eq!(probing.ask(address, ask_for("www.shop.test", DnsType::A, "")).await, Ok(()));
    let silent = udp_server(|_| None).await;
    let outcome = probing.ask(silent, ask_for("www.shop.test", DnsType::A, "")).await;
    assert_eq!(outcome, Err(ProbeFault::TimedOut));
    let closed = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = closed.local_addr().expect("an address");
    drop(closed);
    let outcome = probing.ask(address, ask_for("www.shop.test", DnsType::A, "")).await;
    assert_eq!(outcome, Err(ProbeFault::Refused));
}

#[tokio::test]
async fn what_does_not_answer_this_question_is_passed_over() {
    let mut probing = probing();
    let www = || ask_for("www.shop.test", DnsType::A, "");
    type Spoil = fn(&Query) -> Vec<u8>;
    let spoiled: [Spoil; 4] = [
        |_| b"garbage".to_vec(),
        |_| Vec::new(),
        |query| {
            let mut answer = honest(query);
            answer[0] ^= 1;
            answer
        },
        |query| {
            let mut other = honest(query);
            // The first label of the question.
            other[13] = b'x';
            other
        },
    ];
    for spoil in spoiled {
        let address = udp_server(move |query| Some(spoil(query))).await;
        assert_eq!(probing.ask(address, www()).await, Err(ProbeFault::TimedOut));
    }
}

#[tokio::test]
async fn a_record_that_is_cut_short_is_a_wrong_answer() {
    let address = udp_server(|query| {
        let mut answer = honest(query);
        answer.truncate(answer.len() - 3);
        Some(answer)
    })
    .await;
    let said = wrong(probing().ask(address, ask_for("www.shop.test", DnsType::A, "")).await);
    assert!(said.starts_with("an answer that cannot be read: "), "{said}");
}

/// A server that truncates by UDP, and whose TCP side says this to a question.
async fn truncating(by_tcp: fn(&Query) -> Vec<u8>) -> SocketAddr {
    let (listener, address) = listen().await;
    let socket = UdpSocket::bind(address).await.expect("the same port by UDP");
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let query = Message::from_octets(buffer[..length].to_vec()).expect("a query");
            let mut cut =
                MessageBuilder::new_vec().start_answer(&query, Rcode::NOERROR).expect("fits");
            cut.header_mut().set_tc(true);
            let _ = socket.send_to(cut.into_message().as_slice(), peer).await;
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let length = stream.read_u16().await.expect("a length");
            let mut query = vec![0; usize::from(length)];
            stream.read_exact(&mut query).await.expect("a query");
            let query = Message::from_octets(query).expect("a query");
            assert_eq!(query.sole_question().expect("one").qclass(), Class::IN);
            let _ = stream.write_all(&by_tcp(&query)).await;
            // Until the probe has enough.
            let _ = stream.read(&mut [0]).await;
        }
    });
    address
}

fn framed(octets: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(octets.len()).expect("short");
    [&length.to_be_bytes()[..], &octets].concat()
}

#[tokio::test]
async fn a_truncated_answer_is_asked_for_by_tcp() {
    let mut probing = probing();
    let www = || ask_for("www.shop.test", DnsType::A, "192.0.2.10");
    let address = truncating(|query| framed(honest(query))).await;
    assert_eq!(probing.ask(address, www()).await, Ok(()));
    let other = truncating(|_| framed(b"garbage".to_vec())).await;
    let said = wrong(probing.ask(other, www()).await);
    assert_eq!(said, "by TCP, no answer to what was asked");
    let half = truncating(|query| framed(honest(query))[..20].to_vec()).await;
    assert_eq!(probing.ask(half, www()).await, Err(ProbeFault::TimedOut));
}
