//! The two planes as probes see them: every service on each plane is up, or sick in one of the ways of the
//! world, and every observer's way to each plane can be cut by itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::cuts::Cuts;
use super::queue::{MS, Micros};
use crate::kernel::domain::{
    Endpoint, GroupName, ProbeFault, ProbeKind, ProbeOrder, ProbeTarget, ServiceName,
};
use crate::kernel::health::Service;
use crate::kernel::ledger::Cluster;

/// How a service on a plane answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceState {
    /// As it should.
    Up,
    /// Nobody listens: refused.
    Dead,
    /// Takes nothing, says nothing.
    Hang,
    /// Connects, and answers with an error.
    Error,
    /// Answers late, by this much.
    Slow(Micros),
    /// Says that all is well, with a body that is not its own: only a check that reads it can tell.
    Lies,
}

/// What a probe is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A service (its place in the order of names) on a plane.
    Service {
        /// 0 or 1.
        plane: usize,
        /// Place in the cluster's services.
        service: usize,
    },
    /// A member, by its place.
    Member(usize),
}

/// All services on both planes.
#[derive(Clone, Debug)]
pub struct Planes {
    /// What speaks for a service, as a whole: services may share an endpoint, as those of one Prometheus do.
    probes: BTreeMap<Arc<ProbeTarget>, Target>,
    endpoints: BTreeMap<Endpoint, Target>,
    names: Vec<ServiceName>,
    groups: Vec<Option<GroupName>>,
    critical: Vec<bool>,
    sees_errors: Vec<bool>,
    sees_lies: Vec<bool>,
    longest_timeout: Micros,
    states: [Vec<ServiceState>; 2],
    /// How many groups' traffic each plane can carry, and how many it has.
    room: [usize; 2],
    load: [usize; 2],
    /// By observer, then plane.
    cut: Vec<[Cuts; 2]>,
    /// Of a thousand probes so many are lost, and the others take up to so much longer; by observer, then plane.
    rough: Vec<[(u32, Micros); 2]>,
}

/// What a probe meets at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Met {
    /// It ends after this long.
    Answer(Micros, Result<(), ProbeFault>),
    /// Nothing comes back.
    Silence,
}

impl Planes {
    /// Everything up, every way open.
    pub fn new(cluster: &Cluster) -> Self {
        let mut probes = BTreeMap::new();
        let mut endpoints = BTreeMap::new();
        for (service, settings) in cluster.services.values().enumerate() {
            for check in settings.checks.values() {
                for (name, target) in &check.targets {
                    if let Some(plane) = cluster.plane_index(name) {
                        let at = Target::Service { plane, service };
                        probes.insert(Arc::clone(target), at);
                        endpoints.insert(target.endpoint.clone(), at);
                    }
                }
            }
        }
        for (place, member) in cluster.members.values().enumerate() {
            endpoints.insert(endpoint(member.member_address), Target::Member(place));
        }
        let count = cluster.services.len();
        let places = cluster.members.len() + cluster.observers.len();
        let mut planes = Self {
            probes,
            endpoints,
            names: cluster.services.keys().cloned().collect(),
            groups: Vec::new(),
            critical: Vec::new(),
            sees_errors: cluster.services.values().map(sees_errors).collect(),
            sees_lies: cluster.services.values().map(sees_lies).collect(),
            longest_timeout: cluster.services.values().map(longest_timeout).max().unwrap_or(0),
            states: [vec![ServiceState::Up; count], vec![ServiceState::Up; count]],
            room: [usize::MAX; 2],
            load: [0; 2],
            cut: vec![<[Cuts; 2]>::default(); places],
            rough: vec![[(0, 0); 2]; places],
        };
        planes.adopt(cluster);
        planes
    }

    /// Another configuration is in force: services may belong to other groups, and count for more or less. Probes and
    /// endpoints are those of the first.
    pub fn adopt(&mut self, cluster: &Cluster) {
        let group_of = |service: &ServiceName| {
            let mut groups = cluster.groups.iter();
            groups.find(|(_, group)| group.services.contains(service)).map(|(name, _)| name.clone())
        };
        self.groups = self.names.iter().map(group_of).collect();
        let critical = |name: &ServiceName| cluster.services.get(name).is_some_and(|s| s.critical);
        self.critical = self.names.iter().map(critical).collect();
    }

    /// How many groups' traffic a plane can carry from now on; any number, when absent.
    pub const fn set_room(&mut self, plane: usize, groups: Option<usize>) {
        self.room[plane] = match groups {
            Some(groups) => groups,
            None => usize::MAX,
        };
    }

    /// The groups whose traffic is sent to each plane now. True when that overloads one, or ends it.
    pub fn carry(&mut self, load: [usize; 2]) -> bool {
        let before = [self.overloaded(0), self.overloaded(1)];
        self.load = load;
        before != [self.overloaded(0), self.overloaded(1)]
    }

    /// Whether a plane has more traffic than it can carry: everything on it answers too late.
    pub const fn overloaded(&self, plane: usize) -> bool {
        self.load[plane] > self.room[plane]
    }

