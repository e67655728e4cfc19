//! Each alert fires once, in a real Prometheus that scrapes real processes over TLS; named exceptions are in `fake`.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::time::Duration;

use biplane::edge::identity::api_client_tls;
use rustix::process::Signal;
use serde_json::json;

use super::fake::{FAKED, Fake};
use super::prometheus::{Prometheus, is_installed};
use super::rules::rules;
use crate::cluster::alone;
use crate::hostile::wire::{connect, connect_tls, exchange, idle};
use crate::process::{BIPLANE, until};
use crate::world::{EAST, LIMIT, NODES, WEST, World};

/// What fires from the beginning: the certificates are short, one journal has no place, and nobody can be told.
const FROM_THE_BEGINNING: &[&str] = &[
    "BiplaneCertificate",
    "BiplaneCertificateEnds",
    "BiplaneJournalGaps",
    "BiplaneNotifyFails",
    "BiplaneWatchdog",
];
/// What a busy machine of the tests may bring to fire at any time.
const BY_LOAD: &[&str] =
    &["BiplaneCommitSlow", "BiplaneDiskSlow", "BiplaneLeaderChanges", "BiplaneStalls"];
/// The node that suffers.
const C: usize = 2;

/// A cluster with what its alerts need: a group with a small budget that moves by itself, and one that asks.
fn world() -> World {
    World::steady_prepared(&["--certificate-days", "5"], |world| {
        let file = world.file("cluster.toml");
        let mut text = std::fs::read_to_string(&file).unwrap();
        for (from, to) in [
            ("services = [\"web\", \"cart\", \"pay\"]", "services = [\"web\", \"cart\"]"),
            ("switches = 500", "switches = 1"),
            ("downs = 50, window = \"1s\"", "downs = 2, window = \"1h\""),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from} stands there");
            text = changed;
        }
        text.push_str("\n[groups.till]\nservices = [\"pay\"]\nmode = \"ask\"\n");
        text.push_str("[notify.pager]\nwebhook = \"http://127.0.0.1:9/hook\"\n");
        std::fs::write(&file, text).unwrap();
        let journal = world.file("c/data/journal");
        std::fs::write(journal, "a file where a directory should be").unwrap();
    })
}

/// Strangers at every door.
fn doors_are_tried(world: &World) {
    let tls = api_client_tls(&world.file("ca.crt")).unwrap();
    for _ in 0..8 {
        let request = b"GET /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let stream = connect_tls(world.api_address(0), &tls, "127.0.0.1").unwrap();
        let answer = exchange(stream, request);
        assert!(answer.starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&answer));
    }
    drop(idle(world.api_address(0), 400));
    users_break_off(world, 1);
}

