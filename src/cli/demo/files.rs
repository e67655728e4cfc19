//! What the demo's nodes and its gateway read: the files of `biplane init`, with a cluster file of its own.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;

use super::super::exit::Failure;
use super::super::init::{GATEWAY_ADMIN, InitOptions, NewMember, entropy_needed, init};
use super::super::new_cluster::entropy;
use super::super::token::{day_of, in_days};
use super::Profile;
use super::child::args;
use super::load::NAME;
use super::ports::{Block, NODES, PLANES, SERVICES};
use super::story::GROUP;
use crate::kernel::domain::{MemberId, MemberName, SiteName};

/// The demo's files are not meant to be kept.
const CERTIFICATE_DAYS: u16 = 365;

/// Where the logs of the processes are, in the demo's directory.
pub(super) const LOGS: &str = "log";
/// What clients need: BIPLANE_DIR.
pub(super) const CLIENT: &str = "cluster";

/// The sites of the nodes, in order; the planes stand at the first two.
const SITES: [&str; 3] = ["east", "west", "third"];

/// How eagerly the profiles probe: interval, fast interval, timeout, fall.
const fn checks(profile: Profile) -> (&'static str, &'static str, &'static str, u32) {
    match profile {
        Profile::Default => ("1s", "200ms", "500ms", 3),
        Profile::Fast => ("100ms", "100ms", "100ms", 2),
    }
}

/// Writes everything.
pub(super) fn write(dir: &Path, block: &Block, profile: Profile) -> Result<(), Failure> {
    let bad = |error: String| Failure::failed(format!("the demo's files: {error}"), "");
    let member = |node: usize| -> Result<NewMember, String> {
        Ok(NewMember {
            name: MemberName::new(NODES[node]).map_err(|error| error.to_string())?,
            id: MemberId(u64::try_from(node).map_err(|error| error.to_string())? + 1),
            site: SiteName::new(SITES[node]).map_err(|error| error.to_string())?,
            member: block.member(node),
            api: Some(block.api(node)),
            dns: Some(block.dns(node)),
        })
    };
    let cluster = dir.join(CLIENT);
    let options = InitOptions {
        certificates_until: day_of(in_days(CERTIFICATE_DAYS)),
        dir: cluster.clone(),
        cluster: MemberName::new("demo").map_err(|error| bad(error.to_string()))?,
        members: (0..NODES.len()).map(member).collect::<Result<_, _>>().map_err(bad)?,
        cluster_toml: Some(cluster_file(block, profile)),
        entropy: entropy(entropy_needed(NODES.len())),
    };
    init(&options).map_err(|error| bad(error.to_string()))?;
    // `init` gives a gateway the common admin port; the demo has a block of its own.
    let gateway = cluster.join("gateway.toml");
    let text = std::fs::read_to_string(&gateway).map_err(|error| bad(error.to_string()))?;
    let text = text.replacen(GATEWAY_ADMIN, &block.gateway_admin().to_string(), 1);
    std::fs::write(&gateway, text).map_err(|error| bad(error.to_string()))
}

