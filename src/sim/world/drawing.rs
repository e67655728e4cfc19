//! What the world tells a picture. Nothing of it changes a run; with no picture it costs a look.

use super::World;
use crate::kernel::domain::{ProbeFault, ProbeOrder};
use crate::sim::action::{Action, Who};
use crate::sim::client::{Heard, Op, Wish};
use crate::sim::picture::{Class, Fate, Picture, Recorder};
use crate::sim::plane::Target;
use crate::sim::queue::Micros;

impl World {
    /// The picture of the run so far, if one was asked for. There is none after that.
    pub fn take_picture(&mut self) -> Option<Picture> {
        let now = self.now;
        self.picture.take().map(|recorder| recorder.finish(now))
    }

    /// Tells the picture, if there is one.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Recorder, Micros)) {
        if let Some(picture) = &mut self.picture {
            draw(picture, self.now);
        }
    }

    /// The beginning: what the network is like.
    pub(super) fn draw_beginning(&mut self) {
        let (weather, probe_loss) = (self.network.weather, self.params.probe_loss);
        self.draw(|picture, at| picture.weather(at, &weather, probe_loss));
    }

    /// Before something is done.
    pub(super) fn draw_action(&mut self, action: &Action) {
        if self.picture.is_none() {
            return;
        }
        let struck = struck_by(action).map(|who| self.who(who)).unwrap_or_default();
        let services: Vec<String> =
            self.planes.services().iter().map(ToString::to_string).collect();
        self.draw(|picture, at| picture.done(at, action, &struck, &services));
    }

    /// After something was done.
    pub(super) fn draw_truth(&mut self, calm: bool) {
        let (weather, probe_loss) = (self.network.weather, self.params.probe_loss);
        let Some(picture) = &mut self.picture else { return };
        let paths = (&self.network, &self.ways);
        picture.truth(self.now, paths, &self.planes, &self.gateways);
        if calm {
            picture.weather(self.now, &weather, probe_loss);
            picture.spared(self.now);
        }
    }

    pub(super) fn draw_probe(
        &mut self,
        place: usize,
        began: Micros,
        order: &ProbeOrder,
        outcome: &Result<(), ProbeFault>,
    ) {
        let Some(picture) = &mut self.picture else { return };
        let (to, service) = match self.planes.target(&order.target) {
            Some(Target::Service { plane, service }) => {
                (picture.plane(plane), self.planes.services()[service].as_str())
            }
            Some(Target::Member(other)) => (other, "a member"),
            None => return,
        };
        let (fate, text) = match outcome {
            Ok(()) => (Fate::Arrived, format!("{service}: passed")),
            Err(fault) => (Fate::Failed, format!("{service}: {fault}")),
        };
        picture.message((began, self.now), (place, to), "probe", fate, text);
    }

    pub(super) fn draw_request(&mut self, op: usize, node: usize) {
        let Some(picture) = &mut self.picture else { return };
        let op = &self.history[op];
        let at_member = picture.lane_name(node);
        let again = if op.tries > 1 { ", once more" } else { "" };
        let text = format!("request {}: {} at {at_member}{again}", op.serial, wish(op));
        let clients = picture.clients();
        picture.event(self.now, clients, Class::Word, "request", text);
    }

    pub(super) fn draw_answer(&mut self, op: usize) {
        let Some(picture) = &mut self.picture else { return };
        let op = &self.history[op];
        let heard = match &op.heard {
            Some(Heard::Read { applied, .. }) => format!("the state as of {applied}"),
            Some(Heard::Accepted { switchover }) => format!("accepted: {switchover}"),
            Some(Heard::Done) => "done".to_owned(),
            Some(Heard::Refused) => "refused".to_owned(),
            Some(Heard::Unknown) | None => "it may have happened".to_owned(),
        };
        let text = format!("request {} is answered: {heard}", op.serial);
        let clients = picture.clients();
        picture.event(self.now, clients, Class::Word, "answer", text);
    }
}

const fn struck_by(action: &Action) -> Option<Who> {
    match action {
        Action::Crash { who, .. }
        | Action::Start(who)
        | Action::Doom { who, .. }
        | Action::CutOff { who, .. }
        | Action::Blind { who, .. }
        | Action::Pause { who, .. }
        | Action::ClockRate { who, .. }
        | Action::WallStep { who, .. }
        | Action::DiskStall { who, .. }
        | Action::DiskFail { who, .. }
        | Action::DiskLie { who, .. }
        | Action::DiskFull { who, .. }
        | Action::DiskRots(who)
        | Action::CutApi { who, .. }
        | Action::RoughApi { who, .. }
        | Action::RoughSight { who, .. }
        | Action::Suspend { who, .. }
        | Action::Retire { who, .. }
        | Action::Ask { who, .. } => Some(*who),
        _ => None,
    }
}

fn wish(op: &Op) -> String {
    let all = |groups: &[crate::kernel::domain::GroupName]| {
        let names: Vec<&str> = groups.iter().map(|group| group.as_str()).collect();
        if names.is_empty() { "every group".to_owned() } else { names.join(", ") }
    };
    match &op.wish {
        Wish::Read => "read".to_owned(),
        Wish::Switch { group, to, forced } => {
            let to = to.as_ref().map_or("the other plane", |plane| plane.as_str());
            format!("switch {group} to {to}{}", if *forced { ", forced" } else { "" })
        }
        Wish::Freeze { groups, on: true } => format!("freeze {}", all(groups)),
        Wish::Freeze { groups, on: false } => format!("thaw {}", all(groups)),
        Wish::Configure(_) => "another configuration".to_owned(),
        Wish::Answer { approve } => if *approve { "approve" } else { "deny" }.to_owned(),
        Wish::Drain { plane, on: true } => format!("drain plane {plane}"),
        Wish::Drain { plane, on: false } => format!("end the drain of plane {plane}"),
    }
}
