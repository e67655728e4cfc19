//! The server on real sockets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use super::super::limits::{MAX_QUERY, MAX_TCP_PER_ADDRESS};
use super::super::sample::{A, published, query};
use super::*;

mod bounds;
mod options;
mod other_resolver;
mod switch_under_load;

/// A hang is a failure, not a wait.
const DEADLINE: Duration = Duration::from_secs(10);

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn start() -> DnsServer {
    DnsServer::start(loopback(), 2, Arc::new(ArcSwap::from_pointee(published())), identity())
        .unwrap()
}

fn identity() -> Identity {
    Identity { name: "member-a".to_owned(), secret: [7; 16], wall: 1_800_000_000 }
}

fn udp_to(server: &DnsServer) -> UdpSocket {
    let socket = UdpSocket::bind(loopback()).unwrap();
    socket.connect(server.local_addr()).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

fn exchange(socket: &UdpSocket, query: &[u8]) -> Vec<u8> {
    socket.send(query).unwrap();
    let mut octets = [0; 2048];
    let len = socket.recv(&mut octets).unwrap();
    octets[..len].to_vec()
}

fn tcp_to(server: &DnsServer) -> TcpStream {
    let stream = TcpStream::connect(server.local_addr()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

fn framed(query: &[u8]) -> Vec<u8> {
    [&u16::try_from(query.len()).unwrap().to_be_bytes(), query].concat()
}

fn read_framed(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let mut octets = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut octets)?;
    Ok(octets)
}

/// Whether the server ends the connection, sending nothing more.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 1]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
    }
}

fn rcode(answer: &[u8]) -> u8 {
    answer[3] & 0x0F
}

fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < DEADLINE, "{what} did not come about");
        std::thread::yield_now();
    }
}

#[test]
fn udp_and_tcp_answer_on_one_port() {
    let server = start();
    let asked = query("forty.biplane.test", A);
    let short = exchange(&udp_to(&server), &asked);
    assert!(short.len() <= 512 && short[2] & 2 != 0, "truncated");
    let mut stream = tcp_to(&server);
    stream.write_all(&framed(&asked)).unwrap();
    let whole = read_framed(&mut stream).unwrap();
    assert_eq!((rcode(&whole), whole[7]), (0, 40));
    let seen = server.counters();
    assert_eq!((seen.udp_queries, seen.tcp_queries, seen.truncated), (1, 1, 1));
    assert_eq!((seen.no_error, seen.tcp_accepted), (2, 1));
    server.stop();
}

#[test]
fn tcp_takes_queries_in_a_row_and_in_pieces() {
    let server = start();
    let mut stream = tcp_to(&server);
    stream.set_nodelay(true).unwrap();
    let mut many = Vec::new();
    for i in 0..100_u8 {
        let mut one = query("shop.biplane.test", A);
        one[1] = i;
        many.extend(framed(&one));
    }
    stream.write_all(&many).unwrap();
    for i in 0..100 {
        let answer = read_framed(&mut stream).unwrap();
        assert_eq!((answer[1], rcode(&answer), answer[7]), (i, 0, 1));
    }
    for octet in framed(&query("nothing.biplane.test", A)) {
        stream.write_all(&[octet]).unwrap();
    }
    assert_eq!(rcode(&read_framed(&mut stream).unwrap()), 3);
}

#[test]
fn hostile_streams_are_closed_without_an_answer() {
    let server = start();
    let mut response = query("shop.biplane.test", A);
    response[2] |= 0x80;
    let table = [
        ("no length", framed(&[])),
        ("a scrap", framed(&[1, 2, 3])),
        ("an answer", framed(&response)),
        ("a length beyond the limit", vec![0xFF, 0xFF, 0, 0]),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ];
    for (what, octets) in table {
        let mut stream = tcp_to(&server);
        // Sooner than mere idleness would end it.
        stream.set_read_timeout(Some(TCP_IDLE / 2)).unwrap();
        stream.write_all(&octets).unwrap();
        assert!(is_closed(&mut stream), "{what}");
    }
    assert_eq!(rcode(&exchange(&udp_to(&server), &query("shop.biplane.test", A))), 0);
}

#[test]
fn a_tcp_connection_that_dawdles_is_closed() {
    let manners = Manners { engine: answer, tcp_idle: Duration::from_millis(50) };
    let state = Arc::new(ArcSwap::from_pointee(published()));
    let server = DnsServer::start_with(loopback(), 1, state, identity(), manners).unwrap();
    let mut idle = tcp_to(&server);
    let mut half = tcp_to(&server);
    let asked = framed(&query("shop.biplane.test", A));
    half.write_all(&asked[..asked.len() - 1]).unwrap();
    assert!(is_closed(&mut idle) && is_closed(&mut half));
}

