//! A day of flapping in virtual time, with real memory and real files: three kernels of production in this process,
//! each on its own store, audit trail and journal; afterwards real nodes are started on what the day left.

mod life;
mod node;
mod trio;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use biplane::config::{parse_cluster, parse_node};
use biplane::edge::dns::ask_serial;
use biplane::kernel::controller::ConfigRequest;
use biplane::kernel::domain::{GroupName, MemberId};
use tempfile::TempDir;

use super::cluster::{ALWAYS_MOVES, Cluster, LIMIT, NODES, Size, ZONE, block_on};
use super::figure;
use super::process::until;
use life::{Life, RACKS};
use node::{AUDIT_MIB, JOURNAL_MIB, Node, Sizes};
use trio::Trio;

const GROUPS: usize = 24;
const SIZE: Size = Size {
    groups: GROUPS,
    endpoints: RACKS,
    check: "interval = \"5s\"\nfast_interval = \"1s\"\ntimeout = \"1s\"\nfall = 2\nrise = 2",
    policies: &[ALWAYS_MOVES, "mode = \"ask\"\ndwell = \"0s\"", "mode = \"auto\"\ndwell = \"10s\""],
};
/// Changes in a simulated hour, unless told otherwise: 100,000 a day.
const CHANGES_PER_HOUR: u64 = 4_167;
/// Samples of a run: twelve in each quarter.
const SAMPLES: usize = 48;
/// In the last quarter no file may be larger than in the second by more than this, in percent, nor memory in the middle of
/// its values. Snapshots and logs grow and shrink with what is under way when they are taken; whatever grew with each
/// change would be twice as large after twice as many.
const SLACK: u64 = 10;
/// The same for the highest value of memory: what is in passing (a copy of the kernel for the journal, a snapshot of each
/// of three nodes) may or may not coincide.
const SLACK_OF_PEAKS: u64 = 25;
/// From so many changes on everything that is bounded has reached its bound in the first quarter: the largest is the
/// number of outcomes that are kept.
const ENOUGH: u64 = 4 * biplane::kernel::ledger::limits::OUTCOMES_KEPT as u64;
const RESTART_GOAL: Duration = Duration::from_secs(2);

/// What was seen in a 48th of the time.
struct Sample {
    /// KiB, each simulated minute.
    memory: Vec<u64>,
    sizes: Sizes,
}

/// Lives for so many simulated hours.
pub(crate) fn run(hours: usize) {
    let hours = u64::try_from(hours).expect("small");
    let given = std::env::var("BIPLANE_CHANGES").ok().map(|text| text.parse().expect("a number"));
    let changes = given.unwrap_or(hours * CHANGES_PER_HOUR);
    let mut cluster = Cluster::laid_out(SIZE);
    let scratch = scratch();
    let mut trio = trio(&cluster, &scratch, hours);
    let mut life = Life::new(configs(&cluster), GROUPS, cluster.first_endpoint(), trio.now);
    let samples = live(&mut trio, &mut life, hours, changes);
    // What is under way ends.
    life.live(&mut trio, Duration::from_secs(30), changes.saturating_sub(life.done.changes()));
    tell(&trio, &life);
    assert!(life.done.changes() >= changes, "only {} of {changes} changes", life.done.changes());
    bounds(&samples);
    figure::spans(
        "a kernel started from what was on its disk",
        &[trio.slowest_start],
        Some(RESTART_GOAL),
    );
    (0..NODES.len()).for_each(|node| trio.kill(node));
    drop(trio);
    restarts(&mut cluster, &scratch);
    if changes >= ENOUGH {
        flat(&samples);
    } else {
        println!("    too short to say whether it is flat: that takes {ENOUGH} changes");
    }
}

/// In memory where that is possible: what is measured is sizes, and a day has a million writes.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn data_dir(cluster: &Cluster, node: usize) -> std::path::PathBuf {
    let file = cluster.node_file(node);
    parse_node(&file, &std::fs::read_to_string(&file).unwrap()).unwrap().data_dir
}

