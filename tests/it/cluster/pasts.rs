//! Nodes with another past than the cluster's: a file that lost members, disks put back to old copies.

use std::fs;

use super::super::process::until;
use super::super::world::{EAST, LIMIT, NODES, WEST, World};
use super::alone;

#[test]
fn a_node_whose_cluster_file_lost_its_members_does_not_start() {
    let _turn = alone();
    let mut world = World::steady();
    let file = world.file("cluster.toml");
    let whole = fs::read_to_string(&file).unwrap();
    let mut kept = String::new();
    let mut lost = false;
    for line in whole.lines() {
        if line.starts_with('[') {
            lost = matches!(line, "[members.a]" | "[members.c]");
        }
        if !lost {
            kept = kept + line + "\n";
        }
    }
    assert!(kept.contains("[members.b]") && kept.len() < whole.len(), "{kept}");
    world.kill_node(1);
    fs::write(&file, kept).unwrap();
    world.start_node(1);
    let said = world.node_refuses(1);
    assert!(said.contains("names the members 2, and this cluster was made of 1, 2, 3"), "{said}");
    assert!(said.contains("Put the members back"), "{said}");
    fs::write(&file, whole.replacen("[planes.", "# Another text, the same meaning.\n[planes.", 1))
        .unwrap();
    world.start_node(1);
    world.is_well(EAST);
}

#[test]
fn a_file_that_differs_is_told_in_the_log_and_in_the_status() {
    let _turn = alone();
    let mut world = World::steady();
    let file = world.file("cluster.toml");
    let whole = fs::read_to_string(&file).unwrap();
    let other = whole.replacen("fall = 2", "fall = 5", 1);
    assert_ne!(whole, other);
    world.kill_node(2);
    fs::write(&file, other).unwrap();
    world.start_node(2);
    world.node_mut(2).says("cluster file differs from the configuration in force", LIMIT);
    until(LIMIT, || {
        let status = world.api_of(2).get("/v1/status")?;
        let warnings = status["warnings"].to_string();
        if warnings.contains("cluster file of member") { Ok(()) } else { Err(warnings) }
    });
}

/// Raft cannot survive it; the member that remembers must not serve on as if nothing were.
#[test]
fn the_member_that_remembers_stands_apart_from_a_majority_that_was_put_back() {
    let _turn = alone();
    let mut world = World::steady();
    (0..3).for_each(|node| world.kill_node(node));
    let data =
        |world: &World, node: usize| world.file(&format!("{}/data/biplane.redb", NODES[node]));
    let copies = [0, 1].map(|node| fs::read(data(&world, node)).unwrap());
    (0..3).for_each(|node| world.start_node(node));
    world.is_well(EAST);
    world.api().switch(WEST, "there").unwrap();
    world.is_well(WEST);
    (0..3).for_each(|node| world.kill_node(node));
    for (node, copy) in copies.iter().enumerate() {
        fs::write(data(&world, node), copy).unwrap();
        world.start_node(node);
    }
    until(LIMIT, || world.api().get("/v1/groups/shop").map(drop));
    // They lead each other, on the old route; the third comes.
    world.start_node(2);
    world.node_mut(2).says("has forgotten what it had acknowledged", LIMIT);
    until(LIMIT, || match world.api_of(2).text("/readyz") {
        Ok(said) => Err(format!("ready: {said}")),
        Err(why) if why.contains("not ready: it takes no part") => Ok(()),
        Err(why) => Err(why),
    });
    assert!(world.api_of(2).get("/v1/status").is_err(), "no linearizable answer from it");
    until(LIMIT, || {
        let status = world.api_of(0).get("/v1/status")?;
        let role = &status["members"][2]["role"];
        if role == "apart" { Ok(()) } else { Err(status["members"].to_string()) }
    });
}
