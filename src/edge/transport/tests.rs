//! Real sockets on loopback, certificates made on the spot.

mod bounds;

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::fixture::{Ca, identify, name_of};
use super::frame::write_frame;
use super::hello::{Hello, Lane, encode};
use super::limits::*;
use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn settings(
    ca: &Ca,
    me: u64,
    name: &str,
    peers: &BTreeMap<MemberId, SocketAddr>,
) -> TransportSettings {
    let (server_tls, client_tls) = ca.tls(name);
    let peer = |id: &MemberId, address: &SocketAddr| {
        (*id, Peer { address: *address, server_name: name_of(id.0) })
    };
    TransportSettings {
        me: MemberId(me),
        cluster: "demo".to_owned(),
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        peers: peers.iter().map(|(id, address)| peer(id, address)).collect(),
        server_tls,
        client_tls,
        observers: Arc::new(|_| None),
        identify: identify(),
    }
}

/// A member of a test cluster.
struct Node {
    transport: Transport,
    incoming: mpsc::Receiver<Incoming>,
}

impl Node {
    fn start(listener: TcpListener, settings: TransportSettings) -> Self {
        let (sender, incoming) = mpsc::channel(64);
        let transport = Transport::start_on(listener, settings, sender).unwrap();
        Self { transport, incoming }
    }

    fn state(&self, of: u64) -> PeerState {
        self.transport.peers()[&MemberId(of)]
    }

    async fn next(&mut self) -> Incoming {
        timeout(PATIENCE, self.incoming.recv()).await.expect("in time").expect("an open channel")
    }

    /// The next frame or answer; what is merely unreachable is passed over.
    async fn next_reachable(&mut self) -> Incoming {
        loop {
            match self.next().await {
                Incoming::Unreachable(_) => {}
                other => return other,
            }
        }
    }

