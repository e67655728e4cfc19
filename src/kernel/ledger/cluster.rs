//! The cluster file, checked: the settings that all members share and that the log carries.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::apply_ask::ALARMS_SINCE;
use crate::kernel::domain::{
    Endpoint, GroupName, MemberId, MemberName, NotifyName, PlaneName, Quorum, ServiceName, SiteName,
};
use crate::kernel::health::Service;
use crate::kernel::policy::{ASK_EXPIRES, OutWhen, Policy};
use crate::kernel::zone::ZoneSettings;

/// The ruleset of which members know witnesses, and observers beside the members.
const WITNESS_SINCE: u32 = 3;

/// One of the two planes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plane {
    /// Its name.
    pub name: PlaneName,
    /// Where it stands.
    pub site: SiteName,
}

/// What a member does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Votes, probes, serves DNS and the API.
    #[default]
    Controller,
    /// Votes and probes.
    Witness,
}

impl Role {
    /// As the cluster file says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Witness => "witness",
        }
    }
}

/// A member of the control cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Raft id.
    pub id: MemberId,
    /// Its name; also the DNS name in its certificate.
    pub name: MemberName,
    /// Where it stands.
    pub site: SiteName,
    /// What it does.
    #[serde(default)]
    pub role: Role,
    /// Where the other members reach it.
    pub member_address: SocketAddr,
    /// Where clients reach its API; a witness has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_address: Option<SocketAddr>,
    /// Where its DNS server is asked; a witness has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_address: Option<SocketAddr>,
}

/// A process that probes, reports and answers questions, beside the members. It has no vote in consensus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observer {
    /// Its number, from the same numbers as the members'.
    pub id: MemberId,
    /// Its name; also in its certificate.
    pub name: MemberName,
    /// Where it stands.
    pub site: SiteName,
}

/// What a gateway does with connections to the old plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnSwitch {
    /// They go on until they end (planned), or are cut (forced: the plane is out).
    #[default]
    Drain,
    /// They are cut.
    Cut,
}

/// A group of services that move together. Its kind is `shared` in this version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its services; never empty, and a service belongs to one group.
    pub services: Vec<ServiceName>,
    /// When the source counts as out.
    pub out_when: OutWhen,
    /// The plane that serves it in a new cluster.
    pub home: PlaneName,
    /// How it may be moved.
    pub policy: Policy,
    /// What gateways do with old connections.
    pub on_switch: OnSwitch,
}

/// Traffic that gateways carry: a name, the group it follows, and where each plane takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayRoute {
    /// The group.
    pub group: GroupName,
    /// Upstream by plane; both planes are there.
    pub upstream: BTreeMap<PlaneName, Endpoint>,
    /// Where verification knocks from outside, if anywhere: a gateway's listening address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front_door: Option<Endpoint>,
}

/// How somebody is told of alarms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotifyKind {
    /// A signed POST to this address. The secret that signs it is each member's own.
    Webhook {
        /// `http://…` or `https://…`.
        url: String,
    },
    /// A program of each member's own.
    Program {},
}

/// Somebody who is told of alarms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// How.
    pub kind: NotifyKind,
    /// One attempt must end within this.
    pub timeout: Duration,
    /// Between two signs that the cluster lives and has a leader; none when absent. Who hears none any more knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alive: Option<Duration>,
}

/// Times of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Consensus counts time in this unit.
    pub tick: Duration,
    /// Between a leader's heartbeats; a multiple of `tick`.
    pub heartbeat: Duration,
    /// Shortest time without a leader until an election.
    pub election_min: Duration,
    /// Longest.
    pub election_max: Duration,
    /// How long a question stays open, in ledger time.
    pub question_window: Duration,
    /// After this long without a word an observer is lost.
    pub observer_silence: Duration,
    /// Between probes of members and reference targets of other sites, and their timeout.
    pub reference_interval: Duration,
    /// How long `Verifying` waits for its evidence.
    pub verify_timeout: Duration,
    /// A client's request is answered `unknown` after this long.
    pub request_timeout: Duration,
}

/// The whole cluster file, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// The cluster's name; members of another cluster are refused.
    pub name: MemberName,
    /// The two planes, in the order of the file.
    pub planes: [Plane; 2],
    /// The members, by id.
    pub members: BTreeMap<MemberId, Member>,
    /// Observers beside the members, by id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub observers: BTreeMap<MemberId, Observer>,
    /// The services, by name.
    pub services: BTreeMap<ServiceName, Service>,
    /// The groups, by name.
    pub groups: BTreeMap<GroupName, Group>,
    /// The zones, by origin.
    pub zones: BTreeMap<String, ZoneSettings>,
    /// What gateways carry, by name.
    pub routes: BTreeMap<ServiceName, GatewayRoute>,
    /// Addresses at other sites that an observer probes, beside the members, to know whether it is isolated.
    pub references: BTreeMap<SiteName, Vec<Endpoint>>,
    /// Who is told of alarms.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notify: BTreeMap<NotifyName, Notify>,
    /// Times.
    pub timing: Timing,
}

