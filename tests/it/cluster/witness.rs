//! Two controllers and a witness: it votes and probes, and serves nobody.

use std::net::TcpStream;
use std::time::Duration;

use super::super::process::until;
use super::super::world::{EAST, Heard, LIMIT, NODES, WEST, World};
use super::config::done;
use super::{alone, only_automatic};

/// The witness among [`NODES`].
const WITNESS: usize = 2;

/// `c` is a witness: its `api` and `dns` go.
fn with_witness(text: String) -> String {
    let (before, after) = text.split_once("[members.c]\n").expect("it has a third member");
    let (own, rest) = after.split_once("[services.").expect("services follow");
    let own: Vec<&str> =
        own.lines().filter(|l| !l.starts_with("api = ") && !l.starts_with("dns = ")).collect();
    format!("{before}[members.c]\nrole = \"witness\"\n{}\n[services.{rest}", own.join("\n"))
}

#[test]
fn two_controllers_and_a_witness_leave_a_dead_plane_and_outlive_a_controller() {
    let _turn = alone();
    let mut world = World::steady_of(with_witness);
    let made = std::fs::read_to_string(world.file("client.toml")).unwrap();
    assert!(!made.contains(&world.api_address(WITNESS).to_string()), "{made}");
    for nobody in [world.api_address(WITNESS), world.dns(WITNESS)] {
        let answer = TcpStream::connect_timeout(&nobody, Duration::from_secs(1));
        assert!(answer.is_err(), "{nobody} is served");
    }
    assert!(matches!(world.by_dns(WITNESS), Heard::Fault(_)));
    let status = world.api().get("/v1/status").unwrap();
    assert_eq!(status["members"][WITNESS]["kind"], "witness", "{status:#}");
    assert!(done(&world, &["status"]).contains("witness"));

    world.kill_plane(EAST);
    world.users_are_on(WEST);
    let switched = only_automatic(&world, 1);
    assert!(!switched["converging"].to_string().contains("member c"), "{switched:#}");
    world.start_plane(EAST);
    world.is_well(WEST);

    // The site of a controller is lost with its plane: one controller and the witness decide.
    world.kill_node(1);
    world.kill_plane(WEST);
    world.users_are_on(EAST);
    let switched = only_automatic(&world, 2);
    assert!(switched["converging"].to_string().contains("member b"), "{switched:#}");
    world.start_node(1);
    world.start_plane(WEST);
    world.is_well(EAST);
}

#[test]
fn a_witness_leads_when_it_must_and_refuses_addresses_of_its_own() {
    let _turn = alone();
    let mut world = World::steady_of(with_witness);
    // Whoever leads goes, until it is the witness.
    until(LIMIT * 3, || {
        let leader = world.leader();
        if leader == WITNESS {
            return Ok(());
        }
        world.kill_node(leader);
        let next = world.leader();
        world.start_node(leader);
        if next == WITNESS { Ok(()) } else { Err(format!("{} leads", NODES[next])) }
    });
    world.is_well(EAST);
    let said = done(&world, &["switch", "shop", "--to", "west"]);
    assert!(said.contains("shop is on west"), "{said}");
    world.is_well(WEST);

    world.kill_node(WITNESS);
    let file = world.file("c/node.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("api_listen = \"{}\"\n{text}", world.api_address(WITNESS)))
        .unwrap();
    world.start_node(WITNESS);
    let said = world.node_refuses(WITNESS);
    assert!(said.contains("`api_listen`") && said.contains("is a witness"), "{said}");
    std::fs::write(&file, text).unwrap();
    world.start_node(WITNESS);
    world.is_well(WEST);
}
