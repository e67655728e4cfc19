//! The journals of running nodes, read while they run, after a kill, and after damage.

use std::fmt::Write as _;
use std::path::Path;

use super::super::process::until;
use super::super::world::{EAST, LIMIT, NODES, World};
use super::alone;

/// Bytes that do not get smaller when packed, as a comment of a cluster file.
fn comment(seed: u64) -> String {
    let mut text = String::from("# ");
    let mut word = seed;
    for _ in 0..6_000 {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let _ = write!(text, "{:08x}", word >> 32);
    }
    text + "\n"
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn bytes(dir: &Path) -> u64 {
    files(dir).iter().map(|path| std::fs::metadata(path).map_or(0, |file| file.len())).sum()
}

#[test]
fn a_journal_on_a_real_node_has_segments_that_follow_each_other() {
    let _turn = alone();
    let mut world = World::steady();
    let given = std::fs::read_to_string(world.file("cluster.toml")).unwrap();
    let wanted = world.file("wanted.toml");
    let segments = |node: &str| files(&world.journal(node)).len();
    let mut round = 0;
    // A dry run of a large file is a large input.
    until(LIMIT * 2, || {
        round += 1;
        std::fs::write(&wanted, comment(round) + &given).unwrap();
        world.biplane(&["config", "diff", wanted.to_str().expect("ASCII")]);
        let most = NODES.iter().map(|node| segments(node)).max().unwrap();
        assert!(NODES.iter().all(|node| bytes(&world.journal(node)) <= 1 << 20));
        if most >= 3 { Ok(()) } else { Err(format!("{most} segments after {round} rounds")) }
    });
    // While they run.
    let replayed = world.replay_all();
    let follow = replayed.iter().flat_map(|journal| journal.segments().windows(2));
    let followed = follow.filter(|pair| pair[0]["end"] == "continued" && pair[1]["gap"].is_null());
    for pair in followed.clone() {
        let next = pair[0]["inputs_before"].as_u64().unwrap() + pair[0]["inputs"].as_u64().unwrap();
        assert_eq!(pair[1]["inputs_before"], next, "{pair:#?}");
        assert_eq!(pair[1]["from_start"], false);
    }
    assert!(followed.count() >= 2, "{replayed:#?}");
    // After a kill, with a second process in the same ring.
    world.kill_node(0);
    world.start_node(0);
    world.is_well(EAST);
    let dir = world.journal(NODES[0]);
    let dir = dir.to_str().expect("ASCII");
    until(LIMIT, || match world.biplane(&["replay", dir, "--tell"]) {
        (Some(0), said) if said.contains("  leader  ") && said.contains("0000000002-000001") => {
            Ok(())
        }
        (code, said) => Err(format!("{code:?}: {said}")),
    });
    // A node that stops in good order ends its journal.
    world.signal_node(0, rustix::process::Signal::TERM);
    world.node_ended(0);
    let (code, said) = world.biplane(&["replay", dir]);
    assert!(
        code == Some(0) && said.contains("stopped") && said.contains("same outputs again"),
        "{said}"
    );
    // One bit.
    let last = files(Path::new(dir)).pop().unwrap();
    let good = std::fs::read(&last).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    std::fs::write(&last, bad).unwrap();
    let (code, said) = world.biplane(&["replay", dir]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("UNREADABLE") && said.contains("damaged at byte"), "{said}");
    std::fs::write(&last, good).unwrap();
    let (code, said) = world.biplane(&["replay", "/nowhere"]);
    assert!(code == Some(1) && said.contains("data_dir"), "{said}");
}
