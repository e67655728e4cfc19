//! A node under a service manager.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::super::process::{BIPLANE, Running};
use super::super::world::{EAST, LIMIT, NODES, World};
use super::alone;

#[test]
fn a_node_tells_its_service_manager_that_it_is_ready_lives_and_stops() {
    let _turn = alone();
    let mut world = World::steady();
    world.kill_node(0);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(LIMIT)).unwrap();
    let hear = || {
        let mut text = [0; 64];
        let len = manager.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..len]).trim().to_owned()
    };
    // As systemd does it: the variable names the process that is watched.
    let mut command = Command::new("sh");
    command
        .args(["-c", "WATCHDOG_PID=$$ exec \"$@\"", "sh", BIPLANE])
        .arg("node")
        .arg(world.file(&format!("{}/node.toml", NODES[0])));
    command.args(["--parent", &std::process::id().to_string()]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let mut node = Running::start(&mut command);
    assert_eq!(hear(), "READY=1");
    assert_eq!((hear(), hear()), ("WATCHDOG=1".to_owned(), "WATCHDOG=1".to_owned()));
    // A process that stands still is not called alive.
    node.signal(Signal::STOP);
    manager.set_read_timeout(Some(Duration::from_millis(600))).unwrap();
    let mut text = [0; 64];
    while manager.recv(&mut text).is_ok() {}
    node.signal(Signal::CONT);
    manager.set_read_timeout(Some(LIMIT)).unwrap();
    assert_eq!(hear(), "WATCHDOG=1");
    node.signal(Signal::TERM);
    while hear() != "STOPPING=1" {}
    assert!(node.ended(LIMIT).success());
    world.start_node(0);
    world.is_well(EAST);
}
