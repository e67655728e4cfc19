//! What a living cluster measures, and the page that says so.

use std::collections::BTreeSet;

use biplane::edge::identity::api_client_tls;

use super::super::hostile::wire::{connect, connect_tls, exchange};
use super::super::process::until;
use super::super::world::{EAST, LIMIT, NODES, WEST, World};
use super::alone;

fn metrics(world: &World, node: usize) -> String {
    let dir = world.cluster_dir();
    let tls = api_client_tls(&dir.join("ca.crt")).unwrap();
    let token = std::fs::read_to_string(dir.join("token")).unwrap();
    let request = format!(
        "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n",
        token.trim()
    );
    let stream = connect_tls(world.api_address(node), &tls, "127.0.0.1").unwrap();
    String::from_utf8(exchange(stream, request.as_bytes())).unwrap()
}

fn of_gateway(world: &World) -> String {
    let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    String::from_utf8(exchange(connect(world.gateway_admin()).unwrap(), request)).unwrap()
}

/// Names of metrics in the text of an exposition, without the suffixes of histograms.
fn names(text: &str) -> BTreeSet<String> {
    let typed = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    typed.filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
}

fn listed() -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/metrics.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next().map(str::to_owned)).collect()
}

#[test]
fn a_living_cluster_measures_what_the_page_lists_and_nothing_else() {
    let _turn = alone();
    let mut world = World::steady();
    world.kill_plane(EAST);
    world.users_are_on(WEST);
    world.last_ended();
    let listed = listed();
    until(LIMIT, || {
        let texts: Vec<String> = (0..NODES.len()).map(|node| metrics(&world, node)).collect();
        let mut measured: BTreeSet<String> = texts.iter().flat_map(|text| names(text)).collect();
        measured.extend(names(&of_gateway(&world)));
        let unlisted: Vec<&String> = measured.difference(&listed).collect();
        assert!(unlisted.is_empty(), "measured and not in the page: {unlisted:?}");
        let missing: Vec<&String> = listed.difference(&measured).collect();
        let done = "biplane_switchovers_total{result=\"done\"} 1";
        if missing.is_empty() && texts.iter().all(|text| text.contains(done)) {
            return Ok(());
        }
        Err(format!("in the page and not measured: {missing:?}, or no {done}"))
    });
}