fn trio(cluster: &Cluster, scratch: &TempDir, hours: u64) -> Trio {
    let text = std::fs::read_to_string(cluster.path().join("cluster.toml")).unwrap();
    let settings = Arc::new(parse_cluster("cluster.toml", &text).unwrap().cluster);
    let nodes = (0..NODES.len()).map(|node| {
        let dir = scratch.path().join(NODES[node]);
        copy(&data_dir(cluster, node), &dir);
        Node::new(MemberId(node as u64 + 1), dir, &settings, &text)
    });
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    Trio::new(nodes.collect(), u64::try_from(wall).unwrap() - hours * 3_600_000)
}

/// Configurations that follow each other: other times, other answers, two groups that come and go.
fn configs(cluster: &Cluster) -> Vec<Arc<ConfigRequest>> {
    let text = std::fs::read_to_string(cluster.path().join("cluster.toml")).unwrap();
    let config = |turn: usize| {
        let mut text =
            text.replace("interval = \"5s\"", &format!("interval = \"{}ms\"", 5_000 + turn * 10));
        text.push_str(&format!("# configuration {turn} of the day\n"));
        for extra in 0..turn % 3 {
            text.push_str(&cluster.group_lines(GROUPS + extra));
        }
        let checked =
            parse_cluster("cluster.toml", &text).unwrap_or_else(|faults| panic!("{faults}"));
        Arc::new(ConfigRequest {
            cluster: Arc::new(checked.cluster),
            text,
            base: None,
            dry_run: false,
            reason: format!("change {turn}"),
        })
    };
    (0..50).map(config).collect()
}

fn live(trio: &mut Trio, life: &mut Life, hours: u64, changes: u64) -> Vec<Sample> {
    let span = Duration::from_secs(hours * 3600) / u32::try_from(SAMPLES).expect("small");
    println!(
        "    hour  memory KiB  store KiB  snapshot KiB  entries  audit KiB  journal KiB  changes"
    );
    let mut samples = Vec::new();
    for place in 1..=SAMPLES {
        let due = changes * place as u64 / SAMPLES as u64;
        life.live(trio, span, due.saturating_sub(life.done.changes()));
        trio.look_at_sizes();
        let (memory, sizes) = trio.take_seen();
        let sample = Sample { memory, sizes };
        let Sizes { store, snapshot, entries, audit, journal } = sample.sizes;
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let hour = (hours as usize * place) as f64 / SAMPLES as f64;
        println!(
            "    {hour:5.2} {:10} {:10} {:13} {entries:8} {:10} {:12} {:8}",
            middle(&sample.memory),
            store >> 10,
            snapshot >> 10,
            audit >> 10,
            journal >> 10,
            life.done.changes()
        );
        samples.push(sample);
    }
    samples
}

