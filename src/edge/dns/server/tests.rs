use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::sync::atomic::AtomicU64;

use domain::base::{Message, ParsedName};
use domain::rdata::{A as ARecord, Soa};

use super::super::limits::MAX_TCP_PER_ADDRESS;
use super::super::sample::{
    A, SOA, addresses, follows, published, query, query_edns, route, settings,
};
use super::*;
use crate::kernel::domain::{GroupName, Route};
use crate::kernel::zone::{CutOff, EpochRecord, next_serial, render, render_changed};

/// A hang is a failure, not a wait.
const DEADLINE: Duration = Duration::from_secs(10);

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn start() -> DnsServer {
    DnsServer::start(loopback(), 2, Arc::new(ArcSwap::from_pointee(published()))).unwrap()
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
        stream.write_all(&octets).unwrap();
        assert!(is_closed(&mut stream), "{what}");
    }
    assert_eq!(rcode(&exchange(&udp_to(&server), &query("shop.biplane.test", A))), 0);
}

#[test]
fn a_tcp_connection_that_dawdles_is_closed() {
    let manners = Manners { engine: answer, tcp_idle: Duration::from_millis(50) };
    let state = Arc::new(ArcSwap::from_pointee(published()));
    let server = DnsServer::start_with(loopback(), 1, state, manners).unwrap();
    let mut idle = tcp_to(&server);
    let mut half = tcp_to(&server);
    let asked = framed(&query("shop.biplane.test", A));
    half.write_all(&asked[..asked.len() - 1]).unwrap();
    assert!(is_closed(&mut idle) && is_closed(&mut half));
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
    fn fragile(p: &Published, now: Instant, q: &[u8], t: Transport, out: &mut Vec<u8>) -> Verdict {
        assert!(!q.windows(4).any(|octets| octets == b"bomb"), "as the test wants it");
        answer(p, now, q, t, out)
    }
    let manners = Manners { engine: fragile, tcp_idle: TCP_IDLE };
    let state = Arc::new(ArcSwap::from_pointee(published()));
    let server = DnsServer::start_with(loopback(), 1, state, manners).unwrap();
    let socket = udp_to(&server);
    let mut stream = tcp_to(&server);
    for (name, expected) in
        [("bomb.biplane.test", 2), ("shop.biplane.test", 0), ("bomb.biplane.test", 2)]
    {
        let asked = query(name, A);
        let answer = exchange(&socket, &asked);
        assert_eq!((rcode(&answer), &answer[..2]), (expected, &asked[..2]));
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
    let second = DnsServer::start(taken, 1, Arc::clone(&state));
    assert_eq!(second.map(drop).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    let mut open = tcp_to(&server);
    open.write_all(&framed(&query("shop.biplane.test", A))).unwrap();
    read_framed(&mut open).unwrap();
    server.stop();
    assert!(is_closed(&mut open));
    let again = DnsServer::start(taken, 1, state).unwrap();
    assert_eq!(rcode(&exchange(&udp_to(&again), &query("shop.biplane.test", A))), 0);
}

#[test]
fn what_is_published_is_served_at_once() {
    let state = Arc::new(ArcSwap::from_pointee(Published::default()));
    let server = DnsServer::start(loopback(), 1, Arc::clone(&state)).unwrap();
    let socket = udp_to(&server);
    let asked = query("shop.biplane.test", A);
    assert_eq!(rcode(&exchange(&socket, &asked)), 5);
    state.store(Arc::new(published()));
    assert_eq!(rcode(&exchange(&socket, &asked)), 0);
    let long_ago = Instant::now().checked_sub(Duration::from_secs(60));
    state.store(Arc::new(Published { cut_off_since: long_ago, ..published() }));
    assert_eq!(rcode(&exchange(&socket, &asked)), 2);
}

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
    let server = DnsServer::start(loopback(), 2, Arc::clone(&state)).unwrap();
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

#[tokio::test]
async fn a_resolver_of_another_make_understands_the_answers() {
    use hickory_resolver::Resolver;
    use hickory_resolver::config::{
        ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
    };
    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use hickory_resolver::proto::rr::RecordType;

    let server = start();
    let mut udp = ConnectionConfig::udp();
    udp.port = server.local_addr().port();
    let mut tcp = ConnectionConfig::tcp();
    tcp.port = server.local_addr().port();
    let one = NameServerConfig::new(server.local_addr().ip(), true, vec![udp, tcp]);
    let mut options = ResolverOpts::default();
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.ndots = 0;
    options.attempts = 0;
    options.timeout = DEADLINE;
    options.recursion_desired = false;
    options.case_randomization = true;
    let resolver = Resolver::builder_with_config(
        ResolverConfig::from_name_servers(vec![one]),
        TokioRuntimeProvider::default(),
    )
    .with_options(options)
    .build()
    .unwrap();

    let shop = resolver.lookup_ip("shop.biplane.test.").await.unwrap();
    let shop: BTreeSet<IpAddr> = shop.iter().collect();
    assert_eq!(shop, [[10, 1, 0, 1].into(), "2001:db8::1".parse().unwrap()].into());
    let epoch = resolver.lookup("_biplane.shop.biplane.test.", RecordType::TXT).await.unwrap();
    assert!(epoch.message().metadata.authoritative);
    let text = epoch.answers()[0].data.to_string();
    assert!(EpochRecord::from_text(text.trim_matches('"')).is_some(), "{text}");
    // Too long for UDP: it comes back by TCP.
    let crowd = resolver.lookup("crowd.biplane.test.", RecordType::A).await.unwrap();
    assert_eq!(crowd.answers().len(), 500);
    assert!(server.counters().truncated >= 1 && server.counters().tcp_queries >= 1);
    let nothing = resolver.lookup("nothing.biplane.test.", RecordType::A).await.unwrap_err();
    assert!(nothing.is_nx_domain(), "{nothing}");
    for nodata in ["between.biplane.test.", "biplane.test."] {
        let error = resolver.lookup(nodata, RecordType::A).await.unwrap_err();
        assert!(error.is_no_records_found() && !error.is_nx_domain(), "{nodata}: {error}");
    }
}
