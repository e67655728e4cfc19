//! `cluster.toml` → [`Cluster`]: what every member shares.

mod across;
mod checks;
mod groups;
mod notify;
mod observers;
mod services;
mod timing;
mod zones;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::fault::Faults;
use super::limits;
use super::reader::{Placed, Reader, Section};
use super::suggest::nearest;
use super::taken::Taken;
use crate::kernel::domain::{
    Endpoint, MemberId, MemberName, NameError, PlaneName, ServiceName, SiteName,
};
use crate::kernel::ledger::{Cluster, GatewayRoute, Member, Plane, Role};

/// A checked cluster file, and what an operator should know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The settings.
    pub cluster: Cluster,
    /// Sentences: single sites whose loss takes the quorum, automation that is off.
    pub warnings: Vec<String>,
}

/// Reads a cluster file. `file` is its name in faults.
pub fn parse_cluster(file: &str, text: &str) -> Result<Checked, Faults> {
    let cluster = Reader::read(file, text, |top| {
        across::check_text(top, text);
        read_cluster(top)
    })?;
    let warnings = across::warnings(&cluster);
    Ok(Checked { cluster, warnings })
}

/// What stands in a file under names of one kind. The faulty ones are remembered: whoever names one of them makes no
/// fault of his own.
struct Named<N, T> {
    sound: BTreeMap<N, Placed<T>>,
    faulty: BTreeSet<String>,
}

impl<N: Ord + Borrow<str>, T> Named<N, T> {
    const fn new() -> Self {
        Self { sound: BTreeMap::new(), faulty: BTreeSet::new() }
    }

    fn note(&mut self, name: Placed<N>, value: Option<T>) {
        match value {
            Some(value) => {
                self.sound.insert(name.value, Placed { value, place: name.place });
            }
            None => {
                self.faulty.insert(name.value.borrow().to_owned());
            }
        }
    }

    /// What to write where an unknown name of this kind stands.
    fn instead(&self, unknown: &str, table: &str) -> String {
        let known =
            self.sound.keys().map(Borrow::borrow).chain(self.faulty.iter().map(String::as_str));
        match nearest(unknown, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write a [{table}.{unknown}] table, or the name of one that is there"),
        }
    }

    fn into_values(self) -> BTreeMap<N, T> {
        self.sound.into_iter().map(|(name, placed)| (name, placed.value)).collect()
    }
}

fn read_cluster(top: &Section<'_>) -> Option<Cluster> {
    let name = top.parsed("cluster", "a name, for example \"shop-prod\"", MemberName::new);
    let planes = read_planes(top);
    let mut ids = Ids::default();
    let members = read_members(top, &mut ids);
    let observers = observers::read(top, &members, &mut ids);
    let plane_names = planes.as_ref().map(|[one, two]| [one.name.clone(), two.name.clone()]);
    let known = plane_names.as_ref();
    let services = services::read(top, known);
    let groups = groups::read(top, known, &services);
    let zones = zones::read(top, known, &groups);
    let routes = read_routes(top, known, &groups);
    let references = read_references(top);
    let timing = timing::read(top, &services);
    let notify = notify::read(top);
    let cluster = Cluster {
        name: name?,
        planes: planes?,
        members,
        observers,
        services: services.into_values(),
        groups: groups.into_values(),
        zones,
        routes,
        references,
        notify,
        timing: timing?,
    };
    across::check(top, &cluster);
    Some(cluster)
}

/// The tables of a section whose keys are names of one kind.
pub(super) fn named_sections<'a, N: Ord>(
    top: &Section<'a>,
    key: &'static str,
    parse: impl Fn(&str) -> Result<N, NameError>,
) -> Vec<(Placed<N>, Section<'a>)> {
    named_sections_or(top, key, parse, |_| {})
}

/// The same; `unread` is told the names under which nothing could be read.
fn named_sections_or<'a, N: Ord>(
    top: &Section<'a>,
    key: &'static str,
    parse: impl Fn(&str) -> Result<N, NameError>,
    mut unread: impl FnMut(&str),
) -> Vec<(Placed<N>, Section<'a>)> {
    let Some(mut all) = top.section(key) else { return Vec::new() };
    let mut found = Vec::new();
    for name in all.keys() {
        let Some(section) = all.named(&name) else {
            unread(&name.value);
            continue;
        };
        match parse(&name.value) {
            Ok(value) => found.push((Placed { value, place: name.place.clone() }, section)),
            Err(error) => {
                unread(&name.value);
                all.fault(&name.place, &name.value, error.to_string(), "choose another name");
            }
        }
    }
    found
}