    async fn connected(&self, to: u64) {
        until("a connection", || self.state(to).connected).await;
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Nodes 1 to `count` of one cluster, all connected.
async fn cluster(ca: &Ca, count: u64) -> (Vec<Node>, BTreeMap<MemberId, SocketAddr>) {
    let mut listeners = Vec::new();
    let mut peers = BTreeMap::new();
    for id in 1..=count {
        let (listener, address) = listen().await;
        listeners.push(listener);
        peers.insert(MemberId(id), address);
    }
    let nodes: Vec<Node> = listeners
        .into_iter()
        .zip(1..)
        .map(|(listener, id)| Node::start(listener, settings(ca, id, &name_of(id), &peers)))
        .collect();
    for (node, me) in nodes.iter().zip(1..) {
        for other in (1..=count).filter(|other| *other != me) {
            node.connected(other).await;
        }
    }
    (nodes, peers)
}

/// Two nodes of which the second is not what the first expects: neither ever connects, and these reasons become
/// known on one side or the other.
async fn refused(wanted: &[&str], second: impl FnOnce(&Ca, &mut TransportSettings)) {
    let ca = Ca::new();
    let ((first, first_at), (other, other_at)) = (listen().await, listen().await);
    let peers = [(MemberId(1), first_at), (MemberId(2), other_at)].into();
    let mut wrong = settings(&ca, 2, &name_of(2), &peers);
    second(&ca, &mut wrong);
    let a = Node::start(first, settings(&ca, 1, &name_of(1), &peers));
    let b = Node::start(other, wrong);
    let reasons = || {
        let both = [&a, &b].map(|node| node.transport.shared.refusals.reasons());
        both.concat().join("; ")
    };
    for wanted in wanted {
        until(wanted, || reasons().contains(wanted)).await;
    }
    assert_eq!(a.state(2).connects + b.state(1).connects, 0, "nobody may get through");
    a.transport.stop().await;
    b.transport.stop().await;
}

#[tokio::test]
async fn three_members_exchange_frames_in_order() {
    let (mut nodes, _) = cluster(&Ca::new(), 3).await;
    for from in 1..=3 {
        for to in (1..=3).filter(|to| *to != from) {
            for n in 0..20_u8 {
                let frame = vec![n; usize::from(n) * 1000];
                nodes[from - 1].transport.send(MemberId(to as u64), frame.into(), Traffic::Normal);
            }
        }
    }
    for node in &mut nodes {
        let mut next: BTreeMap<MemberId, u8> = BTreeMap::new();
        for _ in 0..40 {
            let Incoming::Frame { from, frame } = node.next().await else { panic!("no frame") };
            let n = next.entry(from).or_default();
            assert_eq!(frame, vec![*n; usize::from(*n) * 1000]);
            *n += 1;
        }
        assert_eq!(next.len(), 2);
    }
    assert_eq!(nodes[0].state(2).received_frames, 20);
    for node in nodes {
        node.transport.stop().await;
    }
}

#[tokio::test]
async fn another_ca_is_refused() {
    refused(&["TLS: ", "TLS failed"], |_, wrong| {
        (wrong.server_tls, wrong.client_tls) = Ca::new().tls(&name_of(2));
    })
    .await;
}

#[tokio::test]
async fn another_cluster_is_refused_and_told_why() {
    let wanted =
        ["belongs to cluster `prod`", "belongs to cluster `demo`", "it refuses this member"];
    refused(&wanted, |_, wrong| "prod".clone_into(&mut wrong.cluster)).await;
}

#[tokio::test]
async fn a_certificate_with_another_members_name_is_refused() {
    let wanted = ["says that it is member 2, but its certificate is that of member 3"];
    refused(&wanted, |ca, wrong| {
        (wrong.server_tls, wrong.client_tls) = ca.tls(&name_of(3));
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_is_no_members_is_refused() {
    refused(&["not that of a member"], |ca, wrong| {
        (wrong.server_tls, wrong.client_tls) = ca.tls("gateway-1");
    })
    .await;
}

#[tokio::test]
async fn a_member_that_restarts_is_reached_again_and_its_absence_is_told() {
    let ca = Ca::new();
    let (mut nodes, peers) = cluster(&ca, 2).await;
    let second = nodes.pop().unwrap();
    let mut first = nodes.pop().unwrap();
    let address = second.transport.address();
    second.transport.stop().await;
    until("the loss", || !first.state(2).connected).await;
    for _ in 0..100 {
        first.transport.send(MemberId(2), Bytes::from_static(b"lost"), Traffic::Normal);
    }
    assert_eq!(first.next().await, Incoming::Unreachable(MemberId(2)));
    assert!(first.incoming.try_recv().is_err(), "told once, not a hundred times");
    assert!(first.state(2).dropped_frames >= 100);

    let listener = TcpListener::bind(address).await.unwrap();
    let mut second = Node::start(listener, settings(&ca, 2, &name_of(2), &peers));
    first.connected(2).await;
    first.transport.send(MemberId(2), Bytes::from_static(b"again"), Traffic::Normal);
    let frame = Bytes::from_static(b"again");
    assert_eq!(second.next_reachable().await, Incoming::Frame { from: MemberId(1), frame });
}

#[tokio::test]
async fn a_bulk_frame_is_answered_and_does_not_hold_up_normal_ones() {
    let (mut nodes, _) = cluster(&Ca::new(), 2).await;
    let mut second = nodes.pop().unwrap();
    let mut first = nodes.pop().unwrap();
    let snapshot = Bytes::from(vec![9; 48 << 20]);
    first.transport.send(MemberId(2), snapshot.clone(), Traffic::Bulk);
    first.transport.send(MemberId(2), Bytes::from_static(b"heartbeat"), Traffic::Normal);
    let frame = Bytes::from_static(b"heartbeat");
    assert_eq!(second.next().await, Incoming::Frame { from: MemberId(1), frame });
    let Incoming::Frame { frame, .. } = second.next().await else { panic!("no snapshot") };
    assert!(frame == snapshot);
    assert_eq!(first.next().await, Incoming::BulkSent { to: MemberId(2), delivered: true });
}

#[tokio::test]
async fn a_bulk_connection_that_the_peers_restart_broke_is_opened_anew() {
    let ca = Ca::new();
    let (mut nodes, peers) = cluster(&ca, 2).await;
    let mut second = nodes.pop().unwrap();
    let mut first = nodes.pop().unwrap();
    for _ in 0..2 {
        first.transport.send(MemberId(2), Bytes::from_static(b"snapshot"), Traffic::Bulk);
        let told = first.next_reachable().await;
        assert_eq!(told, Incoming::BulkSent { to: MemberId(2), delivered: true });
        let frame = Bytes::from_static(b"snapshot");
        assert_eq!(second.next().await, Incoming::Frame { from: MemberId(1), frame });
        second.transport.stop().await;
        let listener = TcpListener::bind(peers[&MemberId(2)]).await.unwrap();
        second = Node::start(listener, settings(&ca, 2, &name_of(2), &peers));
    }
}

#[tokio::test]
async fn every_bulk_frame_that_cannot_be_delivered_is_told() {
    let ca = Ca::new();
    let (listener, address) = listen().await;
    let (closed, nowhere) = listen().await;
    drop(closed);
    let peers = [(MemberId(1), address), (MemberId(2), nowhere)].into();
    let mut node = Node::start(listener, settings(&ca, 1, &name_of(1), &peers));
    for _ in 0..BULK_QUEUE_FRAMES + 3 {
        node.transport.send(MemberId(2), Bytes::from_static(b"snapshot"), Traffic::Bulk);
    }
    for _ in 0..BULK_QUEUE_FRAMES + 3 {
        let told = node.next_reachable().await;
        assert_eq!(told, Incoming::BulkSent { to: MemberId(2), delivered: false });
    }
}

#[tokio::test]
async fn garbage_on_the_port_is_closed_and_members_still_get_in() {
    let (mut nodes, peers) = cluster(&Ca::new(), 2).await;
    let address = peers[&MemberId(1)];
    let hello: &[u8] = &[0x16, 3, 1, 0xff, 0xff, 1, 0, 0xff, 0xff, 0xff];
    for garbage in [b"GET / HTTP/1.1\r\n\r\n".as_slice(), &[0xff; 4096], &[0; 64], hello] {
        let mut stranger = TcpStream::connect(address).await.unwrap();
        let _ = stranger.write_all(garbage).await;
        let _ = stranger.shutdown().await;
        let mut answer = Vec::new();
        // A TLS alert, a reset or nothing; but an end.
        let _ = timeout(PATIENCE, stranger.read_to_end(&mut answer)).await.expect("closed");
    }
    let mut silent = Vec::new();
    for _ in 0..MAX_STRANGERS_PER_ADDRESS + 4 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let shared = Arc::clone(&nodes[0].transport.shared);
    let refusals = &shared.refusals;
    let crowded = || refusals.reasons().iter().any(|why| why.contains("too many connections"));
    until("the crowd's limit", crowded).await;
    nodes[1].transport.send(MemberId(1), Bytes::from_static(b"still here"), Traffic::Normal);
    let frame = Bytes::from_static(b"still here");
    assert_eq!(nodes[0].next().await, Incoming::Frame { from: MemberId(2), frame });
    assert!(refusals.reasons().len() <= 4, "{:?}", refusals.reasons());
}

#[tokio::test]
async fn a_crowd_from_a_members_own_address_does_not_keep_it_out() {
    let ca = Ca::new();
    let (listener, address) = listen().await;
    let (far, far_address) = listen().await;
    let peers = [(MemberId(1), address), (MemberId(2), far_address)].into();
    let mut node = Node::start(listener, settings(&ca, 1, &name_of(1), &peers));
    let mut silent = Vec::new();
    for _ in 0..MAX_STRANGERS_PER_ADDRESS + 4 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let shared = Arc::clone(&node.transport.shared);
    until("the crowd's limit", || {
        shared.refusals.reasons().iter().any(|why| why.contains("too many connections"))
    })
    .await;
    let member = Node::start(far, settings(&ca, 2, &name_of(2), &peers));
    member.connected(1).await;
    member.transport.send(MemberId(1), Bytes::from_static(b"here I am"), Traffic::Normal);
    let frame = Bytes::from_static(b"here I am");
    assert_eq!(node.next_reachable().await, Incoming::Frame { from: MemberId(2), frame });
}

#[tokio::test]
async fn a_knock_without_a_word_is_no_refusal() {
    let (nodes, peers) = cluster(&Ca::new(), 2).await;
    for _ in 0..5 {
        let mut knock = TcpStream::connect(peers[&MemberId(1)]).await.unwrap();
        knock.shutdown().await.unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, knock.read_to_end(&mut answer)).await.expect("closed").unwrap();
    }
    assert_eq!(nodes[0].transport.shared.refusals.reasons(), Vec::<String>::new());
}

/// A member's certificate in the hands of somebody who does not speak the protocol.
async fn rogue(
    ca: &Ca,
    peers: &BTreeMap<MemberId, SocketAddr>,
) -> tokio_rustls::client::TlsStream<TcpStream> {
    let (_, client) = ca.tls(&name_of(2));
    let socket = TcpStream::connect(peers[&MemberId(1)]).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from(name_of(1)).unwrap();
    tokio_rustls::TlsConnector::from(client).connect(name, socket).await.unwrap()
}

#[tokio::test]
async fn a_members_hostile_length_ends_the_connection() {
    let ca = Ca::new();
    let (nodes, peers) = cluster(&ca, 2).await;
    for hello in [vec![0xff; 4], vec![0, 0, 0, 9, 1, 2, 3], vec![0, 0, 0, 0]] {
        let mut rogue = rogue(&ca, &peers).await;
        rogue.write_all(&hello).await.unwrap();
        rogue.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, rogue.read_to_end(&mut answer)).await.expect("closed");
    }
    let mut rogue = rogue(&ca, &peers).await;
    let hello = Hello::new("demo".to_owned(), MemberId(2), Lane::Normal);
    write_frame(&mut rogue, &encode(&hello)).await.unwrap();
    rogue.write_all(&[0x7f, 0xff, 0xff, 0xff]).await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, rogue.read_to_end(&mut answer)).await.expect("closed");
    let refusals = &nodes[0].transport.shared.refusals;
    until("the refusal", || refusals.reasons().iter().any(|why| why.contains("was announced")))
        .await;
}

#[tokio::test]
async fn the_newest_connection_of_a_member_wins() {
    let ca = Ca::new();
    let (mut nodes, peers) = cluster(&ca, 2).await;
    let mut newest = rogue(&ca, &peers).await;
    let hello = Hello::new("demo".to_owned(), MemberId(2), Lane::Normal);
    write_frame(&mut newest, &encode(&hello)).await.unwrap();
    until("the old connection's end", || nodes[1].state(1).connects >= 2).await;
    // The member's own way back replaced the newcomer in turn.
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, newest.read_to_end(&mut answer)).await.expect("closed");
    nodes[1].connected(1).await;
    nodes[1].transport.send(MemberId(1), Bytes::from_static(b"mine"), Traffic::Normal);
    let frame = Bytes::from_static(b"mine");
    assert_eq!(nodes[0].next_reachable().await, Incoming::Frame { from: MemberId(2), frame });
}

/// A member that knows observers 101 and 102 by the names `probe-1` and `probe-2`, as long as `known` says so, and
/// somebody who says that it is observer 101 and shows the certificate of `shows`.
async fn visited(shows: &str, known: Arc<AtomicBool>) -> (Node, Visits, mpsc::Receiver<Incoming>) {
    let ca = Ca::new();
    let (listener, address) = listen().await;
    let mut member = settings(&ca, 1, &name_of(1), &BTreeMap::new());
    member.observers = Arc::new(move |chain| {
        let leaf = webpki::EndEntityCert::try_from(chain.first()?).ok()?;
        let name = leaf.valid_dns_names().find_map(|name| name.strip_prefix("probe-"))?;
        let id: u64 = name.parse().ok()?;
        known.load(Ordering::SeqCst).then_some(MemberId(100 + id))
    });
    let node = Node::start(listener, member);
    let peers = [(MemberId(1), address)].into();
    let (sender, told) = mpsc::channel(64);
    (node, Visits::start(settings(&ca, 101, shows, &peers), sender), told)
}

#[tokio::test]
async fn an_observer_speaks_and_is_spoken_to_on_its_own_connection_while_it_is_known() {
    let known = Arc::new(AtomicBool::new(true));
    let (mut node, visits, mut told) = visited("probe-1", Arc::clone(&known)).await;
    let frame = Bytes::from_static(b"seen");
    let heard = loop {
        visits.send(MemberId(1), frame.clone());
        if let Ok(Some(heard)) = timeout(Duration::from_millis(20), node.incoming.recv()).await {
            break heard;
        }
    };
    assert_eq!(heard, Incoming::Frame { from: MemberId(101), frame: frame.clone() });
    node.transport.send(MemberId(101), Bytes::from_static(b"brief"), Traffic::Normal);
    let answer = timeout(PATIENCE, told.recv()).await.unwrap().unwrap();
    let brief = Bytes::from_static(b"brief");
    assert_eq!(answer, Incoming::Frame { from: MemberId(1), frame: brief });
    // It is taken out of the configuration: its open connection is worth nothing.
    while node.incoming.try_recv().is_ok() {}
    known.store(false, Ordering::SeqCst);
    let refusals = &node.transport.shared.refusals;
    until("a refusal", || {
        visits.send(MemberId(1), frame.clone());
        refusals.reasons().iter().any(|why| why.contains("not that of an observer"))
    })
    .await;
    visits.stop().await;
}

#[tokio::test]
async fn a_members_or_another_observers_certificate_opens_no_door_to_an_observer() {
    for (shows, why) in [("node-2", "not that of an observer"), ("probe-2", "of member 102")] {
        let (node, visits, _told) = visited(shows, Arc::new(AtomicBool::new(true))).await;
        let refusals = &node.transport.shared.refusals;
        until(why, || refusals.reasons().iter().any(|said| said.contains(why))).await;
        visits.stop().await;
    }
}

/// What a member does not read fills its channel, then the sockets, then the sender's queue, and is not lost.
#[tokio::test]
async fn what_nobody_reads_waits_at_its_sender() {
    let ca = Ca::new();
    let (mut nodes, _) = cluster(&ca, 2).await;
    let (mut deaf, speaker) = (nodes.remove(0), nodes.remove(0));
    let (frames, bytes) = (200_u32, 1 << 18);
    assert!(frames as usize * bytes < NORMAL_QUEUE_BYTES, "the sender loses none");
    for number in 0..frames {
        let mut frame = number.to_be_bytes().to_vec();
        frame.resize(bytes, 7);
        speaker.transport.send(MemberId(1), frame.into(), Traffic::Normal);
    }
    let places = deaf.incoming.max_capacity();
    until("a full channel", || deaf.incoming.len() == places).await;
    // One more is in the reader's hand.
    assert!(deaf.state(2).received_frames <= places as u64 + 1);
    for number in 0..frames {
        let Incoming::Frame { frame, .. } = deaf.next_reachable().await else { panic!("a frame") };
        assert_eq!(frame[..4], number.to_be_bytes());
    }
}