/// The demo's own cluster file: automatic, three sites, and room for the story in dwell, budget and flap limit.
fn cluster_file(block: &Block, profile: Profile) -> String {
    let mut text = String::from("# The cluster of `biplane demo`.\ncluster = \"demo\"\n\n");
    // Writing to a String cannot fail.
    for (plane, site) in PLANES.iter().zip(SITES) {
        let _ = writeln!(text, "[planes.{plane}]\nsite = \"{site}\"");
    }
    for (node, name) in NODES.iter().enumerate() {
        let (site, number) = (SITES[node], node + 1);
        let (member, api, dns) = (block.member(node), block.api(node), block.dns(node));
        let _ = write!(
            text,
            "[members.{name}]\nid = {number}\nsite = \"{site}\"\n\
             member = \"{member}\"\napi = \"{api}\"\ndns = \"{dns}\"\n"
        );
    }
    let both = |service: usize| {
        let [east, west] = [0, 1].map(|plane| block.service(plane, service));
        format!("{{ {} = \"{east}\", {} = \"{west}\" }}", PLANES[0], PLANES[1])
    };
    let (interval, fast, timeout, fall) = checks(profile);
    let eager = format!(
        "interval = \"{interval}\"\nfast_interval = \"{fast}\"\ntimeout = \"{timeout}\"\nfall = {fall}\nrise = 2\n"
    );
    for (index, service) in SERVICES.iter().enumerate() {
        let endpoints = both(index);
        let _ = write!(
            text,
            "\n[services.{service}]\nendpoints = {endpoints}\n[services.{service}.checks.page]\n\
             kind = \"http\"\npath = \"/\"\n{eager}[services.{service}.checks.port]\nkind = \"tcp\"\n{eager}"
        );
    }
    let services = SERVICES.map(|service| format!("\"{service}\"")).join(", ");
    let (upstream, front_door) = (both(0), block.gateway());
    let [east, west] = [0, 1].map(Block::plane);
    let _ = write!(
        text,
        "\n[groups.{GROUP}]\nservices = [{services}]\nmode = \"auto\"\n\
         # Two automatic switchovers and two outages of one plane, all within a minute: the story fits, little\n\
         # more does.\n\
         dwell = \"1s\"\n\
         budget = {{ switches = 4, window = \"10m\" }}\nflap_limit = {{ downs = 4, window = \"1m\" }}\n\
         \n[routes.{GROUP}]\ngroup = \"{GROUP}\"\nupstream = {upstream}\nfront_door = \"{front_door}\"\n\
         \n[zones.\"biplane.test\"]\nttl = 1\nname_servers = {{ \"ns1.biplane.test\" = [\"127.0.0.1\"] }}\n\
         mname = \"ns1.biplane.test\"\nrname = \"hostmaster.biplane.test\"\n\
         [zones.\"biplane.test\".names.\"{NAME}\"]\ngroup = \"{GROUP}\"\n{} = [\"{east}\"]\n{} = [\"{west}\"]\n\
         \n[timing]\ntick = \"10ms\"\nheartbeat = \"50ms\"\nelection_min = \"150ms\"\nelection_max = \"300ms\"\n\
         observer_silence = \"1s\"\nreference_interval = \"500ms\"\nverify_timeout = \"3s\"\n",
        PLANES[0], PLANES[1]
    );
    text
}

/// How a node is started.
pub(super) fn node_args(dir: &Path, name: &str) -> Vec<OsString> {
    args([&"node", &dir.join(CLIENT).join(name).join("node.toml")])
}

/// How the gateway is started.
pub(super) fn gateway_args(dir: &Path) -> Vec<OsString> {
    args([&"gateway", &dir.join(CLIENT).join("gateway.toml")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{parse_cluster, parse_gateway};
    use crate::kernel::ledger::Mode;

    #[test]
    fn the_cluster_file_is_sound_and_warns_of_nothing() {
        let block = Block::claim().unwrap();
        for profile in [Profile::Default, Profile::Fast] {
            let text = cluster_file(&block, profile);
            let checked = parse_cluster("cluster.toml", &text).unwrap_or_else(|f| panic!("{f}"));
            assert_eq!(checked.warnings, Vec::<String>::new());
            let group = &checked.cluster.groups[GROUP];
            assert_eq!((group.policy.mode, group.services.len()), (Mode::Auto, SERVICES.len()));
        }
    }

    #[test]
    fn the_gateway_stays_in_the_demos_block() {
        let dir = tempfile::tempdir().unwrap();
        let block = Block::claim().unwrap();
        write(dir.path(), &block, Profile::Fast).unwrap();
        let file = dir.path().join(CLIENT).join("gateway.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let read = parse_gateway(&file, &text).unwrap_or_else(|f| panic!("{f}"));
        assert_eq!(read.admin, block.gateway_admin());
        assert_eq!(read.listen[0].address, block.gateway());
    }
}