#[test]
fn a_query_of_the_limit_is_answered_over_tcp_and_one_octet_more_ends_the_connection() {
    let server = start();
    let padded = |len: usize| {
        let mut asked = query("shop.biplane.test", A);
        asked.resize(len, 0);
        framed(&asked)
    };
    let mut stream = tcp_to(&server);
    stream.write_all(&padded(MAX_QUERY)).unwrap();
    // It is read whole, and what is behind the question is not taken for a part of it.
    let answer = read_framed(&mut stream).unwrap();
    assert_eq!(answer[..2], query("shop.biplane.test", A)[..2]);
    let mut stream = tcp_to(&server);
    // The server may hang up before all of it is sent.
    let _ = stream.write_all(&padded(MAX_QUERY + 1));
    assert!(is_closed(&mut stream));
}

#[test]
fn one_address_cannot_take_all_connections() {
    let server = start();
    let mut held: Vec<TcpStream> = (0..MAX_TCP_PER_ADDRESS).map(|_| tcp_to(&server)).collect();
    let mut one_more = tcp_to(&server);
    assert!(is_closed(&mut one_more));
    let seen = server.counters();
    assert_eq!((seen.tcp_accepted, seen.tcp_turned_away), (MAX_TCP_PER_ADDRESS as u64, 1));
    // Those that were taken are served, and a seat given back is taken again.
    let asked = framed(&query("shop.biplane.test", A));
    for stream in &mut held {
        stream.write_all(&asked).unwrap();
        assert_eq!(rcode(&read_framed(stream).unwrap()), 0);
    }
    drop(held.pop());
    wait_until("a free seat", || {
        let mut stream = tcp_to(&server);
        stream.write_all(&asked).is_ok() && read_framed(&mut stream).is_ok()
    });
}

#[test]
fn a_query_that_panics_costs_one_answer() {
    fn fragile(p: &Published, now: Instant, q: &[u8], a: &Asker<'_>, out: &mut Vec<u8>) -> Verdict {
        assert!(!q.windows(4).any(|octets| octets == b"bomb"), "as the test wants it");
        answer(p, now, q, a, out)
    }
    let manners = Manners { engine: fragile, tcp_idle: TCP_IDLE };
    let state = Arc::new(ArcSwap::from_pointee(published()));
    let server = DnsServer::start_with(loopback(), 1, state, identity(), manners).unwrap();
    let socket = udp_to(&server);
    let mut stream = tcp_to(&server);
    for (name, expected) in
        [("bomb.biplane.test", 2), ("shop.biplane.test", 0), ("bomb.biplane.test", 2)]
    {
        let asked = query(name, A);
        let answer = exchange(&socket, &asked);
        assert_eq!((rcode(&answer), &answer[..2]), (expected, &asked[..2]));
        assert_eq!(answer[12..asked.len()], asked[12..]);
        stream.write_all(&framed(&asked)).unwrap();
        assert_eq!(rcode(&read_framed(&mut stream).unwrap()), expected);
    }
    let seen = server.counters();
    assert_eq!((seen.panics, seen.serv_fail, seen.no_error), (4, 4, 2));
}

#[test]
fn garbage_is_survived_and_answers_are_never_answered() {
    let server = start();
    let socket = udp_to(&server);
    let mut response = query("shop.biplane.test", A);
    response[2] |= 0x80;
    for len in 0..200_usize {
        let junk: Vec<u8> = (0..len).map(|i| (i * 31 + len) as u8 | 0x80).collect();
        socket.send(&junk).unwrap();
        socket.send(&response).unwrap();
    }
    // The next answer on this socket is to this query: everything before was met with silence.
    let mut asked = query("shop.biplane.test", A);
    asked[..2].copy_from_slice(&[0x7A, 0x7B]);
    let answer = exchange(&socket, &asked);
    assert_eq!((&answer[..2], rcode(&answer)), (&asked[..2], 0));
    wait_until("400 drops", || server.counters().dropped == 400);
}

#[test]
fn a_port_has_one_server_and_is_free_after_it() {
    let server = start();
    let taken = server.local_addr();
    let state = Arc::new(ArcSwap::from_pointee(published()));
    let second = DnsServer::start(taken, 1, Arc::clone(&state), identity());
    assert_eq!(second.map(drop).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    let mut open = tcp_to(&server);
    open.write_all(&framed(&query("shop.biplane.test", A))).unwrap();
    read_framed(&mut open).unwrap();
    server.stop();
    assert!(is_closed(&mut open));
    let again = DnsServer::start(taken, 1, state, identity()).unwrap();
    assert_eq!(rcode(&exchange(&udp_to(&again), &query("shop.biplane.test", A))), 0);
}

#[test]
fn what_is_published_is_served_at_once() {
    let state = Arc::new(ArcSwap::from_pointee(Published::default()));
    let server = DnsServer::start(loopback(), 1, Arc::clone(&state), identity()).unwrap();
    let socket = udp_to(&server);
    let asked = query("shop.biplane.test", A);
    assert_eq!(rcode(&exchange(&socket, &asked)), 5);
    state.store(Arc::new(published()));
    assert_eq!(rcode(&exchange(&socket, &asked)), 0);
    let long_ago = Instant::now().checked_sub(Duration::from_secs(60));
    state.store(Arc::new(Published { cut_off_since: long_ago, ..published() }));
    assert_eq!(rcode(&exchange(&socket, &asked)), 2);
}