    /// How a service answers now: what was done to it, or the load of its plane.
    fn state(&self, plane: usize, service: usize) -> ServiceState {
        match self.states[plane][service] {
            ServiceState::Up if self.overloaded(plane) => {
                ServiceState::Slow(2 * self.longest_timeout)
            }
            state => state,
        }
    }

    /// What a probe meets; nothing at a foreign endpoint.
    pub fn target(&self, probe: &ProbeTarget) -> Option<Target> {
        self.probes.get(probe).or_else(|| self.endpoints.get(&probe.endpoint)).copied()
    }

    /// The services, in the order of their names.
    pub fn services(&self) -> &[ServiceName] {
        &self.names
    }

    /// Sets one service, or all of a plane.
    pub fn set(&mut self, plane: usize, service: Option<usize>, state: ServiceState) {
        for (place, now) in self.states[plane].iter_mut().enumerate() {
            if service.is_none_or(|service| service == place) {
                *now = state;
            }
        }
    }

    /// Cuts an observer's way to a plane, until this cut is lifted or the way is opened. Whether it was cut already.
    pub fn cut(&mut self, observer: usize, plane: usize, cut: u64) -> bool {
        self.cut[observer][plane].add(cut)
    }

    /// Opens an observer's way to a plane, whoever cut it.
    pub fn open(&mut self, observer: usize, plane: usize) {
        self.cut[observer][plane].clear();
    }

    /// What this cut has cut is open, unless another one cut it too.
    pub fn lift(&mut self, cut: u64) {
        self.cut.iter_mut().flatten().for_each(|way| way.lift(cut));
    }

    /// Makes an observer's way to a plane lossy and slow, or smooth again.
    pub fn roughen(&mut self, observer: usize, plane: usize, lost: u32, late: Micros) {
        self.rough[observer][plane] = (lost, late);
    }

    /// How many probes of a thousand are lost on an observer's way to a plane, and how much longer the others take at most.
    pub fn roughness(&self, observer: usize, plane: usize) -> (u32, Micros) {
        self.rough[observer][plane]
    }

    /// Smooths every way.
    pub fn smooth_all(&mut self) {
        self.rough.fill([(0, 0); 2]);
    }

    /// Whether an observer's way to a plane is cut.
    pub fn is_cut(&self, observer: usize, plane: usize) -> bool {
        self.cut[observer][plane].any()
    }

    /// Whether any observer's way to a plane is cut.
    pub fn any_cut(&self) -> bool {
        self.cut.iter().flatten().any(Cuts::any)
    }

    /// How the services on a plane answer, in the order of their names.
    pub fn states(&self, plane: usize) -> &[ServiceState] {
        &self.states[plane]
    }

    /// Opens every way.
    pub fn open_all(&mut self) {
        self.cut.iter_mut().flatten().for_each(Cuts::clear);
    }

    /// Whether a plane truly serves a group: every critical service of it is up.
    pub fn serves(&self, group: &GroupName, plane: usize) -> bool {
        self.critical_of(group).all(|place| self.state(plane, place) == ServiceState::Up)
    }

    /// The critical services of a group, by their places, each with whether it is so bad on a plane that no
    /// observer can find it good.
    pub fn bad(&self, group: &GroupName, plane: usize) -> impl Iterator<Item = (usize, bool)> {
        let is_bad = move |place: usize| match self.state(plane, place) {
            ServiceState::Dead | ServiceState::Hang => true,
            ServiceState::Error => self.sees_errors[place],
            ServiceState::Lies => self.sees_lies[place],
            ServiceState::Slow(late) => late >= self.longest_timeout,
            ServiceState::Up => false,
        };
        self.critical_of(group).map(move |place| (place, is_bad(place)))
    }

    fn critical_of(&self, group: &GroupName) -> impl Iterator<Item = usize> {
        let concerned =
            |place: &usize| self.critical[*place] && self.groups[*place].as_ref() == Some(group);
        (0..self.names.len()).filter(concerned)
    }

    /// Whether anything is wrong anywhere.
    pub fn all_well(&self) -> bool {
        self.states.iter().flatten().all(|state| *state == ServiceState::Up)
            && !self.overloaded(0)
            && !self.overloaded(1)
            && !self.any_cut()
            && self.rough.iter().flatten().all(|rough| *rough == (0, 0))
    }

    /// What a probe of a service meets now. `round_trip` is that of a well network.
    pub fn meet(
        &self,
        observer: usize,
        plane: usize,
        service: usize,
        order: &ProbeOrder,
        round_trip: Micros,
    ) -> Met {
        if self.is_cut(observer, plane) {
            return Met::Silence;
        }
        let answer = |after: Micros, outcome| Met::Answer(after, outcome);
        match self.state(plane, service) {
            ServiceState::Up => answer(round_trip, Ok(())),
            ServiceState::Dead => answer(round_trip, Err(ProbeFault::Refused)),
            ServiceState::Hang => Met::Silence,
            ServiceState::Error => answer(round_trip, answer_in_error(&order.target.kind)),
            ServiceState::Slow(late) => answer(round_trip + late, Ok(())),
            ServiceState::Lies => answer(round_trip, answer_with_a_lie(&order.target.kind)),
        }
    }
}

