//! How figures are told: the median and the worst, beside the goal.

use std::time::Duration;

/// A median with its goal, and the worst. `spans` must not be empty.
pub(crate) fn spans(what: &str, spans: &[Duration], goal: Option<Duration>) {
    let mut sorted = spans.to_vec();
    sorted.sort();
    let (median, worst) = (sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
    let goal = goal.map_or_else(String::new, |goal| {
        let word = if median <= goal { "met" } else { "MISSED" };
        format!(", goal {goal:?} {word}")
    });
    let ms = |span: Duration| span.as_secs_f64() * 1000.0;
    let (median, worst) = (ms(median), ms(worst));
    println!("    {what}: median {median:.1} ms, worst {worst:.1} ms of {}{goal}", sorted.len());
}

/// A size in MiB with its goal.
pub(crate) fn mebibytes(what: &str, kibibytes: u64, goal: u64) {
    let size = kibibytes.div_ceil(1024);
    let word = if size <= goal { "met" } else { "MISSED" };
    println!("    {what}: {size} MiB, goal {goal} MiB {word}");
}

/// A median of counts with its goal, and the worst. `counts` must not be empty.
pub(crate) fn counts(what: &str, counts: &[u64], goal: Option<u64>) {
    let mut sorted = counts.to_vec();
    sorted.sort_unstable();
    let (median, worst) = (sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
    let goal = goal.map_or_else(String::new, |goal| {
        let word = if median <= goal { "met" } else { "MISSED" };
        format!(", goal {goal} {word}")
    });
    println!("    {what}: median {median}, worst {worst} of {}{goal}", sorted.len());
}
