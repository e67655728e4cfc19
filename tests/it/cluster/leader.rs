//! The leader's death, pause and polite end.

use std::time::Duration;

use rustix::process::Signal;

use super::super::process::until;
use super::super::world::{EAST, LIMIT, NODES, PLANES, WEST, World};
use super::{alone, only_automatic};

#[test]
fn the_leader_dies_in_mid_switch_and_what_was_acknowledged_is_carried_out() {
    let _turn = alone();
    let mut world = World::steady();
    let leader = world.leader();
    let id = world.api().switch(WEST, "mid-switch").unwrap();
    world.kill_node(leader);
    let ended = until(LIMIT, || {
        let record = world.api().get(&format!("/v1/switchovers/{id}"))?;
        let state = record["state"].as_str().unwrap_or_default().to_owned();
        if ["done", "undone"].contains(&state.as_str()) { Ok(record) } else { Err(state) }
    });
    let plane = if ended["state"] == "done" { WEST } else { EAST };
    world.users_are_on(plane);
    world.start_node(leader);
    world.is_well(plane);
    assert_eq!(world.switchovers().len(), 1);
}

#[test]
fn the_leader_dies_with_the_active_plane_and_the_others_switch() {
    let _turn = alone();
    let mut world = World::steady();
    let leader = world.leader();
    world.kill_node(leader);
    world.kill_plane(EAST);
    world.users_are_on(WEST);
    world.start_node(leader);
    world.start_plane(EAST);
    world.is_well(WEST);
    only_automatic(&world, 1);
}

#[test]
fn a_leader_that_is_asked_to_stop_hands_over_first() {
    let _turn = alone();
    let mut world = World::steady();
    let leader = world.leader();
    let term = world.api().get("/v1/status").unwrap()["term"].clone();
    world.signal_node(leader, Signal::TERM);
    world.node_ended(leader);
    let status = until(LIMIT, || {
        let status = world.api().get("/v1/status")?;
        match status["leader"].as_str() {
            Some(name) if name != NODES[leader] => Ok(status),
            other => Err(format!("{other:?} leads")),
        }
    });
    let terms = status["term"].as_u64().unwrap() - term.as_u64().unwrap();
    assert_eq!(terms, 1, "one term later, without a failed election between");
    world.start_node(leader);
    world.is_well(EAST);
    assert!(world.switchovers().is_empty());
}

/// So many rounds: `BIPLANE_ROUNDS`, or two.
fn rounds() -> usize {
    std::env::var("BIPLANE_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(2)
}

#[test]
fn a_leader_that_was_paused_never_tells_the_old_route() {
    let _turn = alone();
    let world = World::steady();
    let mut on = EAST;
    for round in 0..rounds() {
        let leader = world.leader();
        world.signal_node(leader, Signal::STOP);
        let stopped = std::time::Instant::now();
        let others: Vec<_> =
            (0..NODES.len()).filter(|n| *n != leader).map(|n| world.api_of(n)).collect();
        let to = if on == EAST { WEST } else { EAST };
        until(LIMIT, || {
            let key = format!("round-{round}");
            others[0].switch(to, &key).or_else(|_| others[1].switch(to, &key))
        });
        until(LIMIT, || {
            let last = others[0].get("/v1/switchovers/last")?;
            if last["state"] == "done" { Ok(()) } else { Err(last["state"].to_string()) }
        });
        // The pause is part of the promise: three seconds, whatever the others did meanwhile.
        std::thread::sleep(Duration::from_secs(3).saturating_sub(stopped.elapsed()));
        let paused = world.api_of(leader);
        world.signal_node(leader, Signal::CONT);
        // An error is honest; the old plane would be a lie.
        if let Ok(status) = paused.get("/v1/status") {
            assert_eq!(status["groups"][0]["plane"], PLANES[to], "round {round}: {status}");
        }
        on = to;
        world.is_well(on);
    }
    assert_eq!(world.switchovers().len(), rounds());
}
