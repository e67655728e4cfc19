//! Three people who work at once, each against nodes drawn anew for every request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use biplane::sim::rng::Stream;
use biplane::sim::rng::{Rng, mix};

use super::api::{Api, Tls};
use super::files::GROUPS;
use super::history::{Ask, History, Operation, Told};

/// How many they are.
pub(crate) const ADMINS: usize = 3;

/// One of them.
struct Admin {
    number: usize,
    apis: Vec<Api>,
    history: History,
    rng: Rng,
    stop: Arc<AtomicBool>,
    asked: usize,
    /// What each group showed last: epoch and plane.
    known: [(u64, usize); 2],
}

/// Starts them. They work until they are told to stop.
pub(crate) fn start(
    seed: u64,
    tls: &Tls,
    tokens: &[String],
    history: &History,
    stop: &Arc<AtomicBool>,
) -> Vec<JoinHandle<()>> {
    let admin = |(number, token): (usize, &String)| {
        let mut admin = Admin {
            number,
            apis: (0..3).map(|node| Api::new(node, tls, token)).collect(),
            history: history.clone(),
            rng: Rng::stream(mix(seed ^ mix(number as u64 + 1)), Stream::Workload),
            stop: Arc::clone(stop),
            asked: 0,
            known: [(1, 0); 2],
        };
        std::thread::spawn(move || {
            while !admin.stop.load(Ordering::Relaxed) {
                admin.work();
            }
        })
    };
    tokens.iter().enumerate().map(admin).collect()
}

impl Admin {
    fn work(&mut self) {
        let group = self.rng.place(GROUPS.len());
        match self.rng.below(100) {
            0..45 => self.look(group),
            45..60 => {
                self.ask(Ask::Planes);
            }
            60..84 => self.switch(group),
            84..94 => {
                // Frozen for a moment only: what is frozen does not move by itself.
                self.turn(|on, reason| Ask::Freeze { group, on, reason });
            }
            _ => {
                let plane = self.rng.place(2);
                self.turn(|on, reason| Ask::Drain { plane, on, reason });
            }
        }
        self.rest(40, 250);
    }

    fn rest(&mut self, low: u64, high: u64) {
        std::thread::sleep(Duration::from_millis(self.rng.between(low, high)));
    }

    fn reason(&mut self) -> String {
        self.asked += 1;
        format!("c{}-{:05}", self.number, self.asked)
    }

    fn ask(&mut self, ask: Ask) -> Told {
        let node = self.rng.place(self.apis.len());
        let call = self.history.now();
        let told = self.apis[node].ask(&ask);
        let end = self.history.now();
        let (client, told_too) = (self.number, told.clone());
        self.history.note(Operation { client, node, call, end, ask, told });
        told_too
    }

    fn look(&mut self, group: usize) {
        if let Told::Group { epoch, plane, .. } = self.ask(Ask::Group { group }) {
            self.known[group] = (epoch, usize::from(plane == "west"));
        }
    }

    /// Mostly from the epoch that it has just seen, sometimes from an old one.
    fn switch(&mut self, group: usize) {
        if self.rng.chance(700) {
            self.look(group);
        }
        let (base, plane) = self.known[group];
        let (reason, forced) = (self.reason(), self.rng.chance(150));
        self.ask(Ask::Switch { group, base, to: 1 - plane, forced, reason });
    }

    fn turn(&mut self, make: impl Fn(bool, String) -> Ask) {
        let reason = self.reason();
        self.ask(make(true, reason));
        self.rest(50, 400);
        // Until it is known to be over: what stays on would hold everything after it.
        for _ in 0..10 {
            let reason = self.reason();
            if matches!(self.ask(make(false, reason)), Told::Done)
                || self.stop.load(Ordering::Relaxed)
            {
                return;
            }
            self.rest(50, 300);
        }
    }
}