fn targets(service: &Service) -> impl Iterator<Item = &Arc<ProbeTarget>> {
    service.checks.values().flat_map(|check| check.targets.values())
}

/// What a service in error shows to a kind of probe: those that ask for nothing but a connection pass.
fn answer_in_error(kind: &ProbeKind) -> Result<(), ProbeFault> {
    let what = match kind {
        ProbeKind::Tcp | ProbeKind::Tls(_) => return Ok(()),
        ProbeKind::Http(_) => "status 500, wanted 200 to 299",
        ProbeKind::Dns(_) => "SERVFAIL, not NOERROR",
        ProbeKind::Grpc(_) => "NOT_SERVING, not SERVING",
        ProbeKind::Prometheus(_) => "the query has no result",
        ProbeKind::Exec(_) => "exit status 1",
    };
    Err(ProbeFault::WrongAnswer(what.to_owned()))
}

/// What a service that lies shows: only who reads the body can tell.
fn answer_with_a_lie(kind: &ProbeKind) -> Result<(), ProbeFault> {
    match kind {
        ProbeKind::Http(http) if !http.body_contains.is_empty() => {
            let what = format!("the body does not hold `{}`", http.body_contains);
            Err(ProbeFault::WrongAnswer(what))
        }
        _ => Ok(()),
    }
}

fn sees_lies(service: &Service) -> bool {
    targets(service).any(|target| answer_with_a_lie(&target.kind).is_err())
}

fn sees_errors(service: &Service) -> bool {
    targets(service).any(|target| answer_in_error(&target.kind).is_err())
}

fn longest_timeout(service: &Service) -> Micros {
    let micros = targets(service).map(|target| target.timeout.as_micros()).max();
    Micros::try_from(micros.unwrap_or(0)).unwrap_or(Micros::MAX)
}

/// A socket address as an endpoint.
pub fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint { host: address.ip().to_string(), port: address.port() }
}

/// A probe's timeout in true time.
pub fn timeout_of(order: &ProbeOrder) -> Micros {
    Micros::try_from(order.target.timeout.as_micros()).unwrap_or(Micros::MAX).max(MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::domain::{DnsProbe, DnsType, ExecProbe, ProbeId, TlsProbe};
    use crate::sim::cluster::{Shape, cluster};

    /// Gives the check `tcp` of each service its own kind, at one endpoint that all share.
    fn sharing(kinds: &[ProbeKind]) -> Cluster {
        let mut cluster = cluster(&Shape::default());
        for (service, kind) in cluster.services.values_mut().zip(kinds) {
            for (place, target) in service
                .checks
                .values_mut()
                .take(1)
                .flat_map(|check| check.targets.values_mut())
                .enumerate()
            {
                let host = format!("10.3.0.{place}");
                let target = Arc::make_mut(target);
                target.endpoint = Endpoint { host, port: 9090 };
                target.kind = kind.clone();
            }
        }
        cluster
    }

    #[test]
    fn services_that_share_an_endpoint_fail_by_themselves_and_each_kind_in_its_own_way() {
        let dns =
            DnsProbe { name: "a.test".to_owned(), record: DnsType::A, contains: String::new() };
        let tls = TlsProbe { host: String::new(), tls_verify: true, days: 1 };
        let exec = ExecProbe { program: "/c/x".to_owned(), args: Vec::new() };
        let kinds = [ProbeKind::Exec(exec), ProbeKind::Tls(tls), ProbeKind::Dns(dns)];
        let cluster = sharing(&kinds);
        let mut planes = Planes::new(&cluster);
        let meets = |planes: &Planes, service: usize| {
            let check =
                cluster.services.values().nth(service).and_then(|s| s.checks.values().next());
            let target = check.and_then(|check| check.targets.values().next()).expect("it has one");
            let order = ProbeOrder { id: ProbeId(1), target: Arc::clone(target) };
            let met = planes.target(target).expect("it is known");
            assert_eq!(met, Target::Service { plane: 0, service });
            match planes.meet(0, 0, service, &order, MS) {
                Met::Answer(_, outcome) => outcome.is_ok(),
                Met::Silence => panic!("nothing is cut"),
            }
        };
        let all = |planes: &Planes| [0, 1, 2].map(|service| meets(planes, service));
        assert_eq!(all(&planes), [true; 3]);
        planes.set(0, Some(0), ServiceState::Error);
        assert_eq!(all(&planes), [false, true, true]);
        // A certificate is good in a service that is in error.
        planes.set(0, None, ServiceState::Error);
        assert_eq!(all(&planes), [false, true, false]);
        planes.set(0, None, ServiceState::Dead);
        assert_eq!(all(&planes), [false; 3]);
    }
}
