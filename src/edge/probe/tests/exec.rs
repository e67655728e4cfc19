//! Checks of kind `exec`: real programs, in directories that are allowed and in others.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::limits;
use super::*;
use crate::kernel::domain::ExecProbe;

/// The shell's own directory, so that a test may write what it wants as an argument.
fn shells() -> PathBuf {
    let shell = std::fs::canonicalize("/bin/sh").expect("there is a shell");
    shell.parent().expect("it lies somewhere").to_owned()
}

fn probing_in(dir: &Path) -> Probing {
    let settings = ProbeSettings { exec: vec![dir.to_owned()], ..ProbeSettings::default() };
    probing_by(settings, &[], RootCertStore::empty())
}

fn shell(script: &str) -> ProbeKind {
    let args = vec!["-c".to_owned(), script.to_owned(), "check".to_owned()];
    ProbeKind::Exec(ExecProbe { program: "/bin/sh".to_owned(), args })
}

impl Probing {
    async fn run_for(&mut self, timeout: Duration, kind: ProbeKind) -> Result<(), ProbeFault> {
        let endpoint = Endpoint { host: "plane.test".to_owned(), port: 8443 };
        let target = Arc::new(ProbeTarget { endpoint, kind, timeout });
        self.runner.start(ProbeOrder { id: ProbeId(7), target });
        self.result().await.outcome
    }

    /// With time enough on a busy machine.
    async fn run(&mut self, script: &str) -> Result<(), ProbeFault> {
        self.run_for(Duration::from_secs(20), shell(script)).await
    }
}

/// Whether a process lives, and is not only waiting to be waited for.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim();
    !state.is_empty() && !state.starts_with('Z') && !state.starts_with('X')
}

/// The processes that wrote their numbers into a file, once so many are there.
async fn pids_in(file: &Path, count: usize) -> Vec<String> {
    let mut beat = tokio::time::interval(Duration::from_millis(5));
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < Duration::from_secs(20), "nobody wrote into {}", file.display());
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let pids: Vec<String> = text.lines().map(str::to_owned).collect();
        if pids.len() >= count && text.ends_with('\n') {
            return pids;
        }
        beat.tick().await;
    }
}

