//! What the controllers say of themselves, judged. Nothing here counts as seen from outside.

use super::super::reach::Reach;
use super::ports::NODES;
use crate::kernel::controller::{Explanation, GroupStatus, Status};

/// Guards that say what is the case, not what holds a switchover back.
const NO_HINDRANCE: [&str; 3] = ["source", "mode", "sites"];

/// One look at the cluster.
#[derive(Clone, Debug)]
pub(super) struct Look {
    status: Status,
    group: Explanation,
}

impl Look {
    /// Asks the controllers.
    pub(super) async fn at(reach: &Reach, group: &str) -> Result<Self, String> {
        let asked = reach.client.get_json::<Status>("/v1/status").await;
        let status = asked.map_err(|error| error.to_string())?;
        let path = format!("/v1/explain/{group}");
        let group = reach.client.get_json(&path).await.map_err(|error| error.to_string())?;
        Ok(Self { status, group })
    }

    fn group(&self) -> &GroupStatus {
        &self.group.group
    }

    /// The leader's name.
    pub(super) fn leader(&self) -> Option<&str> {
        self.status.leader.as_ref().map(crate::kernel::domain::MemberName::as_str)
    }

    /// What the cluster thinks of the group.
    pub(super) fn mood(&self) -> String {
        format!("{}: {}", self.group().decision, self.group().because)
    }

    /// There is a quorum, a leader, and no member is lost or isolated.
    pub(super) fn all_members_are_there(&self, count: usize) -> Result<(), String> {
        if !self.status.quorum || self.status.leader.is_none() {
            return Err("no leader yet".to_owned());
        }
        if self.status.members.len() != count {
            return Err(format!("{} members of {count}", self.status.members.len()));
        }
        let away = self.status.members.iter().find(|m| m.isolated || m.role == "lost");
        away.map_or(Ok(()), |member| {
            let what = if member.isolated { "isolated" } else { "lost" };
            Err(format!("{} is {what}", member.name))
        })
    }

    /// Every service is up on both planes, and every observer says so.
    pub(super) fn all_verdicts_are_up(&self) -> Result<(), String> {
        for service in &self.group().services {
            for (plane, seen) in &service.planes {
                let odd = seen.reports.iter().find(|(_, state)| state.to_string() != "up");
                if let Some((member, state)) = odd {
                    return Err(format!("{member} says {} is {state} on {plane}", service.name));
                }
                if seen.verdict != "up" {
                    return Err(format!("{} is {} on {plane}", service.name, seen.verdict));
                }
            }
        }
        Ok(())
    }

    /// No guard would hold an automatic switchover back.
    pub(super) fn nothing_holds(&self) -> Result<(), String> {
        let hindrance = |guard: &str| !NO_HINDRANCE.contains(&guard);
        let closed = self.group.guards.iter().find(|g| !g.open && hindrance(&g.guard));
        closed.map_or(Ok(()), |guard| Err(format!("{}: {}", guard.guard, guard.value)))
    }

    /// The group's route leads to this plane.
    pub(super) fn route_is(&self, plane: &str) -> Result<(), String> {
        let now = self.group().plane.as_str();
        if now == plane { Ok(()) } else { Err(format!("the route leads to {now}")) }
    }
}

/// How a node's DNS server is called in the timeline.
pub(super) fn dns_word(node: usize) -> String {
    format!("the DNS server of {}", NODES[node])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look() -> Look {
        let group = serde_json::json!({
            "name": "shop", "plane": "east", "epoch": "1.1", "mode": "auto", "decision": "stay",
            "because": "well", "frozen": null, "switchover": null, "services": [{
                "name": "web", "critical": true,
                "planes": {"east": {"verdict": "up", "reports": {"node-1": "up", "node-2": "up"}}}}],
        });
        let status = serde_json::json!({
            "cluster": "demo", "node": "node-1", "leader": "node-1", "quorum": true, "term": 1,
            "applied": 1, "ledger_time": 0, "config_version": 1, "warnings": [], "planes": [],
            "members": [{"id": 1, "name": "node-1", "site": "a", "role": "leader", "isolated": false}],
            "groups": [group], "gateways": [],
        });
        let explained = serde_json::json!({
            "group": group, "would_switch_if": [], "last": null, "probes": {},
            "guards": [{"guard": "source", "open": false, "value": ""},
                       {"guard": "budget", "open": true, "value": ""}],
        });
        Look {
            status: serde_json::from_value(status).unwrap(),
            group: serde_json::from_value(explained).unwrap(),
        }
    }

    #[test]
    fn a_good_cluster_misses_nothing() {
        let look = look();
        assert_eq!(look.all_members_are_there(1), Ok(()));
        assert_eq!(look.all_verdicts_are_up(), Ok(()));
        assert_eq!(look.nothing_holds(), Ok(()));
        assert_eq!(look.route_is("east"), Ok(()));
    }

    #[test]
    fn whatever_is_missing_is_named() {
        let mut bad = look();
        bad.status.members[0].role = "lost".to_owned();
        assert!(bad.all_members_are_there(1).unwrap_err().contains("node-1 is lost"));
        bad.status.quorum = false;
        assert!(bad.all_members_are_there(1).is_err());
        bad.group.guards[1].open = false;
        assert!(bad.nothing_holds().unwrap_err().contains("budget"));
        assert!(bad.route_is("west").unwrap_err().contains("east"));
        for seen in bad.group.group.services[0].planes.values_mut() {
            seen.reports
                .values_mut()
                .for_each(|s| *s = crate::kernel::domain::HealthState::Unknown);
        }
        assert!(bad.all_verdicts_are_up().unwrap_err().contains("unknown"));
    }
}
