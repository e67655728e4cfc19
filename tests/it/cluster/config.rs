//! The configuration of a running cluster is changed, and put back.

use std::path::Path;

use serde_json::Value;

use super::super::process::until;
use super::super::world::{EAST, LIMIT, NODES, WEST, World};
use super::alone;

pub(super) fn done(world: &World, args: &[&str]) -> String {
    let (code, said) = world.biplane(args);
    assert_eq!(code, Some(0), "{args:?}: {said}");
    said
}

/// The cluster file in force, once a leader has logged its text.
pub(super) fn in_force(world: &World) -> String {
    until(LIMIT, || match world.biplane(&["config", "show"]) {
        // Its number comes behind it, on standard error.
        (Some(0), said) => match said.rsplit_once("biplane: configuration ") {
            Some((text, number)) if number.contains("--version") => Ok(text.to_owned()),
            _ => Err(said),
        },
        (_, said) => Err(said),
    })
}

/// Writes a changed cluster file beside the others.
pub(super) fn written(world: &World, text: &str, change: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (from, to) in change {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from} stands there");
        text = changed;
    }
    let file = world.file("wanted.toml");
    std::fs::write(&file, text).unwrap();
    file.to_str().expect("ASCII").to_owned()
}

/// A second group with a name and a route of its own, beside the first one.
fn with_blog(text: &str) -> String {
    let services = text.replacen(
        "services = [\"web\", \"cart\", \"pay\"]",
        "services = [\"web\", \"cart\"]",
        1,
    );
    let name = "\n[zones.\"world.test\".names.\"blog.world.test\"]\ngroup = \"blog\"\neast = [\"127.0.0.11\"]\nwest = [\"127.0.0.12\"]\n";
    format!(
        "{services}\n[groups.blog]\nservices = [\"pay\"]\nhome = \"west\"\nmode = \"observe\"\n{name}"
    )
}

fn version(world: &World) -> Value {
    world.api().get("/v1/config").unwrap()["version"].clone()
}

#[test]
fn a_running_cluster_takes_another_configuration_and_the_old_one_back() {
    let _turn = alone();
    let mut world = World::steady();
    let first = in_force(&world);
    let own = std::fs::read_to_string(world.file("cluster.toml")).unwrap();
    assert_eq!(first, own, "the text is that of the file, comments and all");
    let file = written(&world, &with_blog(&first), &[("ttl = 1", "ttl = 2")]);

    let said = done(&world, &["config", "diff", &file]);
    assert!(
        said.contains("+ groups.blog\n")
            && said.contains("home = \"west\"\n")
            && said.contains("~ groups.shop.services: - \"pay\"\n")
            && said.contains("~ zones.\"world.test\".ttl: 1 → 2\n"),
        "{said}"
    );
    assert!(!said.contains("nanos"), "{said}");
    assert_eq!(version(&world), 1, "a dry run changes nothing");
    world.is_well(EAST);

    let apply = ["config", "apply", &file, "--version", "1", "--reason", "a blog"];
    let said = done(&world, &apply);
    assert!(said.contains("configuration 2 is in force."), "{said}");
    let said = done(&world, &apply);
    assert!(said.contains("configuration 2 is in force already"), "{said}");
    assert!(!said.contains("refused"), "{said}");
    assert_eq!(version(&world), 2, "the same again is no other");
    for (node, name) in NODES.iter().enumerate() {
        until(LIMIT, || {
            let status = world.api_of(node).get("/v1/status?stale=true")?;
            let groups = status["groups"].as_array().map_or(0, Vec::len);
            if groups == 2 { Ok(()) } else { Err(format!("{name} has {groups}")) }
        });
        until(LIMIT, || resolves(&world, node, "blog.world.test", WEST));
        world.by_dns(node).is(EAST).unwrap();
    }
    world.users_are_on(EAST);
    assert!(world.switchovers().is_empty(), "no route moved by it");
    let said = done(&world, &["config", "show", "--list"]);
    assert!(said.contains("a blog"), "{said}");

    // It is what the cluster works by: what is left of the group moves when its plane dies.
    world.kill_plane(EAST);
    world.users_are_on(WEST);
    world.start_plane(EAST);

    // Back to the first, which a restart of all leaves in force.
    done(&world, &["config", "apply", "--kept", "1", "--reason", "no blog"]);
    assert_eq!(in_force(&world), own);
    (0..3).for_each(|node| world.kill_node(node));
    (0..3).for_each(|node| world.start_node(node));
    world.is_well(WEST);
    assert_eq!(version(&world), 3);
    until(LIMIT, || match resolves(&world, 0, "blog.world.test", WEST) {
        Ok(()) => Err("the name is still there".to_owned()),
        Err(_) => Ok(()),
    });
}

fn resolves(world: &World, node: usize, name: &str, plane: usize) -> Result<(), String> {
    world.by_name(node, name).is(plane)
}

#[test]
fn what_cannot_be_taken_is_refused_and_changes_nothing() {
    let _turn = alone();
    let mut world = World::steady();
    let first = in_force(&world);
    let refused = |args: &[&str], words: &str| {
        let (code, said) = world.biplane(args);
        assert!(code == Some(1) && said.contains(words), "{args:?} {code:?}: {said}");
    };
    let other = written(&world, &first, &[("cluster = \"world\"", "cluster = \"other\"")]);
    refused(&["config", "apply", &other], "cannot be changed while the cluster runs");
    let faulty = written(&world, &first, &[("ttl = 1", "ttl = \"soon\"")]);
    refused(&["config", "apply", &faulty], "wanted.toml:");
    refused(&["config", "apply", "--kept", "9"], "no kept configuration");
    let good = written(&world, &first, &[("ttl = 1", "ttl = 3")]);
    refused(&["config", "apply", &good, "--version", "7"], "based on configuration 7");
    assert_eq!(version(&world), 1);

    // A node whose file is another says so, and works by what is in force.
    let node = world.leader();
    world.kill_node(node);
    std::fs::copy(Path::new(&good), world.file("cluster.toml")).unwrap();
    world.start_node(node);
    world.node_mut(node).says("this node's cluster file differs", LIMIT);
    world.is_well(EAST);
    let status = until(LIMIT, || world.api_of(node).get("/v1/status"));
    let warnings = status["warnings"].to_string();
    assert!(warnings.contains("differs from configuration 1"), "{warnings}");
    done(&world, &["config", "apply", &good]);
    let differs = |wanted: bool| {
        until(LIMIT, || {
            let warnings = world.api_of(node).get("/v1/status")?["warnings"].to_string();
            if warnings.contains("differs") == wanted { Ok(()) } else { Err(warnings) }
        });
    };
    differs(false);
    // The file is read again while the node runs; one that cannot be read changes nothing of what is said.
    std::fs::write(world.file("cluster.toml"), &first).unwrap();
    differs(true);
    std::fs::copy(Path::new(&good), world.file("cluster.toml")).unwrap();
    differs(false);
}
