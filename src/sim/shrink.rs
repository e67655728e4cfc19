//! Shrinking: delta debugging (Zeller, Hildebrandt: "Simplifying and isolating failure-inducing input", 2002) over the
//! schedule of a run that failed: its faults and requests, then what the world was made of, then times. Each try is a
//! run of the schedule itself, never of the generator, and counts only if the same oracle finds it.

use super::action::Action;
use super::queue::{MS, Micros, SECOND};
use super::scenario::{Scenario, sense};
use super::world::Params;

/// A smaller run that fails in the same way.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// It.
    pub scenario: Scenario,
    /// Who finds something in it.
    pub oracle: &'static str,
    /// What is found in it.
    pub what: String,
    /// When.
    pub at: Micros,
    /// Runs that were tried.
    pub tried: u64,
}

/// Why nothing was shrunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShrinkError {
    /// Nothing is wrong with the run.
    #[error("the run passes: there is nothing to shrink")]
    Passes,
}

/// A run that fails, and what it takes to be sure that it still does.
struct Failing<'a> {
    best: Scenario,
    oracle: &'static str,
    what: String,
    at: Micros,
    tried: u64,
    /// Told of each try: events left, tries. False: time is over.
    go_on: &'a mut dyn FnMut(usize, u64) -> bool,
    over: bool,
}

/// Shrinks a run that fails. `go_on` hears of each try (events left, tries so far) and ends the search with `false`; what
/// was found until then stands.
///
/// # Errors
/// When the run passes.
pub fn shrink(
    scenario: &Scenario,
    go_on: &mut dyn FnMut(usize, u64) -> bool,
) -> Result<Shrunk, ShrinkError> {
    // As a file that is read would have it.
    let mut best = Scenario { promises: true, ..scenario.clone() };
    best.params.replay = true;
    let violation = best.run(false).violation.ok_or(ShrinkError::Passes)?;
    let mut failing = Failing {
        best,
        oracle: violation.oracle,
        what: violation.what,
        at: violation.at,
        tried: 1,
        go_on,
        over: false,
    };
    failing.cut_the_end();
    let mut size = usize::MAX;
    while failing.best.actions.len() < size && !failing.over {
        size = failing.best.actions.len();
        failing.fewer_events();
        failing.fewer_triggers();
        failing.plainer_world();
        failing.rounder_times();
        failing.cut_the_end();
    }
    let Failing { best, oracle, what, at, tried, .. } = failing;
    Ok(Shrunk { scenario: best, oracle, what, at, tried })
}

impl Failing<'_> {
    /// Keeps the candidate if the same oracle finds it.
    fn try_it(&mut self, candidate: Scenario) -> bool {
        self.over |= !(self.go_on)(self.best.actions.len(), self.tried);
        if self.over {
            return false;
        }
        self.tried += 1;
        let Some(violation) = candidate.run(false).violation else { return false };
        if violation.oracle != self.oracle {
            return false;
        }
        self.what = violation.what;
        self.at = violation.at;
        self.best = candidate;
        true
    }

    /// What comes after the finding has no part in it. Liveness is found after the run, and needs its healing.
    fn cut_the_end(&mut self) {
        if self.at >= self.best.length {
            // If it is found without the demand to rest, then what heals the world has no part in it.
            if self.best.rest.is_some() {
                let candidate = Scenario { rest: None, ..self.best.clone() };
                self.try_it(candidate);
            }
            return;
        }
        let at = self.at;
        let mut candidate = self.best.clone();
        candidate.actions.retain(|(when, _)| *when <= at);
        candidate.length = (at / SECOND + 1) * SECOND;
        candidate.rest = None;
        self.try_it(candidate);
    }

    /// Leaves out halves, quarters, … single events, as long as that helps.
    fn fewer_events(&mut self) {
        let mut chunk = self.best.actions.len().div_ceil(2).max(1);
        loop {
            let mut from = 0;
            let mut shorter = false;
            while from < self.best.actions.len() {
                let to = (from + chunk).min(self.best.actions.len());
                let mut candidate = self.best.clone();
                candidate.actions.drain(from..to);
                if self.try_it(candidate) {
                    shorter = true;
                } else {
                    from = to;
                }
                if self.over {
                    return;
                }
            }
            if chunk == 1 && !shorter {
                return;
            }
            if !shorter || chunk > 1 {
                chunk = (chunk / 2).max(1);
            }
        }
    }

    /// Leaves out what is done when something is seen.
    fn fewer_triggers(&mut self) {
        for place in (0..self.best.triggers.len()).rev() {
            let mut candidate = self.best.clone();
            candidate.triggers.remove(place);
            self.try_it(candidate);
        }
    }

    /// Tries the usual in place of everything that was drawn.
    fn plainer_world(&mut self) {
        let usual = Params::fair(self.best.params.seed);
        let plainer: [fn(&mut Params, &Params); 16] = [
            |p, usual| p.weather = usual.weather,
            |p, usual| p.pace = usual.pace,
            |p, usual| p.shape = usual.shape.clone(),
            |p, usual| p.probe_loss = usual.probe_loss,
            |p, usual| p.drift_ppm = usual.drift_ppm,
            |p, usual| p.log_entries = usual.log_entries,
            |p, _| p.redb = false,
            |p, _| p.weather.loss = 0,
            |p, _| p.weather.duplicates = 0,
            |p, _| p.weather.held = 0,
            |p, _| p.pace.stalls = 0,
            |p, usual| p.shape.budget = usual.shape.budget,
            |p, usual| p.shape.flap_limit = usual.shape.flap_limit,
            |p, usual| p.shape.two_groups = usual.shape.two_groups,
            |p, usual| p.shape.observers = usual.shape.observers,
            |p, usual| p.gateways = usual.gateways,
        ];
        for make in plainer {
            let mut candidate = self.best.clone();
            make(&mut candidate.params, &usual);
            sense::keep_what_makes_sense(&mut candidate);
            let changed = candidate.text(&[]) != self.best.text(&[]);
            if changed {
                self.try_it(candidate);
            }
        }
    }

    /// Whole seconds are easier to read than microseconds.
    fn rounder_times(&mut self) {
        for place in 0..self.best.actions.len() {
            for unit in [SECOND, 100 * MS, MS] {
                let (at, _) = self.best.actions[place];
                if at.is_multiple_of(unit) {
                    break;
                }
                let mut candidate = self.best.clone();
                candidate.actions[place].0 = at / unit * unit;
                if self.try_it(candidate) {
                    break;
                }
            }
            self.rounder_span(place);
        }
    }

    fn rounder_span(&mut self, place: usize) {
        for unit in [SECOND, 100 * MS, MS] {
            let mut candidate = self.best.clone();
            let Some(span) = span_of(&mut candidate.actions[place].1) else { return };
            if span.is_multiple_of(unit) {
                return;
            }
            *span = (*span / unit).max(1) * unit;
            if self.try_it(candidate) {
                return;
            }
        }
    }
}

