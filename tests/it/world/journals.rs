//! P9 with real processes: every journal that a test's nodes left gives the same outputs again.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::super::process::{BIPLANE, until};
use super::{LIMIT, NODES, World};

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        // A journal is written once a second, and some tests are shorter.
        until(LIMIT, || {
            let inputs: u64 = self.replay_all().iter().map(Replayed::inputs).sum();
            if inputs > 0 { Ok(()) } else { Err("no node has a journal".to_owned()) }
        });
        for node in &mut self.nodes {
            drop(node.take());
        }
        self.replay_all();
    }
}

/// What `biplane replay --json` says.
#[derive(Debug)]
pub(crate) struct Replayed(pub(crate) Value);

impl Replayed {
    /// The segments.
    pub(crate) fn segments(&self) -> &[Value] {
        self.0["segments"].as_array().expect("a list")
    }

    /// How many inputs were replayed.
    pub(crate) fn inputs(&self) -> u64 {
        self.segments().iter().filter_map(|segment| segment["inputs"].as_u64()).sum()
    }
}

impl World {
    /// Replays what each node has left so far; all of it must be the same again.
    pub(crate) fn replay_all(&self) -> Vec<Replayed> {
        let started = NODES.map(|node| self.start_replay(node));
        started.into_iter().flatten().map(ended).collect()
    }

    /// A node's journal.
    pub(crate) fn journal(&self, node: &str) -> std::path::PathBuf {
        self.file(&format!("{node}/data/journal"))
    }

    fn start_replay(&self, node: &str) -> Option<Child> {
        let dir = self.journal(node);
        let files = std::fs::read_dir(&dir).map_or(0, Iterator::count);
        let mut command = Command::new(BIPLANE);
        command.args(["replay", "--json"]).arg(dir);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        (files > 0).then(|| command.spawn().unwrap())
    }
}

fn ended(replay: Child) -> Replayed {
    let ended = replay.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    let more = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "a journal does not replay: {said}{more}");
    Replayed(serde_json::from_str(&said).unwrap())
}