fn read_planes(top: &Section<'_>) -> Option<[Plane; 2]> {
    let sections = named_sections(top, "planes", PlaneName::new);
    let count = sections.len();
    let mut planes = Vec::new();
    for (name, section) in sections {
        let site = section.parsed("site", "the name of the site where it stands", SiteName::new);
        section.finish();
        if let Some(site) = site {
            planes.push(Plane { name: name.value, site });
        }
    }
    if count != 2 {
        let what = format!("there are {count} planes; Biplane moves users between exactly two");
        let place = top.place_of("planes");
        top.fault(&place, "planes", what, "write [planes.NAME] twice, each with its site");
    }
    planes.try_into().ok()
}

/// The ids that were given away so far: whose each is, in words, and in which line.
#[derive(Default)]
struct Ids(BTreeMap<MemberId, (String, usize)>);

impl Ids {
    /// Notes whose id this is; false, with a fault, when it is somebody's already.
    fn take(&mut self, section: &Section<'_>, id: MemberId, owner: String) -> bool {
        let place = section.place_of("id");
        if let Some((other, line)) = self.0.get(&id) {
            let what = format!("{id} is the id of {other} too (line {line})");
            let write = "give each member and each observer its own, for example 101";
            section.fault(&place, "id", what, write);
            return false;
        }
        self.0.insert(id, (owner, section.line_of(&place)));
        true
    }
}

fn read_members(top: &Section<'_>, ids: &mut Ids) -> BTreeMap<MemberId, Member> {
    let mut members: BTreeMap<MemberId, Member> = BTreeMap::new();
    let sections = named_sections(top, "members", MemberName::new);
    let count = u64::try_from(sections.len()).unwrap_or(u64::MAX);
    let mut taken = Taken::default();
    for (name, section) in sections {
        if let Some(member) = read_member(&section, name.value) {
            ids.take(&section, member.id, format!("member `{}`", member.name));
            listens(&section, &member, &mut taken);
            members.insert(member.id, member);
        }
        section.finish();
    }
    if !members.is_empty() && members.values().all(|member| member.role == Role::Witness) {
        let what = "all members are witnesses: nobody would answer DNS or clients".to_owned();
        let place = top.place_of("members");
        top.fault(
            &place,
            "members",
            what,
            "leave `role` out of one at least, and give it api and dns",
        );
    }
    let limit = limits::MEMBERS;
    if count.is_multiple_of(2) || count < limit.min || count > limit.max {
        let what = format!("there are {count} members: a majority needs an odd number");
        let write = "write three [members.NAME] tables, at three sites if you can";
        let place = top.place_of("members");
        top.fault(&place, "members", what, write);
    }
    members
}

fn read_member(section: &Section<'_>, name: MemberName) -> Option<Member> {
    let address = |key| section.parsed(key, "ADDRESS:PORT, for example \"192.0.2.1:7410\"", socket);
    let id = section.number(
        "id",
        &limits::NumberLimit { key: "id", default: None, min: 1, max: u64::MAX >> 1, meaning: "" },
    );
    let site = section.parsed("site", "the name of the site where it stands", SiteName::new);
    let roles = [Role::Controller, Role::Witness].map(|role| (role.as_str(), role));
    let role = section.choice("role", &roles);
    let member = address("member");
    let serves = |key| match role {
        Role::Controller => address(key).map(Some),
        Role::Witness => {
            if section.has(key) {
                let what = "a witness votes and probes, and serves neither DNS nor the API";
                let write = format!("remove {key}, or leave `role` out");
                section.fault(&section.place_of(key), key, what.to_owned(), &write);
            }
            Some(None)
        }
    };
    let (api, dns) = (serves("api"), serves("dns"));
    Some(Member {
        id: MemberId(id?),
        name,
        site: site?,
        role,
        member_address: member?,
        api_address: api?,
        dns_address: dns?,
    })
}

