//! The story: steady, the active plane out, and back; out again together with the leader, and back. Every step
//! is verified from outside, by what the gateway and every DNS server answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::follow;
use super::super::reach::Reach;
use super::log::{Asked, ClientLog, Heard};
use super::onlooker::Onlooker;
use super::ports::{NODES, PLANES};
use super::seen::{Look, dns_word};
use super::summary::{Outage, Step, Summary, Timing, ms};
use super::tell::Timeline;
use super::world::{Fault, World};
use crate::edge::api::client::{ANY, Answer};
use crate::edge::api::{AcceptedBody, SwitchBody};
use crate::kernel::controller::SwitchoverRecord;
use crate::kernel::domain::PlaneName;
use crate::runtime::clock::Clock;

/// The group of the demo.
pub(super) const GROUP: &str = "shop";
/// The plane where the group is at home.
const HOME: usize = 0;
/// The other one.
const AWAY: usize = 1;
/// A step that takes longer than this has failed.
const STEP: Duration = Duration::from_secs(20);
/// Between two looks at the cluster.
const LOOK: Duration = Duration::from_millis(50);
/// So many good answers in a row are steady: half a second of them.
const STEADY: usize = 50;
/// So many equal answers in a row are a fact.
const REQUESTS: usize = 10;
/// The same of a DNS server.
const QUERIES: usize = 3;

/// A step failed; it stands in the summary.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopped;

/// Everything that the story moves and looks at.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) world: World,
    pub(super) log: Arc<ClientLog>,
    pub(super) reach: Reach,
    pub(super) timeline: Timeline,
    pub(super) summary: Summary,
    pub(super) fault: Fault,
}

impl Story {
    /// The whole story, up to the first step that fails.
    pub(super) async fn run(&mut self) -> Result<(), Stopped> {
        self.step("start", async |story| {
            story.everything_is_well(HOME).await?;
            Ok("three nodes, a gateway and two planes: everything is up, users are on east"
                .to_owned())
        })
        .await?;
        self.log.count_from_now();
        self.step("steady", Self::steady).await?;
        self.summary.plane = self.plane_out(None).await?;
        self.step("plane-back", Self::plane_back).await?;
        self.step("switch-back", Self::switch_home).await?;
        let leader = self.leader().await?;
        self.summary.plane_and_leader = self.plane_out(Some(leader)).await?;
        self.step("start-again", async |story| story.start_again(leader).await).await?;
        self.step("switch-home", Self::switch_home).await.map(|_| ())
    }

