//! Spans and words for what is broken: from the truth of the world, and from what was done to it.

use super::fault_words::{
    for_words, from_outside, rough_words, sick, span, state_word, ways_words,
};
use super::model::{Class, LaneKind};
use super::recorder::{Broken, Recorder};
use crate::sim::action::{Action, Doom, Frames};
use crate::sim::frame::Kind;
use crate::sim::gateway::{Gateway, NAMES};
use crate::sim::network::{Network, Weather};
use crate::sim::plane::Planes;
use crate::sim::queue::Micros;
use crate::sim::ways::Ways;

impl Recorder {
    /// What is cut and sick now, after something was done.
    pub fn truth(
        &mut self,
        at: Micros,
        (network, ways): (&Network, &Ways),
        planes: &Planes,
        gateways: &[Gateway],
    ) {
        for member in 0..self.members + self.beside {
            let what = self.links_of(network, member);
            self.so_long(at, Broken::Links(member), member, "cut", what);
            let blind: Vec<String> = (0..self.planes.len())
                .filter(|plane| planes.is_cut(member, *plane))
                .map(|plane| self.planes[plane].to_string())
                .collect();
            let mut what: Vec<String> = Vec::new();
            if !blind.is_empty() {
                what.push(format!("cannot see what runs on {}", blind.join(" and ")));
            }
            for (plane, name) in self.planes.iter().enumerate() {
                let (lost, late) = planes.roughness(member, plane);
                if lost > 0 || late > 0 {
                    what.push(format!("on the way to {name} {}", rough_words(lost, late)));
                }
            }
            let what = (!what.is_empty()).then(|| what.join(", "));
            self.so_long(at, Broken::Blind(member), member, "blind", what);
        }
        for member in 0..self.members {
            let what = from_outside(ways, member);
            self.so_long(at, Broken::Ways(member), member, "ways", what);
        }
        for plane in 0..self.planes.len() {
            let lane = self.plane(plane);
            self.so_long(at, Broken::Sick(plane), lane, "sick", sick(planes, plane));
        }
        for (which, gateway) in gateways.iter().enumerate() {
            let what = (!gateway.up).then(|| "the gateway is down".to_owned());
            self.so_long(at, Broken::Gateway(which), self.gateway(which), "down", what);
        }
        let held = network.held().map(|(frames, by)| self.held_words(frames, by));
        let lost = network.lost().map(|(frames, lost)| self.lost_words(frames, lost));
        let doubled = network.doubled();
        let doubled =
            doubled.map(|(frames, twice, within)| self.doubled_words(frames, twice, within));
        let kinds: Vec<String> = held.chain(lost).chain(doubled).collect();
        let what = (!kinds.is_empty()).then(|| kinds.join(", "));
        self.so_long(at, Broken::Kinds, self.network(), "kinds", what);
    }

    fn link_words(&self, frames: &Frames) -> String {
        let mut words = frames.kind.map_or("all frames", Kind::word).to_owned();
        if let Some(from) = frames.from {
            words.push_str(&format!(" from {}", self.name(from)));
        }
        if let Some(to) = frames.to {
            words.push_str(&format!(" to {}", self.name(to)));
        }
        words
    }

    fn held_words(&self, frames: &Frames, by: Micros) -> String {
        let link = self.link_words(frames);
        if by == 0 {
            return format!("{link} travel as ever");
        }
        format!("{link} are held up by up to {}", span(by))
    }

    fn lost_words(&self, frames: &Frames, lost: u32) -> String {
        let link = self.link_words(frames);
        format!("{}.{} % of {link} are lost", lost / 10, lost % 10)
    }

    fn doubled_words(&self, frames: &Frames, twice: u32, within: Micros) -> String {
        let (link, within) = (self.link_words(frames), span(within));
        format!("{}.{} % of {link} come twice, up to {within} late", twice / 10, twice % 10)
    }

    /// How bad the network is from now on; probes of a thousand that are lost.
    pub fn weather(&mut self, at: Micros, weather: &Weather, probe_loss: u32) {
        let mut what = Vec::new();
        let mut part = |permille: u32, words: String| {
            if permille > 0 {
                what.push(format!("{}.{} % of {words}", permille / 10, permille % 10));
            }
        };
        part(weather.loss, "messages are lost".to_owned());
        let late = span(weather.replay);
        part(weather.duplicates, format!("messages come twice, up to {late} late"));
        part(weather.held, format!("messages are held up by {}", span(weather.held_for)));
        part(probe_loss, "probes are lost".to_owned());
        let what = (!what.is_empty()).then(|| what.join(", "));
        self.so_long(at, Broken::Weather, self.network(), "weather", what);
    }