/// So many users who go away with a reset.
fn users_break_off(world: &World, count: usize) {
    for _ in 0..count {
        let mut user = connect(world.gateway()).unwrap();
        user.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n").unwrap();
        user.read_exact(&mut [0; 1]).unwrap();
        socket2::SockRef::from(&user).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// Waits for the end of a switchover in this state.
fn last_is(world: &World, state: &str) {
    until(LIMIT * 2, || {
        let last = world.api().get("/v1/switchovers/last")?;
        if last["state"] == state { Ok(()) } else { Err(format!("{last:#} is not {state}")) }
    });
}

/// A gateway that does not follow, then a plane that ends: undone, stuck, and a person is asked.
fn routes_are_troubled(world: &mut World, prometheus: &mut Prometheus) {
    world.gateway_process().signal(Signal::STOP);
    until(LIMIT, || world.api().switch(WEST, "undone"));
    last_is(world, "undone");
    prometheus.fires("a switchover was undone", &["BiplaneSwitchoverUndone"]);
    world.kill_plane(EAST);
    last_is(world, "stuck");
    let names = [
        "BiplaneStuck",
        "BiplaneAsks",
        "BiplaneServiceNotUp",
        "BiplaneGatewayDown",
        "BiplaneGatewayLost",
    ];
    prometheus.fires("a gateway is frozen and a plane ends", &names);
    world.gateway_process().signal(Signal::CONT);
    world.start_plane(EAST);
    until(LIMIT, || world.api().switch(EAST, "back"));
    last_is(world, "done");
    prometheus.fires("moved by hand", &["BiplaneSwitchedOver"]);
    world.kill_plane(EAST);
    until(LIMIT, || {
        // Users keep coming, and meet nobody.
        let _ = world.through_gateway();
        let alarms = world.api().get("/v1/alarms")?.to_string();
        let explained = world.api().get("/v1/explain/shop")?;
        if alarms.contains("\"budget\"") { Ok(()) } else { Err(format!("{explained:#}")) }
    });
    let names = [
        "BiplaneHeld",
        "BiplaneBudgetUsedUp",
        "BiplanePlaneUnstable",
        "BiplaneGatewayConnectsFail",
    ];
    prometheus.fires("the plane ends again", &names);
}

/// Leaders that freeze, a member that ends, one of another CA, one whose disk is full.
fn members_are_troubled(world: &mut World, prometheus: &mut Prometheus) {
    for _ in 0..6 {
        let leader = world.leader();
        world.signal_node(leader, Signal::STOP);
        // The length of the freeze is what the alert is about.
        std::thread::sleep(Duration::from_millis(1_500));
        world.signal_node(leader, Signal::CONT);
        world.leader();
    }
    prometheus.fires("leaders freeze", &["BiplaneStalls", "BiplaneLeaderChanges"]);
    world.kill_node(C);
    let names = ["BiplaneNodeDown", "BiplaneMemberLost", "BiplaneFramesDropped"];
    prometheus.fires("a member is killed", &names);
    let ca = world.file("c/ca.crt");
    let own = std::fs::read(&ca).unwrap();
    std::fs::write(&ca, another_ca()).unwrap();
    world.start_node(C);
    let names = ["BiplaneMemberWithoutQuorum", "BiplaneMemberRefused"];
    prometheus.fires("a member trusts another CA", &names);
    world.kill_node(C);
    std::fs::write(&ca, own).unwrap();
    starts_on_a_full_disk(world);
    let mut count = 0;
    until(LIMIT * 2, || {
        let reason = "x".repeat(900);
        let body = json!({ "on": count % 2 == 0, "reason": reason });
        count += 1;
        world.api().post("/v1/groups/till/freeze", &body)?;
        let status = world.api().get("/v1/status")?;
        let role = status["members"][C]["role"].clone();
        if role == "apart" { Ok(()) } else { Err(format!("{} is {role}", NODES[C])) }
    });
    prometheus.fires("a disk is full", &["BiplaneMemberApart"]);
}

fn starts_on_a_full_disk(world: &mut World) {
    let room = std::fs::metadata(world.file("c/data/biplane.redb")).unwrap().len();
    // A store that was cut off in the middle of a write may take a little room to open.
    let opens = |more: u64| {
        world.start_node_on_a_full_disk(C, room + more * (64 << 10));
        world.node_mut(C).says_or_ends("node started", LIMIT)
    };
    assert!((0..8).any(opens), "it does not start");
}

fn another_ca() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let new = dir.path().join("other");
    let mut init = std::process::Command::new(BIPLANE);
    let made = init.arg("init").arg(&new).args(["--members", "a,b,c"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    std::fs::read(new.join("ca.crt")).unwrap()
}

#[test]
fn each_alert_fires_in_a_real_prometheus() {
    if std::env::var_os("BIPLANE_ALERTS").is_none() || !is_installed() {
        println!(
            "SKIPPED: each alert fired (wants Prometheus and BIPLANE_ALERTS; tests/run --all)"
        );
        return;
    }
    let _turn = alone();
    let mut world = world();
    let fake = Fake::start();
    let mut prometheus = Prometheus::start(&world, fake.address);
    prometheus.scrapes(NODES.len() + 2);
    prometheus.fires("a steady cluster", FROM_THE_BEGINNING);
    let expected: BTreeSet<&str> = FROM_THE_BEGINNING.iter().chain(BY_LOAD).copied().collect();
    prometheus.is_quiet_but_for(&expected);
    Fake::suffers();
    prometheus.fires("what only the exporter says", FAKED);
    fake.is_silent();

    doors_are_tried(&world);
    let names = ["BiplaneLogins", "BiplaneLoginsFail", "BiplaneApiFull"];
    prometheus.fires("doors are tried", &names);
    prometheus.knows("biplane_gateway_connections_total%7Bresult=%22broken%22%7D");
    users_break_off(&world, 600);
    prometheus.fires("users break off", &["BiplaneGatewayConnectionsBreak"]);
    routes_are_troubled(&mut world, &mut prometheus);
    members_are_troubled(&mut world, &mut prometheus);
    for node in [1, C] {
        world.kill_node(node);
    }
    prometheus.fires("one of three is left", &["BiplaneNoQuorum", "BiplaneNoLeader"]);
    world.kill_node(0);
    prometheus.fires("nobody is left", &["BiplaneAbsent"]);
    let all: BTreeSet<String> = rules().into_iter().map(|rule| rule.name).collect();
    let silent: Vec<&String> = all.difference(&prometheus.fired).collect();
    assert!(silent.is_empty(), "these never fired: {silent:?}");
}
