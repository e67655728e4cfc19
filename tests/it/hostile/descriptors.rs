//! A node that runs out of file descriptors.

use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use super::wire::idle;
use crate::cluster::alone;
use crate::process::until;
use crate::world::{EAST, LIMIT, World};

#[test]
fn a_node_without_descriptors_moves_nobody_says_so_once_and_recovers() {
    let _turn = alone();
    let mut world = World::steady();
    let victim = world.leader();
    let pid = world.node(victim).pid();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let most = u64::try_from(open + 6).unwrap();
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let few = Rlimit { current: Some(most), maximum: getrlimit(Resource::Nofile).maximum };
    prlimit(process, Resource::Nofile, few).unwrap();
    let crowd = idle(world.api_address(victim), 60);
    world.node_mut(victim).says("give it more descriptors", LIMIT);
    // Its probes cannot be made now; that is no verdict on the planes.
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        world.through_gateway().is(EAST).unwrap();
    }
    let complaints =
        |said: &[String]| said.iter().filter(|line| line.contains("more descriptors")).count();
    assert_eq!(complaints(world.node_mut(victim).heard()), 1);
    drop(crowd);
    until(LIMIT, || world.api_of(victim).get("/v1/status").map(drop));
    world.is_well(EAST);
    assert_eq!(world.switchovers().len(), 0);
}
