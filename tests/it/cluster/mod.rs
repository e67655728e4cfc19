//! Real processes under faults: what must happen happens, and nothing else does.

mod access;
mod alarms;
mod audit;
mod config;
mod disk;
mod events;
mod fail_static;
mod journal;
mod leader;
mod metrics;
mod modes;
mod observers;
mod pasts;
mod senses;
mod service;
mod systemd;
mod two_sites;
mod witness;

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::Signal;
use serde_json::Value;

use super::world::{EAST, WEST, World};

/// One cluster at a time: two on two cores would disturb each other's elections.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The newest switchover was this one, automatic, and done; and there were no others.
fn only_automatic(world: &World, count: usize) -> Value {
    let all = world.switchovers();
    assert_eq!(all.len(), count, "{all:#?}");
    let last = world.last_ended();
    assert_eq!((&last["kind"], &last["state"]), (&"automatic".into(), &"done".into()), "{last:#}");
    assert!(last["ballots"].as_object().is_some_and(|ballots| ballots.len() >= 2), "{last:#}");
    last
}

#[test]
fn a_killed_plane_is_left_and_does_not_draw_users_back_when_it_returns() {
    let _turn = alone();
    let mut world = World::steady();
    world.kill_plane(EAST);
    world.users_are_on(WEST);
    world.start_plane(EAST);
    world.is_well(WEST);
    only_automatic(&world, 1);
}

#[test]
fn a_stopped_plane_is_left() {
    let _turn = alone();
    let world = World::steady();
    world.signal_plane(EAST, Signal::STOP);
    world.users_are_on(WEST);
    world.signal_plane(EAST, Signal::CONT);
    world.is_well(WEST);
    only_automatic(&world, 1);
}

#[test]
fn a_wrong_port_another_ca_and_another_token_are_told_apart() {
    let _turn = alone();
    let world = World::steady();
    let dir = world.cluster_dir();
    let said = |words: &str| {
        let mut command = std::process::Command::new(super::process::BIPLANE);
        let ended = command.args(["status", "--dir"]).arg(&dir).output().unwrap();
        assert!(!ended.status.success());
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(said.contains(words), "{said}");
    };
    let changed = |file: &str, text: &str, words: &str| {
        let path = dir.join(file);
        let was = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text).unwrap();
        said(words);
        std::fs::write(&path, was).unwrap();
    };
    let client = |port: SocketAddr| {
        format!("controllers = [\"{port}\"]\nca = \"ca.crt\"\ntoken = \"token\"\n")
    };
    changed("client.toml", &client(world.member(0)), "not the `member` one");
    changed("client.toml", &client(world.gateway()), "does not speak TLS");
    changed("token", "bp_another\n", "token");
    let other = tempfile::tempdir().unwrap();
    let new = other.path().join("other");
    let mut init = std::process::Command::new(super::process::BIPLANE);
    assert!(
        init.arg("init").arg(&new).args(["--members", "a,b,c"]).output().unwrap().status.success()
    );
    let ca = std::fs::read_to_string(new.join("ca.crt")).unwrap();
    changed("ca.crt", &ca, "is not signed by the CA in ca.crt");
}

#[test]
fn an_operator_moves_users_there_and_back_on_the_command_line() {
    let _turn = alone();
    let world = World::steady();
    let biplane = |args: &[&str]| world.biplane(args);
    let guards = [
        (&["freeze", "shop", "--reason", "a release"][..], "frozen by admin: a release"),
        (&["freeze", "--all"], "frozen by admin: no reason given"),
        (&["drain", "west", "--reason", "works"], "works"),
    ];
    for (command, shown) in guards {
        let (code, said) = biplane(command);
        assert_eq!(code, Some(0), "{said}");
        let (_, said) = biplane(&["status"]);
        assert!(said.contains(shown), "{said}");
    }
    let (code, said) = biplane(&["switch", "shop", "--to", "west"]);
    assert!(code == Some(1) && said.contains("works"), "{said}");
    for command in [&["thaw", "shop"][..], &["thaw", "--all"], &["undrain", "west"]] {
        let (code, said) = biplane(command);
        assert_eq!(code, Some(0), "{said}");
    }
    let (_, said) = biplane(&["status"]);
    assert!(!said.contains("frozen") && !said.contains("works"), "{said}");
    let (code, said) = biplane(&["switch", "shop", "--dry-run"]);
    assert!(code == Some(0) && said.contains("from east to west"), "{said}");
    world.seen_on(EAST).unwrap();
    let (code, said) = biplane(&["switch", "shop", "--to", "west", "--reason", "a drill"]);
    assert!(code == Some(0) && said.contains("shop is on west"), "{said}");
    world.seen_on(WEST).unwrap();
    let (code, said) = biplane(&["switch", "shop", "--to", "west"]);
    assert_eq!(code, Some(1), "it is there already: {said}");
    let (code, said) = biplane(&["switch", "shop", "--to", "east", "--epoch", "1.1"]);
    assert_eq!(code, Some(1), "an old epoch: {said}");
    let (code, said) = biplane(&["explain", "last"]);
    assert!(code == Some(0) && said.contains("a drill"), "{said}");
    let (code, said) = biplane(&["explain", "shop"]);
    assert!(code == Some(0) && said.contains("shop is on west"), "{said}");
    let (code, said) = biplane(&["status", "--json"]);
    let status: Value = serde_json::from_str(&said).unwrap();
    assert!(code == Some(0) && status["groups"][0]["plane"] == "west", "{said}");
    let (code, said) = biplane(&["switch", "shop", "--json"]);
    let record: Value = serde_json::from_str(&said).unwrap();
    assert!(code == Some(0) && record["state"] == "done", "{said}");
    world.is_well(EAST);
}

#[test]
fn all_three_nodes_killed_at_once_come_back_with_everything_that_was_acknowledged() {
    let _turn = alone();
    let mut world = World::steady();
    let moved = world.api().switch(WEST, "first").unwrap();
    assert_eq!(world.last_ended()["id"], moved.as_str());
    (0..3).for_each(|node| world.kill_node(node));
    (0..3).for_each(|node| world.start_node(node));
    world.is_well(WEST);
    let all = world.switchovers();
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!(all[0]["id"], moved.as_str());
    let again = world.api().switch(WEST, "first").unwrap();
    assert_eq!(again, moved, "the same key is the same switchover, after a restart too");
}
