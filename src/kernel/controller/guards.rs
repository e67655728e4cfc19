//! The guards of a group in words: of now for an explanation, of then for the record of a switchover.

use std::time::Duration;

use super::GuardStatus;
use crate::kernel::domain::span_words;
use crate::kernel::policy::Hold;
use crate::kernel::switchover::Guards;

/// Each guard with its value, in the order of their importance.
pub(super) fn guard_words(guards: &Guards) -> Vec<GuardStatus> {
    let guard = |guard: &str, open: bool, value: String| GuardStatus {
        guard: guard.to_owned(),
        open,
        value,
    };
    // What only bars Biplane from moving a group by itself does not bar a person who approved.
    let own = |name: &str, hold: Option<Hold>, otherwise: String| match hold {
        Some(hold) if guards.approved => guard(name, true, format!("{hold}; a person approved")),
        Some(hold) => guard(name, false, hold.to_string()),
        None => guard(name, true, otherwise),
    };
    let Guards { source, source_out, target, target_good, .. } = guards;
    let drained = guards.drained.clone().map(Hold::TargetDrained);
    let not_out = if *source_out { "" } else { "not out: " };
    vec![
        guard("source", *source_out, format!("{not_out}{source}")),
        guard("target", *target_good, target.clone()),
        guard(
            "drain",
            drained.is_none(),
            drained.map_or_else(|| "not drained".to_owned(), |hold| hold.to_string()),
        ),
        guard(
            "flap",
            !guards.unstable,
            if guards.unstable { Hold::TargetUnstable.to_string() } else { "calm".to_owned() },
        ),
        own("freeze", guards.frozen.clone().map(Hold::Frozen), "not frozen".to_owned()),
        own("dwell", dwell_hold(guards), dwell_words(guards)),
        own("budget", budget_hold(guards), budget_words(guards)),
        guard(
            "in-flight",
            !guards.in_flight,
            if guards.in_flight {
                Hold::InFlight.to_string()
            } else {
                "no switchover under way".to_owned()
            },
        ),
        sites(guards, own),
        guard(
            "mode",
            guards.mode == "auto" || guards.approved,
            if guards.approved {
                format!("{}: a person approved", guards.mode)
            } else {
                guards.mode.clone()
            },
        ),
    ]
}

fn dwell_hold(guards: &Guards) -> Option<Hold> {
    let left_ms = guards.dwell_left_ms;
    (left_ms > 0).then_some(Hold::Dwell { left_ms })
}

fn dwell_words(guards: &Guards) -> String {
    match guards.dwell_ms {
        0 => "none".to_owned(),
        ms => format!("{} have passed", span_words(Duration::from_millis(ms))),
    }
}

fn budget_hold(guards: &Guards) -> Option<Hold> {
    let used = guards.budget_used;
    let used_up = guards.budget.is_some_and(|switches| used >= switches);
    used_up.then_some(Hold::Budget { used, left_ms: guards.budget_left_ms })
}

fn budget_words(guards: &Guards) -> String {
    let window = span_words(Duration::from_millis(guards.budget_window_ms));
    guards.budget.map_or_else(
        || "no limit".to_owned(),
        |switches| format!("{} of {switches} used in {window}", guards.budget_used),
    )
}

/// Nobody votes against a plane that is well: only when it is out does it matter where the votes come from.
fn sites(guards: &Guards, own: impl Fn(&str, Option<Hold>, String) -> GuardStatus) -> GuardStatus {
    let hold = if guards.sites < 3 {
        Some(Hold::TooFewSites)
    } else {
        (!guards.two_sites_voted && guards.source_out).then_some(Hold::OneSiteVoted)
    };
    let otherwise = if guards.two_sites_voted {
        "ballots come from two sites"
    } else {
        "no ballots against the active plane"
    };
    own("sites", hold, otherwise.to_owned())
}
