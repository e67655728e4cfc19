//! The member port: before TLS, after it, and after a good hello.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use biplane::edge::identity::{TlsFiles, api_client_tls, member_server_name, member_tls};
use rustls::ClientConfig;

use super::health::Health;
use super::wire::{Tls, connect, connect_tls, exchange, exchange_plain, idle, noise};
use crate::cluster::alone;
use crate::world::{EAST, NODES, World};

/// Node b's own certificate, in an attacker's hands.
fn stolen(world: &World) -> Arc<ClientConfig> {
    let dir = world.cluster_dir().join(NODES[1]);
    let files = TlsFiles {
        ca: dir.join("ca.crt"),
        certificate: dir.join("member.crt"),
        key: dir.join("member.key"),
    };
    member_tls(&files).unwrap().client
}

/// A hello as member 2 says it; the fields one by one, so that each can lie.
fn hello(min: u16, max: u16, cluster: &str, member: u64, lane: u8) -> Vec<u8> {
    let mut bytes = b"BPLM".to_vec();
    bytes.extend(postcard::to_stdvec(&(min, max, cluster, member, lane)).unwrap());
    bytes
}

fn frame(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("short");
    [&length.to_be_bytes(), bytes].concat()
}

fn lying(length: u32, bytes: &[u8]) -> Vec<u8> {
    [&length.to_be_bytes(), bytes].concat()
}

fn before_tls(to: SocketAddr) {
    for seed in 0..40 {
        let len = usize::try_from(seed * seed).expect("small");
        exchange_plain(connect(to).unwrap(), &noise(seed, len));
    }
    // A TLS record that announces more than a record may hold, and one that is no handshake.
    for bytes in [&[22, 3, 1, 0xff, 0xff, 1][..], &[23, 3, 3, 0, 1, 0], b"GET / HTTP/1.1\r\n\r\n"] {
        exchange_plain(connect(to).unwrap(), bytes);
    }
}

fn hellos() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("an empty frame", frame(&[])),
        ("a length without end", lying(u32::MAX, &[1, 2, 3])),
        ("a byte more than a hello may have", lying(1_025, &[7; 1_025])),
        ("no magic", frame(b"HELLO, WORLD")),
        ("magic and nothing", frame(b"BPLM")),
        ("magic and noise", frame(&[b"BPLM".as_slice(), &noise(7, 900)].concat())),
        ("protocols of the future", frame(&hello(9, 12, "world", 2, 0))),
        ("protocols turned round", frame(&hello(5, 1, "world", 2, 0))),
        ("another cluster", frame(&hello(1, 1, "w\u{1b}[2Jorld", 2, 0))),
        ("another member", frame(&hello(1, 1, "world", 3, 0))),
        ("the node itself", frame(&hello(1, 1, "world", 1, 0))),
        ("no such member", frame(&hello(1, 1, "world", 99, 0))),
        ("a lane that is not there", frame(&hello(1, 1, "world", 2, 9))),
    ]
}

/// What may follow a good hello on either lane.
fn frames() -> Vec<Vec<u8>> {
    let mut frames: Vec<Vec<u8>> = (0..60).map(|seed| frame(&noise(seed, 200))).collect();
    frames.push(frame(&[]));
    frames.push(lying(8 << 20, &[0; 100_000]));
    frames.push(lying((8 << 20) + 1, &[0; 100]));
    frames.push(lying((256 << 20) + 1, &[0; 100]));
    frames.push(lying(u32::MAX, &[]));
    // Every first byte that a message may have, and noise behind it.
    frames.extend((0..=255).map(|kind| frame(&[&[kind][..], &noise(kind.into(), 64)].concat())));
    frames
}

#[test]
fn hostile_members_are_refused_and_leave_nothing_behind() {
    let _turn = alone();
    let mut world = World::steady();
    let to = world.member(0);
    let before = Health::of(world.node(0));
    before_tls(to);
    let name = member_server_name(NODES[0], "world");
    let nobody = api_client_tls(&world.cluster_dir().join("ca.crt")).unwrap();
    for (_, bytes) in hellos() {
        exchange(connect_tls(to, &nobody, &name).unwrap(), &bytes);
    }
    let stolen = stolen(&world);
    let open = || -> Tls { connect_tls(to, &stolen, &name).unwrap() };
    for (what, bytes) in hellos() {
        let answer = exchange(open(), &bytes);
        assert!(answer.len() < 2_000, "{what}: {answer:?}");
    }
    for lane in [0, 1] {
        for bytes in frames() {
            let mut stream = open();
            let greeting = frame(&hello(1, 1, "world", 2, lane));
            // Sent and left: an answer is not awaited, since a good connection stays open.
            let _ = stream.write_all(&[greeting, bytes].concat()).and_then(|()| stream.flush());
        }
    }
    // Strangers who say nothing, more than are let in.
    let strangers = idle(to, 200);
    assert_eq!(world.by_dns(0).is(EAST), Ok(()));
    drop(strangers);
    before.is_back(world.node_mut(0));
    world.is_well(EAST);
    assert!(world.switchovers().is_empty(), "nobody was moved");
}