    /// Runs one step and notes how it went.
    async fn step<T>(
        &mut self,
        name: &'static str,
        act: impl AsyncFnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, Stopped>
    where
        T: Told,
    {
        let began = Instant::now();
        let acted = act(self).await;
        let ms = ms(began.elapsed());
        let missing = acted.as_ref().err().cloned();
        match &acted {
            Ok(told) => self.timeline.event(&format!("ok  {name}: {}", told.words())),
            Err(missing) => self.timeline.event(&format!("NOT {name}: {missing}")),
        }
        self.summary.steps.push(Step { name, ok: missing.is_none(), ms, missing });
        acted.map_err(|_| Stopped)
    }

    /// Looks again and again until it is so. Says what is missing meanwhile, and at the end.
    async fn until<T>(
        &mut self,
        stage: &str,
        mut look: impl AsyncFnMut(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        let began = Instant::now();
        loop {
            let missing = match look(self).await {
                Ok(found) => return Ok(found),
                Err(missing) => missing,
            };
            self.world.alive()?;
            if began.elapsed() > STEP {
                return Err(format!("{stage}: {missing}"));
            }
            self.timeline.waiting(stage, &missing);
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn steady(&mut self) -> Result<String, String> {
        let since = self.log.now();
        self.until("half a second without a fault", async |story| {
            story.users_are_on(HOME, since, STEADY)
        })
        .await?;
        Ok(format!("{STEADY} requests in a row answered by {}", PLANES[HOME]))
    }

    /// The active plane goes out, alone or together with a node. Two steps: the fault, and the switchover as
    /// users see it. A client looks at the cluster all the while.
    async fn plane_out(&mut self, node: Option<usize>) -> Result<Timing, Stopped> {
        let names = if node.is_some() {
            ["plane-and-leader-out", "still-right"]
        } else {
            ["plane-out", "switchover"]
        };
        let before = self.last_switchover().await;
        let (onlooker, _) = self.step(names[0], async |story| story.make_fault(node).await).await?;
        let (made, onlooker) = onlooker;
        self.step(names[1], async |story| {
            let record = story.automatic_switchover(before.as_deref()).await?;
            story.users_moved(AWAY, story.log.now()).await?;
            story.onlooker_saw_the_end(made, before.as_deref()).await?;
            Ok(format!(
                "{} moved {GROUP} to {} by itself; the gateway and every DNS server say so",
                record.id, record.to
            ))
        })
        .await?;
        drop(onlooker);
        Ok(self.timing(made, before.as_deref()))
    }

    /// Sends the onlooker, waits until it sees the group where it is, and breaks the plane.
    async fn make_fault(
        &mut self,
        node: Option<usize>,
    ) -> Result<((Duration, Onlooker), String), String> {
        let since = self.log.now();
        let onlooker = Onlooker::start(self.world.reach()?, Arc::clone(&self.log));
        self.until("a client that looks on", async |story| {
            if story.log.looked(since) { Ok(()) } else { Err("has seen nothing yet".to_owned()) }
        })
        .await?;
        let Self { world, log, fault, .. } = self;
        let made = world.break_plane(HOME, *fault, node, || log.now()).await?;
        let with = node.map_or_else(String::new, |node| {
            format!(", and the leader {} killed with it", NODES[node])
        });
        let told = format!("{} is {}{with}", PLANES[HOME], fault.words());
        log.did(made, &told);
        Ok(((made, onlooker), told))
    }

    async fn onlooker_saw_the_end(
        &mut self,
        made: Duration,
        before: Option<&str>,
    ) -> Result<(), String> {
        self.until("the client that looks on to see the end", async |story| {
            let seen = story.log.stages(made, before).verification_ms;
            seen.map(|_| ()).ok_or_else(|| "it has not seen it".to_owned())
        })
        .await
    }

    async fn automatic_switchover(
        &mut self,
        before: Option<&str>,
    ) -> Result<SwitchoverRecord, String> {
        self.until("ballots, then a switchover", async |story| {
            let look = Look::at(&story.reach, GROUP).await?;
            let record: SwitchoverRecord = story
                .reach
                .client
                .get_json("/v1/switchovers/last")
                .await
                .map_err(|_| format!("no switchover yet; {}", look.mood()))?;
            if before == Some(record.id.as_str()) {
                return Err(look.mood());
            }
            if !follow::is_final(&record.state) {
                return Err(format!("{} is {}", record.id, record.state));
            }
            if record.state != "done" || record.kind != "automatic" {
                let SwitchoverRecord { id, kind, state, outcome, .. } = &record;
                return Err(format!("{id} ({kind}) ended {state}: {outcome}"));
            }
            look.route_is(PLANES[AWAY])?;
            Ok(record)
        })
        .await
    }

    async fn plane_back(&mut self) -> Result<String, String> {
        self.world.mend_plane(HOME, self.fault).await?;
        self.everything_is_well(AWAY).await?;
        Ok(format!("{} is well again, and nobody was moved", PLANES[HOME]))
    }

    async fn start_again(&mut self, node: usize) -> Result<String, String> {
        self.world.start_node(node)?;
        self.world.mend_plane(HOME, self.fault).await?;
        self.everything_is_well(AWAY).await?;
        Ok(format!("{} and {} are back, and know what happened", PLANES[HOME], NODES[node]))
    }

    /// An operator moves the group home.
    async fn switch_home(&mut self) -> Result<String, String> {
        let home = PlaneName::new(PLANES[HOME]).map_err(|error| error.to_string())?;
        let reason = "the demo's operator moves it home".to_owned();
        let body = SwitchBody { to: Some(home), reason, ..SwitchBody::default() };
        let key: String = Clock.entropy()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let path = format!("/v1/groups/{GROUP}/switch");
        let client = &self.reach.client;
        let answer: Answer<AcceptedBody> = client
            .post_json_over(&path, &body, ANY, Some(&key))
            .await
            .map_err(|e| e.to_string())?;
        let id = answer.body.switchover;
        let path = format!("/v1/switchovers/{id}");
        self.until("the operator's switchover", async |story| {
            let record: SwitchoverRecord =
                story.reach.client.get_json(&path).await.map_err(|error| error.to_string())?;
            match record.state.as_str() {
                "done" => Ok(()),
                state => Err(format!("{} is {state} {}", record.id, record.outcome)),
            }
        })
        .await?;
        self.everything_is_well(HOME).await?;
        Ok(format!("the operator moved {GROUP} back to {} ({id})", PLANES[HOME]))
    }

    /// Every node, plane and verdict is good, nothing holds an automatic switchover, and users are on this plane.
    async fn everything_is_well(&mut self, plane: usize) -> Result<(), String> {
        self.until("every node and verdict to be good", async |story| {
            let look = Look::at(&story.reach, GROUP).await?;
            look.all_members_are_there(NODES.len())?;
            look.all_verdicts_are_up()?;
            look.nothing_holds()?;
            look.route_is(PLANES[plane])
        })
        .await?;
        let since = self.log.now();
        self.users_moved(plane, since).await
    }

    async fn users_moved(&mut self, plane: usize, since: Duration) -> Result<(), String> {
        self.until("users to see it", async |story| story.users_are_on(plane, since, REQUESTS))
            .await
    }

    /// What is asked from outside, after `since`, is answered by this plane: through the gateway, and by the DNS
    /// server of every node that runs.
    fn users_are_on(&self, plane: usize, since: Duration, requests: usize) -> Result<(), String> {
        let wrong = |who: String, heard: Option<Heard>| match heard {
            Some(Heard::Plane(plane)) => format!("{who} answers {}", PLANES[plane]),
            Some(Heard::Fault(why)) => format!("{who}: {why}"),
            None => format!("{who} was not asked yet"),
        };
        if self.log.agreed(Asked::Gateway, since, requests) != Some(plane) {
            return Err(wrong("the gateway".to_owned(), self.log.last(Asked::Gateway)));
        }
        for node in self.world.living() {
            if self.log.agreed(Asked::Dns(node), since, QUERIES) != Some(plane) {
                return Err(wrong(dns_word(node), self.log.last(Asked::Dns(node))));
            }
        }
        Ok(())
    }

    async fn leader(&mut self) -> Result<usize, Stopped> {
        let found = self
            .until("a leader", async |story| {
                let look = Look::at(&story.reach, GROUP).await?;
                let leader = look.leader().ok_or_else(|| "no leader".to_owned())?;
                NODES.iter().position(|name| *name == leader).ok_or_else(|| format!("{leader}?"))
            })
            .await;
        match found {
            Ok(node) => Ok(node),
            Err(missing) => {
                self.step("leader", async |_| Err::<String, _>(missing)).await?;
                Err(Stopped)
            }
        }
    }

    async fn last_switchover(&self) -> Option<String> {
        let last = self.reach.client.get_json::<SwitchoverRecord>("/v1/switchovers/last").await;
        last.ok().map(|record| record.id)
    }

    /// What the client's log says of an outage that began at `made`.
    fn timing(&self, made: Duration, before: Option<&str>) -> Timing {
        let moved: Option<Vec<Duration>> =
            self.world.living().map(|node| self.log.moved(node, AWAY, made)).collect();
        let now = self.log.now();
        let outage_ms = Outage {
            gateway: Some(ms(self.log.outage(made, now))),
            dns: moved.and_then(|moved| moved.into_iter().max()).map(ms),
        };
        let requests_lost = self.log.lost(made, now);
        Timing { outage_ms, requests_lost, stages: self.log.stages(made, before) }
    }
}

/// What a step tells when it is done.
trait Told {
    fn words(&self) -> &str;
}

impl Told for String {
    fn words(&self) -> &str {
        self
    }
}

impl<T> Told for (T, String) {
    fn words(&self) -> &str {
        &self.1
    }
}