/// Notes what this member listens on. Members, clients and DNS (which is asked over TCP too) each need an address of
/// their own.
fn listens(section: &Section<'_>, member: &Member, taken: &mut Taken) {
    let of = format!(" of member `{}`", member.name);
    let own = [
        ("member", Some(member.member_address)),
        ("api", member.api_address),
        ("dns", member.dns_address),
    ];
    for (key, address) in own {
        if let Some(address) = address {
            taken.take(section, key, &of, address);
        }
    }
}

pub(super) fn socket(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is not ADDRESS:PORT, an IP address and a port"))
}

/// HOST:PORT for both planes, under their names.
fn both_endpoints(
    section: &Section<'_>,
    planes: Option<&[PlaneName; 2]>,
    found: &[(Placed<String>, Option<Endpoint>)],
) -> Option<BTreeMap<PlaneName, Endpoint>> {
    let planes = planes?;
    let mut endpoints = BTreeMap::new();
    for plane in planes {
        match found.iter().find(|(name, _)| name.value == plane.as_str()) {
            Some((_, Some(endpoint))) => {
                endpoints.insert(plane.clone(), endpoint.clone());
            }
            Some((_, None)) => {}
            None => section.fault(
                &section.place,
                plane.as_str(),
                "is missing: each plane needs its endpoint".to_owned(),
                &format!("write {plane} = \"HOST:PORT\""),
            ),
        }
    }
    (endpoints.len() == 2).then_some(endpoints)
}

/// Reads every key of a table of endpoints by plane.
fn endpoints(
    mut section: Section<'_>,
    planes: Option<&[PlaneName; 2]>,
) -> Option<BTreeMap<PlaneName, Endpoint>> {
    let keys = section.keys();
    let mut found = Vec::new();
    for key in keys {
        let known = planes.is_none_or(|planes| planes.iter().any(|p| p.as_str() == key.value));
        if !known {
            let what = "is not one of the two planes".to_owned();
            section.fault(&key.place, &key.value, what, "use the planes' names");
            continue;
        }
        let endpoint =
            section.parsed_named(&key, "\"HOST:PORT\"", |text| Endpoint::try_from(text.to_owned()));
        found.push((key, endpoint));
    }
    both_endpoints(&section, planes, &found)
}

fn read_routes(
    top: &Section<'_>,
    planes: Option<&[PlaneName; 2]>,
    groups: &groups::Groups,
) -> BTreeMap<ServiceName, GatewayRoute> {
    let mut routes = BTreeMap::new();
    for (name, section) in named_sections(top, "routes", ServiceName::new) {
        let group = groups::known(&section, "group", groups);
        let upstream = section.section("upstream").map(|s| endpoints(s, planes));
        if upstream.is_none() {
            let what = "is missing: where each plane takes this traffic".to_owned();
            section.fault(
                &section.place,
                "upstream",
                what,
                "write upstream = { PLANE = \"HOST:PORT\", … }",
            );
        }
        let front_door = section.parsed_or_none("front_door", "\"HOST:PORT\"", |text| {
            Endpoint::try_from(text.to_owned())
        });
        section.finish();
        if let (Some(group), Some(Some(upstream))) = (group, upstream) {
            routes.insert(name.value, GatewayRoute { group, upstream, front_door });
        }
    }
    routes
}

fn read_references(top: &Section<'_>) -> BTreeMap<SiteName, Vec<Endpoint>> {
    let mut references = BTreeMap::new();
    let Some(mut section) = top.section("references") else { return references };
    for key in section.keys() {
        let list = section.named_list(&key, "a list of \"HOST:PORT\"");
        let site = match SiteName::new(&key.value) {
            Ok(site) => site,
            Err(error) => {
                section.fault(&key.place, &key.value, error.to_string(), "use a site's name");
                continue;
            }
        };
        let mut targets = Vec::new();
        for item in list {
            match Endpoint::try_from(item.value) {
                Ok(endpoint) => targets.push(endpoint),
                Err(error) => section.fault(&item.place, &key.value, error, "write \"HOST:PORT\""),
            }
        }
        references.insert(site, targets);
    }
    references
}
