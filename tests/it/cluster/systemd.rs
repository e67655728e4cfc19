//! The unit of `config/` under a real systemd, put in place by the commands of the guide.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::getuid;

use super::super::process::{BIPLANE, Running, until};
use super::super::world::{LIMIT, World};
use super::alone;

/// The unit's WatchdogSec, RestartSec, and what a start takes.
const HANGS: Duration = Duration::from_secs(60);

/// systemd as process 1 of namespaces of its own.
struct Machine {
    _unshare: Running,
    /// Its process 1, as seen from here.
    one: String,
    _dir: tempfile::TempDir,
}

impl Machine {
    /// Boots with these files in its /root.
    fn boot(files: &[&Path]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("seed/root");
        std::fs::create_dir_all(&root).unwrap();
        std::fs::create_dir(dir.path().join("over")).unwrap();
        for file in files {
            let copied = Command::new("cp").arg("-a").arg(file).arg(&root).status().unwrap();
            assert!(copied.success(), "{}", file.display());
        }
        let boot = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/systemd/boot.sh");
        let mut command = Command::new("unshare");
        command.args(["--fork", "--kill-child", "--pid", "--mount", "--cgroup", "--uts", "--ipc"]);
        command.args(["--propagation", "private", "sh"]).arg(boot).arg(dir.path()).arg(BIPLANE);
        let unshare = Running::start(&mut command);
        let pid = unshare.pid();
        let one = until(LIMIT, || {
            let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
            let one = children.unwrap_or_default().trim().to_owned();
            let name = std::fs::read_to_string(format!("/proc/{one}/comm")).unwrap_or_default();
            if name.trim() == "systemd" { Ok(one) } else { Err(format!("{one}: {name}")) }
        });
        let machine = Self { _unshare: unshare, one, _dir: dir };
        until(LIMIT, || machine.does("systemctl is-system-running"));
        machine
    }

    /// A script inside: what it printed.
    fn does(&self, script: &str) -> Result<String, String> {
        let cannot = |error: std::io::Error| error.to_string();
        let ended = Command::new("nsenter")
            .args(["-t", &self.one, "-m", "-p", "-C", "-r", "-w", "sh", "-ec", script])
            .output()
            .map_err(cannot)?;
        let said = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
        if ended.status.success() {
            return Ok(said);
        }
        Err(format!("{script}: {said} {}", String::from_utf8_lossy(&ended.stderr)))
    }

    fn shows(&self, property: &str) -> String {
        self.does(&format!("systemctl show -p {property} --value biplane-node")).unwrap()
    }
}

/// The commands that the guide gives.
fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/first-cluster.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once("### Under systemd").expect("the guide has the section");
    let (section, _) = section.split_once("\n## ").expect("and others after it");
    let commands: Vec<&str> =
        section.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert!(commands.len() > 5, "{commands:?}");
    commands.join("\n")
}

fn can() -> bool {
    let runs = |script: &str| Command::new("sh").args(["-c", script]).status().unwrap().success();
    std::env::var_os("BIPLANE_SYSTEMD").is_some()
        && getuid().is_root()
        && runs("test -x /lib/systemd/systemd && command -v unshare nsenter useradd >/dev/null")
        && runs("grep -q overlay /proc/filesystems")
}

#[test]
fn the_unit_runs_a_member_that_may_write_its_data_only_and_is_started_anew_when_it_hangs() {
    if !can() {
        println!(
            "SKIPPED: the unit under systemd (wants root and BIPLANE_SYSTEMD; tests/run --all)"
        );
        return;
    }
    let _turn = alone();
    let mut world = World::steady();
    world.kill_node(0);
    let prod = tempfile::tempdir().unwrap();
    let prod = prod.path().join("prod");
    let copied = Command::new("cp").arg("-a").arg(world.cluster_dir()).arg(&prod).status().unwrap();
    assert!(copied.success());
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/biplane-node.service");
    let machine = Machine::boot(&[&prod, &unit]);
    machine.does(&format!("cd /root\n{}", guide())).unwrap();
    assert_eq!(machine.shows("ActiveState"), "active", "start returns when it serves");
    let present = |many: usize| {
        until(LIMIT, || {
            let status = world.api_of(1).get("/v1/status")?;
            let lost = status["members"].to_string().matches("\"lost\"").count();
            if lost == 3 - many { Ok(()) } else { Err(status["members"].to_string()) }
        });
    };
    present(3);
    let main = machine.shows("MainPID");
    let status = machine.does(&format!("cat /proc/{main}/status")).unwrap();
    let has = |line: &str| status.lines().any(|has| has.split_whitespace().eq(line.split(' ')));
    let user = machine.does("id -u biplane").unwrap();
    assert!(has(&format!("Uid: {user} {user} {user} {user}")), "{status}");
    assert!(has("NoNewPrivs: 1") && has("Seccomp: 2"), "{status}");
    assert!(has("CapBnd: 0000000000000400"), "only ports below 1024: {status}");
    // In what the process sees, not even root may write anywhere else.
    let may_write =
        |dir: &str| machine.does(&format!("nsenter -t {main} -m test -w {dir}")).is_ok();
    assert!(may_write("/var/lib/biplane") && !may_write("/etc/biplane") && !may_write("/var/lib"));

    // What stands still is killed and started anew.
    machine.does(&format!("kill -STOP {main}")).unwrap();
    until(HANGS, || match (machine.shows("NRestarts").as_str(), machine.shows("ActiveState")) {
        ("1", state) if state == "active" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_ne!(machine.shows("MainPID"), main);
    present(3);

    machine.does("systemctl stop biplane-node").unwrap();
    assert_eq!(machine.shows("Result"), "success");
    present(2);
}
