//! Ways are cut, and open again: each cut has a number, and ends by itself, by a word, or with all others.

use super::{Event, World};
use crate::sim::action::{Action, Outsider, Ways, Who};
use crate::sim::counts::Class;
use crate::sim::queue::Micros;

impl World {
    pub(super) fn act_on_ways(&mut self, action: Action) {
        match action {
            Action::CutOff { who, ways, span } => self.cut_off(who, ways, span),
            Action::Cut { from, to, one_way, span } => self.cut_link((from, to), one_way, span),
            Action::Heal => {
                self.network.heal();
                self.planes.open_all();
                self.ways.open_all();
            }
            Action::Blind { who, plane, on, span } => self.blind(who, plane, on, span),
            Action::CutApi { who, from, on, span } => self.shut(who, from, on, span),
            _ => {}
        }
        self.note_truth();
    }

    /// A cut that ends by itself, no longer than it lasted.
    pub(super) fn lift(&mut self, cut: u64) {
        self.network.lift(cut);
        self.planes.lift(cut);
        self.ways.lift(cut);
        self.note_truth();
        self.draw_truth(false);
    }

    /// The number of a new cut.
    fn new_cut(&mut self, span: Option<Micros>) -> u64 {
        self.next_cut += 1;
        if let Some(span) = span {
            self.queue.put(self.now + span, Event::Lift(self.next_cut));
        }
        self.next_cut
    }

    fn see_overlap(&mut self, overlaps: bool) {
        if overlaps {
            self.see(Class::CutsOverlap);
        }
    }

    fn cut_link(&mut self, (from, to): (usize, usize), one_way: bool, span: Option<Micros>) {
        let cut = self.new_cut(span);
        let mut overlaps = self.network.cut(from, to, cut);
        if !one_way {
            overlaps |= self.network.cut(to, from, cut);
        }
        self.see(if one_way { Class::OneWayCut } else { Class::Partition });
        self.see_overlap(overlaps);
    }

    fn cut_off(&mut self, who: Who, ways: Ways, span: Option<Micros>) {
        let cut = self.new_cut(span);
        let places = self.nodes.len() + self.beside.len();
        self.each(who, |w, node| {
            let mut overlaps = false;
            for other in 0..places {
                if ways != Ways::In {
                    overlaps |= w.network.cut(node, other, cut);
                }
                if ways != Ways::Out {
                    overlaps |= w.network.cut(other, node, cut);
                }
            }
            w.see(if ways == Ways::Both { Class::Partition } else { Class::OneWayCut });
            w.see_overlap(overlaps);
        });
    }

    fn blind(&mut self, who: Who, plane: usize, on: bool, span: Option<Micros>) {
        if !on {
            return self.each(who, |w, place| w.planes.open(place, plane));
        }
        let cut = self.new_cut(span);
        self.see(Class::BlindObserver);
        self.each(who, |w, place| {
            let overlaps = w.planes.cut(place, plane, cut);
            w.see_overlap(overlaps);
        });
    }

    fn shut(&mut self, who: Who, from: Outsider, on: bool, span: Option<Micros>) {
        if !on {
            return self.each_node(who, |w, node| w.ways.open(node, from));
        }
        let cut = self.new_cut(span);
        self.see(Class::OutsiderShutOut);
        self.each_node(who, |w, node| {
            let overlaps = w.ways.shut(node, from, cut);
            w.see_overlap(overlaps);
        });
    }
}
