//! The DNS port: scraps, lies, loops, floods.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use super::health::Health;
use super::wire::{ATTACKER, connect, idle, noise};
use crate::cluster::alone;
use crate::process::until;
use crate::world::{EAST, LIMIT, World};

/// What a message must get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Silence,
    /// Any of these response codes.
    Code(&'static [u8]),
    /// Silence, or this code.
    AtMost(u8),
}

const FORMERR: u8 = 1;
const NOTIMP: u8 = 4;
const REFUSED: u8 = 5;

/// A header, then the rest.
fn message(flags: u16, counts: [u16; 4], rest: &[u8]) -> Vec<u8> {
    let mut bytes = 0x4242_u16.to_be_bytes().to_vec();
    bytes.extend(flags.to_be_bytes());
    bytes.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    bytes.extend(rest);
    bytes
}

/// `shop.world.test`, then type and class.
fn question(kind: u16, class: u16) -> Vec<u8> {
    let mut bytes = b"\x04shop\x05world\x04test\x00".to_vec();
    bytes.extend(kind.to_be_bytes());
    bytes.extend(class.to_be_bytes());
    bytes
}

fn good() -> Vec<u8> {
    message(0, [1, 0, 0, 0], &question(1, 1))
}

fn table() -> Vec<(&'static str, Vec<u8>, Due)> {
    let one = [1, 0, 0, 0];
    let opt = |version: u8, len: u16| {
        let mut bytes = question(1, 1);
        bytes.extend([0, 0, 41, 16, 0, 0, version, 0, 0]);
        bytes.extend(len.to_be_bytes());
        bytes
    };
    let mut long_name = [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(5);
    long_name.extend([0, 0, 1, 0, 1]);
    vec![
        ("nothing", Vec::new(), Due::Silence),
        ("half a header", good()[..11].to_vec(), Due::Silence),
        ("an answer", message(0x8000, one, &question(1, 1)), Due::Silence),
        ("an answer that refuses", message(0x8005, one, &question(1, 1)), Due::Silence),
        ("no question", message(0, [0; 4], &[]), Due::Code(&[FORMERR])),
        (
            "two questions",
            message(0, [2, 0, 0, 0], &question(1, 1).repeat(2)),
            Due::Code(&[FORMERR]),
        ),
        ("counts that lie", message(0, [u16::MAX; 4], &question(1, 1)), Due::Code(&[FORMERR])),
        ("a question cut off", message(0, one, &question(1, 1)[..9]), Due::AtMost(FORMERR)),
        (
            "a name that points at itself",
            message(0, one, &[0xc0, 12, 0, 1, 0, 1]),
            Due::AtMost(FORMERR),
        ),
        (
            "names that point at each other",
            message(0, one, &[0xc0, 14, 0xc0, 12, 0, 1, 0, 1]),
            Due::AtMost(FORMERR),
        ),
        (
            "a pointer beyond the end",
            message(0, one, &[0xff, 0xff, 0, 1, 0, 1]),
            Due::AtMost(FORMERR),
        ),
        (
            "a label of an unknown kind",
            message(0, one, &[0x40, 0, 0, 1, 0, 1]),
            Due::AtMost(FORMERR),
        ),
        ("a name of 320 octets", message(0, one, &long_name), Due::AtMost(FORMERR)),
        ("an update", message(0x2800, one, &question(6, 1)), Due::Code(&[NOTIMP, REFUSED])),
        ("a notify", message(0x2000, one, &question(6, 1)), Due::Code(&[NOTIMP, REFUSED])),
        ("a status", message(0x1000, one, &question(1, 1)), Due::Code(&[NOTIMP])),
        ("class CHAOS", message(0, one, &question(16, 3)), Due::Code(&[REFUSED, NOTIMP])),
        (
            "a transfer over UDP",
            message(0, one, &question(252, 1)),
            Due::Code(&[FORMERR, NOTIMP, REFUSED]),
        ),
        ("EDNS version 7", message(0, [1, 0, 0, 1], &opt(7, 0)), Due::Code(&[0])),
        (
            "EDNS options that are not there",
            message(0, [1, 0, 0, 1], &opt(0, 400)),
            Due::AtMost(FORMERR),
        ),
        (
            "a question and 4,000 octets more",
            [good(), vec![7; 4_000]].concat(),
            Due::AtMost(FORMERR),
        ),
        ("60,000 octets", [good(), vec![0; 60_000]].concat(), Due::AtMost(FORMERR)),
    ]
}

fn udp(to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((ATTACKER, 0)).unwrap();
    socket.connect(to).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    socket
}

/// The response code, if anything comes back.
fn ask_udp(to: SocketAddr, bytes: &[u8]) -> Option<u8> {
    let socket = udp(to);
    socket.send(bytes).unwrap();
    let mut answer = [0; 4096];
    let len = socket.recv(&mut answer).ok()?;
    assert!(len >= 12 && answer[..2] == bytes[..2] && answer[2] & 0x80 != 0, "not an answer");
    assert!(len <= 1232, "{len} octets over UDP");
    Some(answer[3] & 0x0f)
}

fn check(what: &str, got: Option<u8>, due: Due) {
    let fits = match (due, got) {
        (Due::Silence | Due::AtMost(_), None) => true,
        (Due::Code(codes), Some(code)) => codes.contains(&code),
        (Due::AtMost(most), Some(code)) => code == most,
        _ => false,
    };
    assert!(fits, "{what}: {got:?}, due: {due:?}");
}

/// One exchange over a fresh TCP connection; none when it was closed without an answer.
fn ask_tcp(to: SocketAddr, bytes: &[u8]) -> Option<u8> {
    let mut stream = connect(to).ok()?;
    let length = u16::try_from(bytes.len()).ok()?;
    stream.write_all(&[&length.to_be_bytes(), bytes].concat()).ok()?;
    let mut head = [0; 2];
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    stream.read_exact(&mut head).ok()?;
    let mut answer = vec![0; u16::from_be_bytes(head).into()];
    stream.read_exact(&mut answer).ok()?;
    Some(answer[3] & 0x0f)
}

fn answers(to: SocketAddr) {
    until(LIMIT, || {
        ask_udp(to, &good())
            .filter(|code| *code == 0)
            .ok_or_else(|| "no answer over UDP".to_owned())
    });
    until(LIMIT, || {
        ask_tcp(to, &good())
            .filter(|code| *code == 0)
            .ok_or_else(|| "no answer over TCP".to_owned())
    });
}

#[test]
fn hostile_dns_gets_a_clear_code_or_silence_and_leaves_nothing_behind() {
    let _turn = alone();
    let mut world = World::steady();
    let to = world.dns(0);
    let before = Health::of(world.node(0));
    answers(to);
    for (what, bytes, due) in table() {
        check(what, ask_udp(to, &bytes), due);
        if bytes.len() >= 12 {
            let over_tcp = ask_tcp(to, &bytes);
            // What a larger transport can carry, it may answer.
            if bytes.len() < 512 && due != Due::Code(&[FORMERR, NOTIMP, REFUSED]) {
                check(&format!("{what}, over TCP"), over_tcp, due);
            }
        }
    }
    let socket = udp(to);
    for seed in 0..20_000 {
        let len = usize::try_from(seed % 600).expect("small");
        let mut bytes = if seed % 2 == 0 { good() } else { Vec::new() };
        bytes.extend(noise(seed, len));
        socket.send(&bytes).unwrap();
    }
    answers(to);
    lying_lengths(to);
    pipelined(to);
    // More than one address may have: the rest is closed, and other addresses are still served.
    let flood = idle(to, 300);
    assert_eq!(world.by_dns(0).is(EAST), Ok(()));
    drop(flood);
    answers(to);
    before.is_back(world.node_mut(0));
    world.is_well(EAST);
}

/// Lengths of TCP messages that no message has.
fn lying_lengths(to: SocketAddr) {
    for bytes in
        [&[0, 0][..], &[0, 0, 0, 0, 0, 0], &[0xff, 0xff], &[0xff, 0xff, 1, 2, 3], &[0, 40, 1], &[0]]
    {
        let mut stream = connect(to).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.len() < 600, "{bytes:?}: {rest:?}");
    }
}

/// RFC 7766, section 6.2.1.1: many questions on one connection, before any answer was read.
fn pipelined(to: SocketAddr) {
    let length = u16::try_from(good().len()).expect("short");
    let one = [&length.to_be_bytes()[..], &good()].concat();
    let mut stream = connect(to).unwrap();
    stream.write_all(&one.repeat(200)).unwrap();
    for _ in 0..200 {
        let mut head = [0; 2];
        stream.read_exact(&mut head).unwrap();
        let mut answer = vec![0; u16::from_be_bytes(head).into()];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer[3] & 0x0f, 0);
    }
}