    fn so_long(
        &mut self,
        at: Micros,
        which: Broken,
        lane: usize,
        kind: &'static str,
        what: Option<String>,
    ) {
        match what {
            Some(what) => self.broke(at, which, lane, kind, what),
            None => self.mended(at, which),
        }
    }

    fn name(&self, member: usize) -> &str {
        self.lane_name(member).trim_start_matches(LaneKind::Member.word()).trim_start()
    }

    fn links_of(&self, network: &Network, member: usize) -> Option<String> {
        let others: Vec<usize> = (0..self.members).filter(|other| *other != member).collect();
        let cut = |other: &usize| (network.is_cut(*other, member), network.is_cut(member, *other));
        let (all_deaf, all_mute) = others
            .iter()
            .map(cut)
            .fold((!others.is_empty(), !others.is_empty()), |(deaf, mute), cut| {
                (deaf && cut.0, mute && cut.1)
            });
        let mut words = Vec::new();
        match (all_deaf, all_mute) {
            (true, true) => words.push("is cut off from everybody".to_owned()),
            (true, false) => words.push("hears nobody".to_owned()),
            (false, true) => words.push("is heard by nobody".to_owned()),
            (false, false) => {}
        }
        // What is said of all is not said of each.
        let left = |other: &usize| {
            let (deaf, mute) = cut(other);
            (deaf && !all_deaf, mute && !all_mute)
        };
        self.some_links(&others, left, &mut words);
        // Observers have links to members only.
        if member < self.members {
            let beside: Vec<usize> = (self.members..self.members + self.beside).collect();
            self.some_links(&beside, cut, &mut words);
        }
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// From which of some a member hears nothing, and which hear nothing of it, in words.
    fn some_links(
        &self,
        others: &[usize],
        cut: impl Fn(&usize) -> (bool, bool),
        words: &mut Vec<String>,
    ) {
        for (which, what) in [
            ((true, true), "has no link to"),
            ((true, false), "does not hear"),
            ((false, true), "is not heard by"),
        ] {
            let some = others.iter().filter(|other| cut(other) == which);
            let names: Vec<&str> = some.map(|other| self.name(*other)).collect();
            if !names.is_empty() {
                words.push(format!("{what} {}", names.join(" and ")));
            }
        }
    }

    /// Something is done to members (those that it strikes), or to others.
    pub fn done(&mut self, at: Micros, action: &Action, struck: &[usize], services: &[String]) {
        let at_all = self.words_of(action, services);
        if let Some((lane, kind, text)) = at_all {
            return self.event(at, lane, Class::Fault, kind, text);
        }
        for member in struck {
            self.done_to(at, action, *member);
        }
    }

    fn done_to(&mut self, at: Micros, action: &Action, member: usize) {
        let tell = |recorder: &mut Self, kind: &'static str, text: String| {
            recorder.event(at, member, Class::Fault, kind, text);
        };
        match action {
            // The process itself tells that it dies or starts.
            Action::Crash { .. } | Action::Start(_) | Action::Ask { .. } => {}
            Action::CutOff { span: length, .. } => {
                tell(self, "cut", format!("links are cut{}", for_words(*length)));
            }
            Action::Blind { plane, on, span: length, .. } => {
                let word = if *on { "is cut off from" } else { "sees again" };
                let plane = &self.planes[*plane];
                let text = format!("{word} plane {plane}{}", for_words(*length));
                tell(self, "blind", text);
            }
            Action::RoughSight { plane, lost, late, .. } => {
                let way = rough_words(*lost, *late);
                let text = format!("{way} on the way to plane {}", self.planes[*plane]);
                tell(self, "blind", text);
            }
            Action::Retire { .. } => tell(self, "stop", "is asked to stop".to_owned()),
            Action::Suspend { span: length, .. } => {
                let text =
                    format!("the machine sleeps for {}, and its clock with it", span(*length));
                tell(self, "pause", text);
            }
            Action::Pause { span: length, .. } => {
                tell(self, "pause", format!("the process is paused for {}", span(*length)));
            }
            Action::Doom { doom, .. } => {
                let when = match doom {
                    Doom::AfterOutputs(count) => format!("after {count} more outputs"),
                    Doom::AfterVote => "right after its next vote".to_owned(),
                    Doom::InWrite => "in the middle of its next write".to_owned(),
                };
                let text = format!("is to die {when}");
                self.broke(at, Broken::Doomed(member), member, "doomed", text.clone());
                tell(self, "doomed", text);
            }
            Action::ClockRate { ppm: 0, .. } => {
                self.mended(at, Broken::Clock(member));
                tell(self, "clock", "the clock runs right".to_owned());
            }
            Action::ClockRate { ppm, .. } => {
                let text = format!("the clock runs wrong by {ppm} ppm");
                self.broke(at, Broken::Clock(member), member, "clock", text.clone());
                tell(self, "clock", text);
            }
            Action::WallStep { by_ms, .. } => {
                tell(self, "clock", format!("the wall clock jumps by {by_ms} ms"));
            }
            Action::CutApi { .. } | Action::RoughApi { .. } => {
                let (kind, text) = ways_words(action);
                tell(self, kind, text);
            }
            on_a_disk => self.done_to_disk(at, on_a_disk, member),
        }
    }

