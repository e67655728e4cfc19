//! The gateway's ports: it carries any bytes, and keeps nothing of them.

use std::io::Write as _;
use std::net::SocketAddr;

use super::health::Health;
use super::wire::{connect, exchange_plain, idle, noise};
use crate::cluster::alone;
use crate::process::until;
use crate::world::{EAST, LIMIT, World};

fn served(world: &World) {
    until(LIMIT, || world.through_gateway().is(EAST));
}

/// Clients that say nothing sensible, nothing at all, or go away in the middle.
fn strange_clients(to: SocketAddr) {
    for seed in 0..50 {
        exchange_plain(connect(to).unwrap(), &noise(seed, 3_000));
    }
    for _ in 0..200 {
        let mut stream = connect(to).unwrap();
        let _ = stream.write_all(b"GET / HT");
    }
    for _ in 0..200 {
        let stream = connect(to).unwrap();
        // A reset instead of a farewell.
        let _ = socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO));
    }
}

fn admin_requests() -> Vec<Vec<u8>> {
    let mut requests: Vec<Vec<u8>> = (0..20).map(|seed| noise(seed, 500)).collect();
    requests
        .push(b"GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec());
    requests
        .push(b"POST /routes HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n".to_vec());
    requests.push([b"GET /".as_slice(), &[b'a'; 100_000], b" HTTP/1.1\r\n\r\n"].concat());
    requests
}

#[test]
fn hostile_clients_of_the_gateway_leave_nothing_behind() {
    let _turn = alone();
    let mut world = World::steady();
    let (to, admin) = (world.gateway(), world.gateway_admin());
    let before = Health::of(world.gateway_process());
    strange_clients(to);
    served(&world);
    let waiting = idle(to, 500);
    served(&world);
    drop(waiting);
    for request in admin_requests() {
        let answer = exchange_plain(connect(admin).unwrap(), &request);
        let told = String::from_utf8_lossy(&answer);
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 4"), "{told}");
    }
    let waiting = idle(admin, 200);
    served(&world);
    drop(waiting);
    before.is_back(world.gateway_process_mut());
    world.is_well(EAST);
    assert!(world.switchovers().is_empty(), "hints of broken clients move nobody");
}