async fn all_end(pids: &[String]) {
    let gone = async {
        let mut beat = tokio::time::interval(Duration::from_millis(5));
        while pids.iter().any(|pid| lives(pid)) {
            beat.tick().await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(10), gone).await;
    assert!(ended.is_ok(), "some of {pids:?} live on");
}

#[tokio::test]
async fn exit_status_zero_passes_and_another_one_comes_with_its_words() {
    let mut probing = probing_in(&shells());
    assert_eq!(probing.run("exit 0").await, Ok(()));
    assert_eq!(wrong(probing.run("exit 3").await), "exit status 3");
    let both = "echo lag is 70 s; echo too slow >&2; exit 2";
    assert_eq!(wrong(probing.run(both).await), "exit status 2: too slow");
    let out = "printf 'lag is\\033[31m 70 s\\n'; exit 1";
    assert_eq!(wrong(probing.run(out).await), "exit status 1: lag is [31m 70 s");
    assert_eq!(wrong(probing.run("kill -TERM $$").await), "killed by signal 15");
}

#[tokio::test]
async fn a_program_is_told_its_endpoint_and_sees_nothing_else_of_the_node() {
    let mut probing = probing_in(&shells());
    let script = "test -z \"$CARGO_MANIFEST_DIR$HOME\" || exit 9; \
                  echo $BIPLANE_HOST $BIPLANE_PORT $BIPLANE_TIMEOUT_MS $PATH $0 $(pwd) $(cat); exit 1";
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let seen = wrong(probing.run(script).await);
    assert_eq!(seen, format!("exit status 1: plane.test 8443 20000 {path} check /"));
}

#[tokio::test]
async fn only_programs_in_allowed_directories_run() {
    let dir = TempDir::new().expect("a directory");
    let allowed = dir.path().join("checks");
    std::fs::create_dir(&allowed).expect("creates");
    let mark = dir.path().join("mark");
    let program = |name: &str| {
        let path = allowed.join(name).display().to_string();
        ProbeKind::Exec(ExecProbe { program: path, args: vec!["x".to_owned()] })
    };
    let mut none = probing_by(ProbeSettings::default(), &[], RootCertStore::empty());
    let refused = none.run("echo > /dev/full").await;
    let Err(ProbeFault::NotProbed(why)) = refused else { panic!("{refused:?}") };
    assert!(why.starts_with("exec checks are not allowed on this node"), "{why}");

    let mut probing = probing_in(&allowed);
    let script = format!("echo ran > {}", mark.display());
    let elsewhere = probing.run(&script).await;
    let Err(ProbeFault::NotProbed(why)) = elsewhere else { panic!("{elsewhere:?}") };
    assert!(why.contains("may not run on this node: it is in no directory of `exec`"), "{why}");
    // A link does not lead out of the directory, nor does a name that begins alike.
    std::os::unix::fs::symlink("/bin/sh", allowed.join("link")).expect("links");
    let beside = dir.path().join("checks-of-others");
    std::fs::create_dir(&beside).expect("creates");
    std::fs::copy("/bin/true", beside.join("true")).expect("copies");
    std::os::unix::fs::symlink(beside.join("true"), allowed.join("beside")).expect("links");
    for name in ["link", "beside"] {
        let outcome = probing.run_for(TIMEOUT, program(name)).await;
        assert!(matches!(outcome, Err(ProbeFault::NotProbed(_))), "{name}: {outcome:?}");
    }
    assert!(!mark.exists(), "it did not run");

    for name in ["missing", "."] {
        let outcome = probing.run_for(TIMEOUT, program(name)).await;
        let Err(ProbeFault::NotProbed(why)) = outcome else { panic!("{name}: {outcome:?}") };
        assert!(why.starts_with("cannot run "), "{why}");
    }
    std::fs::write(allowed.join("text"), "no program").expect("writes");
    let outcome = probing.run_for(TIMEOUT, program("text")).await;
    assert!(matches!(outcome, Err(ProbeFault::NotProbed(_))), "{outcome:?}");
    let inside = allowed.join("true");
    std::fs::copy("/bin/true", &inside).expect("copies");
    std::fs::set_permissions(&inside, std::fs::Permissions::from_mode(0o755)).expect("permits");
    assert_eq!(probing.run_for(Duration::from_secs(20), program("true")).await, Ok(()));
}

/// Starts a child and a grandchild; all three write their numbers into `file` and stay.
fn family(file: &Path) -> String {
    let file = file.display();
    format!(
        "trap '' TERM HUP INT; (trap '' TERM HUP INT; \
         sh -c 'trap \"\" TERM HUP INT; echo $$ >> {file}; sleep 600' & \
         sh -c 'echo $PPID' >> {file}; sleep 600) & echo $$ >> {file}; sleep 600"
    )
}

#[tokio::test]
async fn at_the_timeout_children_and_grandchildren_die_too() {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("pids");
    let mut probing = probing_in(&shells());
    let outcome = probing.run_for(Duration::from_secs(2), shell(&family(&file))).await;
    assert_eq!(outcome, Err(ProbeFault::TimedOut));
    let pids = pids_in(&file, 3).await;
    assert_eq!(pids.len(), 3, "{pids:?}");
    all_end(&pids).await;
}

#[tokio::test]
async fn dropping_the_runner_kills_the_group() {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("pids");
    let probing = probing_in(&shells());
    let endpoint = Endpoint { host: "plane.test".to_owned(), port: 8443 };
    let kind = shell(&family(&file));
    let target = Arc::new(ProbeTarget { endpoint, kind, timeout: Duration::from_secs(600) });
    probing.runner.start(ProbeOrder { id: ProbeId(7), target });
    let pids = pids_in(&file, 3).await;
    assert!(pids.iter().all(|pid| lives(pid)), "{pids:?}");
    drop(probing);
    all_end(&pids).await;
}

#[tokio::test]
async fn what_a_program_leaves_behind_ends_with_it() {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("pids");
    let mut probing = probing_in(&shells());
    let script = format!(
        "sh -c 'echo $$ >> {}; exec sleep 600' & wait_for() {{ test -s {0}; }}; \
                          until wait_for; do :; done; exit 4",
        file.display()
    );
    assert_eq!(wrong(probing.run(&script).await), "exit status 4");
    all_end(&pids_in(&file, 1).await).await;
}

#[tokio::test]
async fn a_flood_of_output_is_bounded_and_ends_the_program() {
    let mut probing = probing_in(&shells());
    let flood = "yes that everything is fine";
    let said = wrong(probing.run(flood).await);
    assert_eq!(said, "it wrote more than 64 KiB, and was killed");
    let said = wrong(probing.run("yes >&2").await);
    assert_eq!(said, "it wrote more than 64 KiB, and was killed");
    // At the limit, and one byte beyond it.
    let bytes = |count: usize| format!("head -c {count} /dev/zero");
    assert_eq!(probing.run(&bytes(limits::PROGRAM_BYTES)).await, Ok(()));
    let words = wrong(probing.run("printf '%0500d' 7; exit 1").await);
    assert_eq!(words.chars().count(), limits::FAULT_CHARS + 1, "{words}");
    let beyond = bytes(limits::PROGRAM_BYTES + 1);
    assert_eq!(wrong(probing.run(&beyond).await), "it wrote more than 64 KiB, and was killed");
}

#[tokio::test]
async fn so_many_bytes_of_its_words_are_kept_and_no_further_one() {
    let mut probing = probing_in(&shells());
    // Two bytes each, so that no bound of characters cuts them.
    let whole = "ä".repeat(limits::PROGRAM_WORDS / 2);
    for words in [whole.clone(), format!("{whole}x")] {
        let said = wrong(probing.run(&format!("printf %s {words} >&2; exit 1")).await);
        assert_eq!(said, format!("exit status 1: {whole}"));
    }
}

#[tokio::test]
async fn a_program_beyond_the_limit_is_not_started() {
    let dir = TempDir::new().expect("a directory");
    let gate = dir.path().join("gate");
    let made = std::process::Command::new("mkfifo").arg(&gate).status().expect("mkfifo is there");
    assert!(made.success());
    let mut probing = probing_in(&shells());
    // Each waits until somebody opens the other end.
    let kind = shell(&format!("read line < {}", gate.display()));
    let start = |probing: &Probing| {
        let endpoint = Endpoint { host: "plane.test".to_owned(), port: 8443 };
        let (kind, timeout) = (kind.clone(), Duration::from_secs(60));
        let target = Arc::new(ProbeTarget { endpoint, kind, timeout });
        probing.runner.start(ProbeOrder { id: ProbeId(7), target });
    };
    for _ in 0..limits::PROGRAMS {
        start(&probing);
    }
    // These are first in the queue of the one thread of this test, so all hold their place by now.
    tokio::task::yield_now().await;
    start(&probing);
    let outcome = probing.result().await.outcome;
    let Err(ProbeFault::NotProbed(why)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(why, format!("{} programs run on this node already", limits::PROGRAMS));
    let opened = std::thread::spawn(move || {
        use std::io::Write as _;
        let mut gate = std::fs::File::options().read(true).write(true).open(gate).expect("opens");
        gate.write_all(&[b'\n'; 2 * limits::PROGRAMS]).expect("writes");
        // As long as it is open, who comes late finds a line too.
        gate
    });
    for _ in 0..limits::PROGRAMS {
        assert_eq!(probing.result().await.outcome, Ok(()));
    }
    drop(opened.join());
}