/// How long an action lasts.
const fn span_of(action: &mut Action) -> Option<&mut Micros> {
    match action {
        Action::Crash { down: Some(span), .. }
        | Action::Doom { down: span, .. }
        | Action::Pause { span, .. }
        | Action::Suspend { span, .. }
        | Action::Retire { down: span, .. }
        | Action::DiskStall { span, .. }
        | Action::DiskFail { mended: span, .. }
        | Action::DiskFull { mended: span, .. }
        | Action::Hold { by: span, .. }
        | Action::CutOff { span: Some(span), .. }
        | Action::Cut { span: Some(span), .. }
        | Action::Blind { span: Some(span), .. }
        | Action::CutApi { span: Some(span), .. } => Some(span),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::action::{Frames, Who};
    use crate::sim::frame::Kind;

    fn crash(node: usize) -> Action {
        Action::Crash { who: Who::Node(node), down: None }
    }

    fn pause(node: usize, span: Micros) -> Action {
        Action::Pause { who: Who::Node(node), span, after_read: false }
    }

    /// Two of three are dead for good, and some noise: no rest without them.
    fn failing() -> Scenario {
        let actions = vec![
            (SECOND, pause(0, 300 * MS)),
            (2 * SECOND + 3_456, crash(1)),
            (2 * SECOND + 9_001, pause(2, 50 * MS)),
            (3 * SECOND, Action::Hold { frames: Frames::all(Kind::Votes), by: 20 * MS }),
            (3 * SECOND + 77, crash(2)),
        ];
        Scenario { actions, length: 4 * SECOND, rest: Some(vec![0, 1]), ..Scenario::default() }
    }

    #[test]
    fn what_has_no_part_in_it_is_left_out_and_times_are_rounded() {
        let mut told = Vec::new();
        let shrunk = shrink(&failing(), &mut |left, _| {
            told.push(left);
            true
        })
        .expect("it fails");
        assert_eq!(shrunk.oracle, "liveness");
        // One dead member of those that must rest is enough.
        let left: Vec<_> = shrunk.scenario.actions.clone();
        assert_eq!(left, [(2 * SECOND, crash(1))], "{}", shrunk.what);
        assert_eq!(told.first(), Some(&5));
        let text = shrunk.scenario.text(&[]);
        let again = Scenario::parse(&text).expect("it was written by us");
        assert_eq!(again.run(false).violation.map(|v| v.oracle), Some("liveness"));
    }

    #[test]
    fn a_run_that_passes_is_not_shrunk() {
        let calm = Scenario { length: SECOND, promises: true, ..Scenario::default() };
        let why = shrink(&calm, &mut |_, _| true).expect_err("it passes");
        assert_eq!(why, ShrinkError::Passes);
    }

    #[test]
    fn when_time_is_over_what_was_found_stands() {
        let shrunk = shrink(&failing(), &mut |_, tried| tried < 3).expect("it fails");
        assert!(shrunk.tried <= 3, "{}", shrunk.tried);
        assert!(shrunk.scenario.run(false).violation.is_some());
    }
}