    fn done_to_disk(&mut self, at: Micros, action: &Action, member: usize) {
        let mut tell = |kind: &'static str, text: String| {
            self.event(at, member, Class::Fault, kind, text);
        };
        match action {
            Action::DiskRots(_) => tell("disk", "bits of the disk change".to_owned()),
            Action::DiskLie { syncs, .. } => {
                tell("disk", format!("the disk lies about the next {syncs} syncs"));
            }
            Action::DiskStall { span: length, .. } => {
                let text = format!("the disk stands still for {}", span(*length));
                tell("disk", text.clone());
                self.band(at, at + length, member, ("disk", text));
            }
            Action::DiskFail { mended, .. } => {
                let text = format!("the disk fails, mended after {}", span(*mended));
                tell("disk", text.clone());
                self.broke(at, Broken::Disk(member), member, "disk", text);
            }
            Action::DiskFull { mended, .. } => {
                let text = format!("the disk is full, room is made after {}", span(*mended));
                tell("disk", text.clone());
                self.broke(at, Broken::Disk(member), member, "disk", text);
            }
            other => tell("fault", format!("{other:?}")),
        }
    }

    /// What strikes no member.
    fn words_of(
        &self,
        action: &Action,
        services: &[String],
    ) -> Option<(usize, &'static str, String)> {
        let network = self.network();
        Some(match action {
            Action::Plane { plane, service, state } => {
                let which = service.and_then(|place| services.get(place));
                let which = which.map_or("every service", String::as_str);
                (self.plane(*plane), "sick", format!("{which} is {}", state_word(*state)))
            }
            Action::Cut { from, to, one_way, span: length } => {
                let ways = if *one_way { "hears nothing of" } else { "is cut from" };
                let (one, other) = if *one_way { (*to, *from) } else { (*from, *to) };
                let (one, other) = (self.name(one), self.name(other));
                let text = format!("{one} {ways} {other}{}", for_words(*length));
                (network, "cut", text)
            }
            Action::Heal => (network, "heal", "every link is whole".to_owned()),
            Action::Hold { frames, by } => (network, "kinds", self.held_words(frames, *by)),
            Action::Lose { frames, lost } => (network, "kinds", self.lost_words(frames, *lost)),
            Action::Double { frames, twice, within } => {
                (network, "kinds", self.doubled_words(frames, *twice, *within))
            }
            Action::Room { plane, groups } => {
                let text = groups.map_or_else(
                    || "carries all traffic".to_owned(),
                    |groups| format!("carries the traffic of {groups} groups, not of more"),
                );
                (self.plane(*plane), "room", text)
            }
            Action::Gateway { which, up } => {
                let name = NAMES.get(*which).copied().unwrap_or_default();
                let text = format!("gateway {name} {}", if *up { "starts" } else { "stops" });
                // A world may have fewer.
                (self.gateway((*which).min(self.gateways - 1)), "gateway", text)
            }
            Action::Calm => (network, "calm", "fair weather, honest disks".to_owned()),
            _ => return None,
        })
    }

    /// Nobody is doomed any more.
    pub fn spared(&mut self, at: Micros) {
        for member in 0..self.members {
            self.mended(at, Broken::Doomed(member));
        }
    }
}
