//! Who may read what `init` and a node write.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::process::{BIPLANE, until};
use super::super::world::{EAST, LIMIT, NODES, World};
use super::alone;

/// Everything below a directory, itself among it, with its mode.
fn modes(dir: &Path) -> Vec<(PathBuf, u32)> {
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut all = vec![(dir.to_owned(), mode(dir))];
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(modes(&path));
        } else {
            all.push((path.clone(), mode(&path)));
        }
    }
    all
}

/// What anybody may read: certificates, and settings without secrets.
fn is_public(path: &Path) -> bool {
    let kind = path.extension().and_then(|kind| kind.to_str());
    matches!(kind, Some("crt" | "toml"))
}

#[test]
fn whatever_the_umask_secrets_and_what_a_node_keeps_are_for_their_owner_only() {
    let _turn = alone();
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("new");
    let made = Command::new("sh")
        .args(["-c", "umask 000; exec \"$@\"", "sh", BIPLANE, "init"])
        .arg(&dir)
        .args(["--members", "a=127.0.0.1,b=127.0.0.2,c=127.0.0.3"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    for (path, mode) in modes(&dir) {
        let due = match (path.is_dir(), is_public(&path)) {
            (true, _) => 0o700,
            (false, true) => 0o644,
            (false, false) => 0o600,
        };
        assert_eq!(mode, due, "{}: {mode:o}", path.display());
    }
    let mut world = World::steady();
    world.kill_node(1);
    let data = world.file(&format!("{}/data", NODES[1]));
    for kept in ["audit", "journal"] {
        std::fs::remove_dir_all(data.join(kept)).unwrap();
    }
    world.start_node_with_umask(1, "000");
    world.is_well(EAST);
    let written = |kept: &str| {
        let some = std::fs::read_dir(data.join(kept)).is_ok_and(|mut files| files.next().is_some());
        if some { Ok(()) } else { Err(format!("nothing in {kept}")) }
    };
    until(LIMIT, || written("audit").and_then(|()| written("journal")));
    for (path, mode) in modes(&data) {
        let due = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, due, "{}: {mode:o}", path.display());
    }
}
