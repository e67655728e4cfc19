//! What is to be read about a cluster that did not converge, taken while it still runs.

use std::fmt::Write as _;
use std::process::Command;

use super::api::Api;
use super::files::{GROUPS, NODES, PLANES};
use super::network::{Host, Network};
use super::world::World;

/// Of the end of a command's words so many bytes are kept.
const KEPT: usize = 20_000;

/// Writes everything into the run's directory.
pub(crate) fn take(world: &World, apis: &[Api]) -> Result<(), String> {
    let mut text = String::new();
    let mut tell = |title: &str, said: String| {
        let _ = writeln!(text, "=== {title}\n{said}");
    };
    tell("filter", words(Network::on_hub().args(["nft", "list", "ruleset"])));
    tell("hub", words(Network::on_hub().args(["sh", "-c", "ip neigh; ip -s link; ip route"])));
    let hosts = (0..PLANES.len())
        .map(|plane| (PLANES[plane], Host::Plane(plane)))
        .chain((0..NODES.len()).map(|node| (NODES[node], Host::Node(node))))
        .chain([("gateway", Host::Gateway)]);
    for (name, host) in hosts {
        let look = "ip neigh; ss -tanp | head -400";
        tell(name, words(Network::command(host).args(["sh", "-c", look])));
    }
    for (name, pid) in world.pids() {
        let look = "cat /proc/$1/stat /proc/$1/wchan /proc/$1/stack; ls /proc/$1/fd | wc -l";
        let pid = pid.to_string();
        tell(name, words(Command::new("sh").args(["-c", look, "sh", &pid])));
    }
    for (api, node) in apis.iter().zip(NODES) {
        for (group, ..) in GROUPS {
            let told = api.get(&format!("/v1/explain/{group}?stale=true"));
            tell(
                &format!("{group}, by {node}"),
                told.map_or_else(|e| e.to_string(), |v| format!("{v:#}")),
            );
        }
    }
    super::files::write(&world.files.dir.join("diagnosis"), &text)
}

fn words(command: &mut Command) -> String {
    match command.output() {
        Ok(ended) => {
            let all = [ended.stdout, ended.stderr].concat();
            String::from_utf8_lossy(&all[..all.len().min(KEPT)]).into_owned()
        }
        Err(error) => error.to_string(),
    }
}
