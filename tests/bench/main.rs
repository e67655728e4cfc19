//! Measurements with real processes, real disk and real sockets, on loopback: `cargo bench --bench bench -- NAME [ROUNDS]`.
//!
//! Each prints its figures, its goal and the command that measures it again. A missed goal is printed as missed,
//! not a failure: what a machine is busy with is not the code's fault. What went wrong, though, ends the run.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::float_arithmetic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "measurements watch real processes on a real clock and print what they find"
)]

#[expect(dead_code, reason = "shared with the integration tests, which use more of it")]
#[path = "../it/process.rs"]
mod process;

mod cluster;
mod crowd;
mod decision;
mod endurance;
mod figure;
mod load;
mod outage;
mod published;
mod scale;

/// A measurement: its name, what it measures, its usual rounds, and the way to take it.
type Bench = (&'static str, &'static str, usize, fn(usize));

/// As the product: what it keeps of freed memory is part of what is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BENCHES: &[Bench] = &[
    ("scale", "10,000 groups moved together when their plane dies", 1, scale::run),
    (
        "outage",
        "what users see when a plane dies: the demo, kill and hang, both profiles",
        10,
        outage::run,
    ),
    ("decision", "from the deciding ballot to the route published on all nodes", 30, decision::run),
    ("load", "a node at its limit of DNS queries, then of API connections", 10, load::run),
    (
        "endurance",
        "memory and files over simulated hours of flapping, changes and switchovers",
        24,
        endurance::run,
    ),
];

fn main() -> std::process::ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [play, host, first, count] = &words[..]
        && play == cluster::PLAY_PLANE
    {
        let port = |word: &str| word.parse().expect("a port");
        cluster::play_plane(host, port(first), port(count));
        return std::process::ExitCode::SUCCESS;
    }
    if let Some((crowd::PLAY_CROWD, given)) =
        words.split_first().map(|(first, rest)| (first.as_str(), rest))
    {
        crowd::play(given);
        return std::process::ExitCode::SUCCESS;
    }
    // `cargo bench` adds `--bench`.
    let mut words = words.into_iter().filter(|word| !word.starts_with("--"));
    let name = words.next();
    let rounds = words.next().map(|word| word.parse::<usize>());
    let chosen: Vec<&Bench> =
        BENCHES.iter().filter(|bench| name.as_ref().is_none_or(|name| name == bench.0)).collect();
    if chosen.is_empty() || matches!(rounds, Some(Err(_))) {
        eprintln!("usage: cargo bench --bench bench -- [NAME [ROUNDS]]");
        for (name, what, rounds, _) in BENCHES {
            eprintln!("  {name:10} {what} ({rounds})");
        }
        return std::process::ExitCode::from(2);
    }
    for (name, what, usual, run) in chosen {
        let rounds = rounds.as_ref().and_then(|rounds| rounds.as_ref().ok()).copied();
        println!("=== {name}: {what}");
        run(rounds.unwrap_or(*usual).max(1));
        println!(
            "    measured by: cargo bench --bench bench -- {name} {}",
            rounds.unwrap_or(*usual)
        );
    }
    std::process::ExitCode::SUCCESS
}
