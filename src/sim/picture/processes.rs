//! What happens to members' processes, and what traces note of them.

use super::model::Class;
use super::recorder::{Broken, Recorder, Role};
use crate::sim::queue::Micros;
use crate::sim::trace::{self, Note};

/// The first strip of a member.
const ROLE: usize = 0;

impl Recorder {
    /// What a trace notes anyway. What comes in a richer form is left out here.
    pub fn note(&mut self, at: Micros, note: &Note) {
        match note {
            Note::Ordered(node, number, entries) => {
                let text = format!("writes batch {number} with {entries} entries");
                self.event(at, *node, Class::Detail, "write", text);
            }
            Note::Published(node, applied, term) => {
                let text = format!("shows what it applied up to {applied}, term {term}");
                self.event(at, *node, Class::Detail, "publish", text);
            }
            Note::Node(node, what) => self.process(at, *node, what),
            Note::Gateway(what) => {
                self.event(at, self.gateway(0), Class::Word, "gateway", what.clone());
            }
            Note::Beside(nth, what) => self.beside(at, *nth, what),
            Note::Observer(nth, what) => {
                self.event(at, self.members + nth, Class::Word, "observer", what.clone());
            }
            Note::Took(..) | Note::Said(..) | Note::Fault(_) | Note::Client(..) => {}
        }
    }

    fn beside(&mut self, at: Micros, nth: usize, what: &str) {
        let lane = self.members + nth;
        if what == trace::STARTS {
            self.mended(at, Broken::Dead(lane));
            self.event(at, lane, Class::Fault, "start", "the process starts");
        } else {
            self.broke(at, Broken::Dead(lane), lane, "dead", "the process is dead".to_owned());
            self.event(at, lane, Class::Fault, "crash", "the process dies");
        }
    }

    fn process(&mut self, at: Micros, node: usize, what: &str) {
        match what {
            trace::STARTS => {
                self.mended(at, Broken::Dead(node));
                self.mended(at, Broken::Disk(node));
                self.roles[node] = Role { word: "no leader", ..Role::default() };
                self.event(at, node, Class::Fault, "start", "the process starts");
            }
            trace::DIES => {
                for over in [Broken::Paused(node), Broken::Doomed(node)] {
                    self.mended(at, over);
                }
                self.roles[node] = Role { dead: true, ..Role::default() };
                self.broke(at, Broken::Dead(node), node, "dead", "the process is dead".to_owned());
                self.event(at, node, Class::Fault, "crash", "the process dies");
            }
            trace::GOES_ON => {
                self.mended(at, Broken::Paused(node));
                self.roles[node].paused = false;
                self.event(at, node, Class::Fault, "resume", "the process goes on after a pause");
            }
            trace::DISK_FAILED => {
                self.roles[node].disk_failed = true;
                let text = "a write failed: the member leaves consensus";
                self.event(at, node, Class::Fault, "disk", text);
            }
            other => self.event(at, node, Class::Word, "node", other),
        }
        self.show_role(at, node);
        self.show_routes(at, node);
    }

    /// A process stops for a while.
    pub fn paused(&mut self, at: Micros, node: usize) {
        self.roles[node].paused = true;
        self.broke(at, Broken::Paused(node), node, "paused", "the process is paused".to_owned());
        self.show_role(at, node);
    }

    pub(super) fn show_role(&mut self, at: Micros, node: usize) {
        let role = &self.roles[node];
        let word = match role {
            Role { dead: true, .. } => "dead",
            Role { paused: true, .. } => "paused",
            Role { disk_failed: true, .. } => "failed disk",
            Role { word, .. } => word,
        };
        self.state(at, node, ROLE, word);
    }
}
