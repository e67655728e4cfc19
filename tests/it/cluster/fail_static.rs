//! Without a quorum, and without any controller: what is, stays.

use std::time::{Duration, Instant};

use super::super::process::until;
use super::super::world::{EAST, Heard, LIMIT, WEST, World};
use super::{alone, only_automatic};

/// Watches users for a while; every answer must be good.
fn all_good(span: Duration, mut ask: impl FnMut() -> Heard, plane: usize) {
    let began = Instant::now();
    while began.elapsed() < span {
        assert_eq!(ask(), Heard::Plane(plane));
    }
}

#[test]
fn with_two_nodes_dead_the_third_answers_on_and_moves_nobody() {
    let _turn = alone();
    let mut world = World::steady();
    world.kill_node(0);
    world.kill_node(1);
    all_good(Duration::from_secs(2), || world.by_dns(2), EAST);
    says_what_is_so_without_a_quorum(&world);
    world.kill_plane(EAST);
    let refused = world.api_of(2).switch(WEST, "no-quorum").unwrap_err();
    assert!(refused.contains("quorum") || refused.contains("may or may not"), "{refused}");
    all_good(Duration::from_secs(2), || world.by_dns(2), EAST);
    all_good(Duration::from_secs(1), || world.through_gateway(), WEST);
    world.start_node(0);
    world.start_node(1);
    world.users_are_on(WEST);
    world.start_plane(EAST);
    world.is_well(WEST);
    // The refused command may have been carried out after all, or the quorum has switched: one move it is.
    assert_eq!(world.switchovers().len(), 1);
}

/// Of three nodes `c` is left.
fn says_what_is_so_without_a_quorum(world: &World) {
    let said = until(LIMIT, || match world.biplane(&["status"]) {
        // Fallen silent is who was not heard for a while.
        (Some(1), said) if said.contains("missing:    a (site") && said.contains(", b (site") => {
            Ok(said)
        }
        (code, said) => Err(format!("{code:?}: {said}")),
    });
    for part in [
        "NO QUORUM for ",
        ": c knows of 1 of 3 members, itself among them, and 2 are needed\n",
        "nothing can be switched or changed, by nobody",
        "DNS and gateways go on with the routes below",
        "1. see on their hosts that `biplane node` runs",
        "shop   east",
        "nothing was changed",
    ] {
        assert!(said.contains(part), "`{part}` is missing:\n{said}");
    }
    let (code, json) = world.biplane(&["status", "--json"]);
    let status = json.split("\n{\"error\"").next().unwrap_or_default();
    let status: serde_json::Value = serde_json::from_str(status).unwrap();
    assert_eq!((code, &status["quorum"]), (Some(1), &serde_json::json!(false)));
    assert!(status["cut_off_ms"].is_u64(), "{status}");
}

#[test]
fn with_all_nodes_dead_the_gateway_survives_a_dying_plane_and_the_due_switch_comes_later() {
    let _turn = alone();
    let mut world = World::steady();
    (0..3).for_each(|node| world.kill_node(node));
    all_good(Duration::from_secs(2), || world.through_gateway(), EAST);
    world.kill_plane(EAST);
    all_good(Duration::from_secs(2), || world.through_gateway(), WEST);
    assert!(matches!(world.by_dns(0), Heard::Fault(_)), "DNS is gone with its nodes");
    (0..3).for_each(|node| world.start_node(node));
    world.users_are_on(WEST);
    only_automatic(&world, 1);
    world.start_plane(EAST);
    world.is_well(WEST);
    assert_eq!(world.switchovers().len(), 1);
}
