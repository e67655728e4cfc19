//! A disk that is full while its node runs.

use super::super::process::until;
use super::super::world::{EAST, Heard, LIMIT, NODES, WEST, World};
use super::alone;

/// The limit of a file's size stands for a full disk: writes beyond it fail, and no root is needed.
#[test]
fn a_node_whose_disk_is_full_stands_apart_says_what_to_do_and_comes_back() {
    let _turn = alone();
    let mut world = World::steady();
    let full = world.leader();
    let store = world.file(&format!("{}/data/biplane.redb", NODES[full]));
    world.kill_node(full);
    let room = std::fs::metadata(&store).unwrap().len();
    // A store that was cut off in the middle of a write may take a little room to open, and more to take part.
    let takes_part = |more: u64| {
        world.start_node_on_a_full_disk(full, room + more * (64 << 10));
        let part = world.node_mut(full).says_or_ends("node started", LIMIT)
            && until(LIMIT, || well_or_apart(&mut world, full));
        if !part {
            world.kill_node(full);
        }
        part
    };
    assert!((0..8).any(takes_part), "it does not start");
    // Every switch takes room in the log.
    let mut on = EAST;
    until(LIMIT * 3, || {
        on = if on == EAST { WEST } else { EAST };
        world.api().switch(on, &format!("fill-{}", world.switchovers().len()))?;
        world.last_ended();
        let status = world.api().get("/v1/status")?;
        let role = status["members"][full]["role"].clone();
        if role == "apart" { Ok(()) } else { Err(format!("{} is {role}", NODES[full])) }
    });
    let said = world.node_mut(full).says("has left consensus", LIMIT);
    assert!(said.contains("make room") && said.contains("start the node again"), "{said}");
    // The others carry on, and nobody is misled.
    let to = until(LIMIT, || {
        // What was asked while the leader left may have been carried out by its successor.
        world.last_ended();
        let to = if plane_now(&world) == EAST { WEST } else { EAST };
        let moved = world.api().switch(to, &format!("carry-on-to-{to}"))?;
        let ended = world.last_ended()["id"].clone();
        if ended == moved.as_str() { Ok(to) } else { Err(format!("{ended} is not {moved}")) }
    });
    // What it last knew it still tells, and people are told of it.
    assert!(matches!(world.by_dns(full), Heard::Plane(_)), "{}", world.by_dns(full));
    let routes = world.api_of(full).get("/v1/routes?stale=true").unwrap();
    assert!(routes.to_string().contains("shop"), "{routes}");
    until(LIMIT, || {
        let alarms = world.api().get("/v1/alarms")?.to_string();
        if alarms.contains("member-apart") { Ok(()) } else { Err(alarms) }
    });
    let refused = world.api_of(full).get("/v1/status").unwrap_err();
    assert!(refused.contains("make room"), "{refused}");
    let count = world.switchovers().len();
    world.kill_node(full);
    world.start_node(full);
    world.is_well(to);
    assert_eq!(world.switchovers().len(), count, "nothing was lost");
}

/// Whether the node takes part in a cluster that is well; not when it has left consensus.
fn well_or_apart(world: &mut World, node: usize) -> Result<bool, String> {
    if world.node_mut(node).heard().iter().any(|line| line.contains("has left consensus")) {
        return Ok(false);
    }
    world.seen_well(EAST).map(|()| true)
}

fn plane_now(world: &World) -> usize {
    until(LIMIT, || match world.api().get("/v1/status")?["groups"][0]["plane"].as_str() {
        Some("west") => Ok(WEST),
        Some("east") => Ok(EAST),
        other => Err(format!("{other:?}")),
    })
}
