//! Liveness: faults have ended, a quorum is healed, what is outside of it stays broken for good. Then the world must
//! come to rest.

use super::gateway::Gateway;
use super::queue::{Micros, SECOND};
use super::world::World;
use crate::kernel::controller::View;
use crate::kernel::domain::GroupName;
use crate::kernel::ledger::{Cluster, Mode};

/// Entries that may be under way between members at rest.
pub const BEHIND: u64 = 64;
/// What has not come to rest after this long, and a few elections and verifications, never will.
pub const PATIENCE: Micros = 90 * SECOND;

/// Where somebody's own timers are long, so is the wait.
fn patience(cluster: &Cluster) -> Micros {
    let timing = &cluster.timing;
    let longest = 10 * timing.election_max + 3 * timing.verify_timeout;
    PATIENCE + Micros::try_from(longest.as_micros()).unwrap_or(PATIENCE)
}

/// Lets time pass until these members are at rest, or patience is over: then what keeps them from it. `after` is called after
/// each event.
pub fn wait(
    world: &mut World,
    core: &[usize],
    mut after: impl FnMut(&mut World),
) -> Option<String> {
    let end = world.now() + patience(world.cluster());
    let mut unrest = keeps(world, core);
    while unrest.is_some() && world.now() < end && world.violation().is_none() {
        world.run_until(world.now() + SECOND, &mut after);
        unrest = keeps(world, core);
    }
    unrest
}

/// Whether the policy of this run lets the quorum move a group at any time: then the world must end well.
fn free(cluster: &Cluster) -> bool {
    cluster.groups.values().all(|group| {
        let policy = &group.policy;
        policy.mode == Mode::Auto && policy.budget.is_none() && policy.flap_limit.is_none()
    })
}

/// Whether somebody froze a group, or drained the plane where it would go. Drawn runs lift both in the end; what is left of
/// one after shrinking may not.
fn held_by_a_person(world: &World, view: &View, group: &GroupName, plane: usize) -> bool {
    let frozen = view.ledger.groups().get(group).is_some_and(|state| state.frozen.is_some());
    frozen || view.ledger.drained().contains_key(&world.cluster().planes[1 - plane].name)
}

/// What keeps the members of the core from being at rest; nothing when they are.
fn keeps(world: &World, core: &[usize]) -> Option<String> {
    let mut views = Vec::new();
    for node in core {
        let Some(view) = world.view(*node) else {
            return Some(format!("node {} shows nothing", node + 1));
        };
        views.push((node + 1, view));
    }
    let (first, reference) = views.first()?;
    if reference.leader.is_none() {
        return Some(format!("node {first} knows no leader"));
    }
    for (node, view) in &views {
        if view.leader != reference.leader {
            return Some(format!("nodes {first} and {node} follow different leaders"));
        }
        if view.routes != reference.routes {
            return Some(format!("nodes {first} and {node} show different routes"));
        }
        if !view.in_quorum {
            return Some(format!("node {node} is out of touch with the quorum"));
        }
        if let Some(lying) = view.ledger.switchovers().values().find(|s| !s.state.ended()) {
            return Some(format!("{} is {} at node {node}", lying.id, lying.state));
        }
    }
    let applied = || views.iter().map(|(_, view)| view.applied);
    if let (Some(least), Some(most)) = (applied().min(), applied().max())
        && least + BEHIND < most
    {
        return Some(format!("one is at index {least}, and another at {most}"));
    }
    // By the configuration in force: an operator may have put another one in the place of the first.
    let free = free(reference.cluster.as_deref().unwrap_or_else(|| world.cluster()));
    for (group, route) in reference.routes.iter() {
        let plane = world.cluster().plane_index(&route.plane)?;
        // What is slow within its bounds is found good, and nobody moves because of it.
        let is_bad = |plane| world.planes().bad(group, plane).any(|(_, bad)| bad);
        let bad = is_bad(plane) && !is_bad(1 - plane);
        if free && bad && !held_by_a_person(world, reference, group, plane) {
            return Some(format!(
                "{group} is on {}, which is dead, and the other is well",
                route.plane
            ));
        }
        // A gateway cannot know that the node it follows is one of those that are left behind.
        let follows = |gateway: &&Gateway| core.contains(&gateway.follows);
        let mut gateways = world.gateways().iter().filter(follows);
        if let Some(gateway) = gateways.find(|g| g.plane(group) != Some(&route.plane)) {
            return Some(format!(
                "the gateway {} does not follow {group} to {}",
                gateway.name(),
                route.plane
            ));
        }
        if world.sent(group, core).iter().any(|to| *to != plane) {
            return Some(format!("a resolver does not follow {group} to {}", route.plane));
        }
    }
    None
}