fn middle(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

fn tell(trio: &Trio, life: &Life) {
    let kernel = trio.nodes[0].controller().expect("it lives");
    let ledger = kernel.ledger();
    // A group that comes again has an epoch that it never had, far above the number of its moves.
    let stood = |group: usize| {
        let group = GroupName::new(&format!("g{group}")).expect("a good name");
        ledger.routes().get(&group).map_or(0, |route| route.epoch.counter - 1)
    };
    let moves: u64 = (0..GROUPS).map(stood).sum();
    println!("    {:?}", life.done);
    println!(
        "    {} turns of kernels; {} entries; routes of groups that stand changed {moves} times",
        trio.turns,
        ledger.index()
    );
    println!(
        "    kept in the end: {} switchovers, {} texts of configurations, {} tokens, {} asks",
        ledger.switchovers().len(),
        ledger.configs().len(),
        ledger.tokens().len(),
        ledger.asks().len()
    );
}

/// The bounds that have names.
fn bounds(samples: &[Sample]) {
    let most = samples.iter().fold(Sizes::default(), |most, sample| most.or(sample.sizes));
    let entries = biplane::kernel::controller::limits::LOG_ENTRIES
        + biplane::kernel::controller::limits::COMPACTED_ENTRIES
        + usize::try_from(biplane::kernel::consensus::limits::TAIL).expect("small");
    let audit = (AUDIT_MIB << 20) + biplane::edge::audit::limits::SEGMENT_BYTES;
    for (what, size, bound) in [
        ("entries of the log", most.entries, entries as u64),
        ("bytes of the audit trail", most.audit, audit),
        ("bytes of the journal", most.journal, JOURNAL_MIB << 20),
    ] {
        assert!(size <= bound, "{what}: {size}, the bound is {bound}");
        println!("    {what}: at most {size}, bound {bound} held");
    }
}

/// One of the sizes.
type SizeOf = fn(&Sizes) -> u64;

/// The last quarter beside the second one.
fn flat(samples: &[Sample]) {
    let quarter = samples.len() / 4;
    let (second, last) = (&samples[quarter..2 * quarter], &samples[3 * quarter..]);
    let memory = |samples: &[Sample]| -> Vec<u64> {
        samples.iter().flat_map(|sample| sample.memory.iter().copied()).collect()
    };
    let of = |size: SizeOf| {
        let most = |samples: &[Sample]| samples.iter().map(|sample| size(&sample.sizes)).max();
        (most(second).expect("a quarter has some"), most(last).expect("a quarter has some"))
    };
    let (before, after) = (memory(second), memory(last));
    let peak = |values: &[u64]| values.iter().copied().max().expect("a quarter has some");
    let seen = [
        ("memory of three nodes, KiB, in the middle", middle(&before), middle(&after), SLACK),
        ("memory of three nodes, KiB, at the height", peak(&before), peak(&after), SLACK_OF_PEAKS),
    ];
    let sizes: [(&str, SizeOf); 4] = [
        ("store, bytes", |sizes| sizes.store),
        ("snapshot, bytes", |sizes| sizes.snapshot),
        ("audit trail, bytes", |sizes| sizes.audit),
        ("journal, bytes", |sizes| sizes.journal),
    ];
    let sizes = sizes.into_iter().map(|(what, size)| {
        let (before, after) = of(size);
        (what, before, after, SLACK)
    });
    let mut grown = Vec::new();
    for (what, before, after, slack) in seen.into_iter().chain(sizes) {
        let word = if after * 100 <= before * (100 + slack) { "flat" } else { "GROWN" };
        println!("    {what}: second quarter {before}, last quarter {after}: {word}");
        if word != "flat" {
            grown.push(what);
        }
    }
    assert!(grown.is_empty(), "grown: {grown:?}");
}

/// Real nodes on what the day left, on a real disk: each is killed and started again while the others run.
fn restarts(cluster: &mut Cluster, scratch: &TempDir) {
    for (node, name) in NODES.iter().enumerate() {
        let dir = data_dir(cluster, node);
        std::fs::remove_dir_all(&dir).unwrap();
        copy(&scratch.path().join(name), &dir);
    }
    let began = Instant::now();
    (0..2).for_each(|plane| cluster.start_plane(plane));
    (0..NODES.len()).for_each(|node| cluster.start_node(node));
    (0..NODES.len()).for_each(|node| ready(cluster, node));
    figure::spans("three nodes started at once, until all are ready", &[began.elapsed()], None);
    let (mut answers, mut readies) = (Vec::new(), Vec::new());
    for node in 0..NODES.len() {
        cluster.kill_node(node);
        let began = Instant::now();
        cluster.start_node(node);
        until(LIMIT, || block_on(ask_serial(cluster.dns(node), ZONE, Duration::from_secs(1))));
        answers.push(began.elapsed());
        ready(cluster, node);
        readies.push(began.elapsed());
    }
    figure::spans("a node started, until its DNS server answers", &answers, Some(RESTART_GOAL));
    figure::spans("a node started, until it is ready", &readies, Some(RESTART_GOAL));
}

fn ready(cluster: &Cluster, node: usize) {
    until(LIMIT, || cluster.text(node, "/readyz"));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let there = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &there);
        } else {
            std::fs::copy(entry.path(), there).unwrap();
        }
    }
}