impl Cluster {
    /// The members that vote, as raft ids in order.
    pub fn voters(&self) -> Vec<u64> {
        self.members.keys().map(|id| id.0).collect()
    }

    /// The quorum of the members: of consensus.
    pub fn voting(&self) -> Quorum {
        Quorum::of(self.members.len())
    }

    /// The quorum of the configured observers: of members, which all probe, and of those beside them.
    pub fn observing(&self) -> Quorum {
        Quorum::of(self.members.len() + self.observers.len())
    }

    /// Everybody who probes, and where they stand: members first.
    pub fn all_observers(&self) -> impl Iterator<Item = (MemberId, &MemberName, &SiteName)> {
        let members = self.members.values().map(|member| (member.id, &member.name, &member.site));
        let others = self.observers.values().map(|other| (other.id, &other.name, &other.site));
        members.chain(others)
    }

    /// Whether this one probes and its words count.
    pub fn is_observer(&self, id: MemberId) -> bool {
        self.members.contains_key(&id) || self.observers.contains_key(&id)
    }

    /// The name of a member or of an observer beside them.
    pub fn name_of(&self, id: MemberId) -> Option<&MemberName> {
        let member = self.members.get(&id).map(|member| &member.name);
        member.or_else(|| self.observers.get(&id).map(|other| &other.name))
    }

    /// The lowest ruleset whose members can read these settings in the log: some kinds of probe came later, who is
    /// told of alarms, witnesses, and observers beside the members.
    pub fn needs_ruleset(&self) -> u32 {
        let checks = self.services.values().flat_map(|service| service.checks.values());
        let targets = checks.flat_map(|check| check.targets.values());
        let patient = |group: &Group| group.policy.ask_expires != ASK_EXPIRES;
        let alarms = !self.notify.is_empty() || self.groups.values().any(patient);
        let witness = self.members.values().any(|member| member.role == Role::Witness)
            || !self.observers.is_empty();
        let probes = targets.map(|target| target.kind.needs_ruleset()).max().unwrap_or(1);
        let alarms = if alarms { ALARMS_SINCE } else { 1 };
        let witness = if witness { WITNESS_SINCE } else { 1 };
        probes.max(alarms).max(witness)
    }

    /// The members that serve DNS and the API.
    pub fn serving(&self) -> impl Iterator<Item = &Member> {
        self.members.values().filter(|member| member.role == Role::Controller)
    }

    /// How many members, and how many observers (members among them), stand at each site where anybody probes.
    pub fn sites(&self) -> BTreeMap<&SiteName, (usize, usize)> {
        let mut sites: BTreeMap<&SiteName, (usize, usize)> = BTreeMap::new();
        for (id, _, site) in self.all_observers() {
            let (members, observers) = sites.entry(site).or_default();
            *members += usize::from(self.members.contains_key(&id));
            *observers += 1;
        }
        sites
    }

    /// In words, each single site whose loss takes the quorum, of members or of observers.
    pub fn sites_that_take_the_quorum(&self) -> Vec<String> {
        let all = self.members.len();
        let probing = self.observing().configured();
        let told = |(site, (members, observers)): (&SiteName, (usize, usize))| {
            if !self.voting().reached(all - members) {
                Some(format!(
                    "the loss of site {site} takes the quorum: {members} of {all} members stand there"
                ))
            } else if !self.observing().reached(probing - observers) {
                Some(format!(
                    "the loss of site {site} takes the quorum of observers, and nothing would be moved without a \
                     person's --forced: {observers} of {probing} stand there"
                ))
            } else {
                None
            }
        };
        self.sites().into_iter().filter_map(told).collect()
    }

    /// 0 or 1: a plane's place in the cluster file.
    pub fn plane_index(&self, plane: &PlaneName) -> Option<usize> {
        self.planes.iter().position(|p| p.name == *plane)
    }

    /// The plane that is not this one.
    pub fn other_plane(&self, plane: &PlaneName) -> Option<&PlaneName> {
        self.plane_index(plane).map(|index| &self.planes[1 - index].name)
    }

    /// The site where a plane stands.
    pub fn plane_site(&self, plane: &PlaneName) -> Option<&SiteName> {
        self.plane_index(plane).map(|index| &self.planes[index].site)
    }
}
