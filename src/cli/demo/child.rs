//! One child process of the demo: this same binary, bound to the life of its parent.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

/// A child carries an order out within this.
const OBEYS_WITHIN: Duration = Duration::from_secs(5);

/// A running child. Dropping it kills it.
///
/// The kernel sends the death signal when the *thread* that started the child ends, so children are started
/// on the main thread only.
#[derive(Debug)]
pub(super) struct Child {
    name: String,
    process: tokio::process::Child,
    /// For children that take orders: where to, and where the echoes come from.
    orders: Option<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
    log: PathBuf,
}

impl Child {
    /// Starts `biplane ARGS…`; what it says goes to the end of `log`.
    pub(super) fn start<I>(name: &str, args: I, log: &Path) -> Result<Self, String>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        Self::spawn(name, args, log, false)
    }

    /// The same, for a child that takes orders on standard input and echoes each when it is carried out.
    pub(super) fn start_obedient<I>(name: &str, args: I, log: &Path) -> Result<Self, String>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        Self::spawn(name, args, log, true)
    }

    fn spawn<I>(name: &str, args: I, log: &Path, obedient: bool) -> Result<Self, String>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        let wrong = |error: std::io::Error| format!("cannot start {name}: {error}");
        let program = std::env::current_exe().map_err(wrong)?;
        let said = OpenOptions::new().create(true).append(true).open(log).map_err(wrong)?;
        let out = if obedient { Stdio::piped() } else { said.try_clone().map_err(wrong)?.into() };
        let mut process = Command::new(program)
            .args(args.into_iter().map(Into::into))
            .arg("--parent")
            .arg(std::process::id().to_string())
            // Ctrl-C on the terminal is for the demo; it ends its children itself.
            .process_group(0)
            .env_remove("BIPLANE_DIR")
            .stdin(if obedient { Stdio::piped() } else { Stdio::null() })
            .stdout(out)
            .stderr(said)
            .kill_on_drop(true)
            .spawn()
            .map_err(wrong)?;
        let orders = match (process.stdin.take(), process.stdout.take()) {
            (Some(input), Some(output)) => Some((input, BufReader::new(output).lines())),
            _ => None,
        };
        Ok(Self { name: name.to_owned(), process, orders, log: log.to_owned() })
    }

    /// Waits until the child says this line.
    pub(super) async fn hears(&mut self, line: &str) -> Result<(), String> {
        let Some((_, echoes)) = &mut self.orders else {
            return Err(format!("{} takes no orders", self.name));
        };
        match tokio::time::timeout(OBEYS_WITHIN, echoes.next_line()).await {
            Ok(Ok(Some(said))) if said == line => Ok(()),
            Ok(Ok(Some(said))) => Err(format!("{} said `{said}` instead of `{line}`", self.name)),
            Ok(_) => Err(format!("{} ended: see {}", self.name, self.log.display())),
            Err(_) => Err(format!("{} does not say `{line}`", self.name)),
        }
    }

    /// Gives an order and waits until it is carried out.
    pub(super) async fn order(&mut self, line: &str) -> Result<(), String> {
        if let Some((input, _)) = &mut self.orders {
            let sent = input.write_all(format!("{line}\n").as_bytes()).await;
            sent.map_err(|error| format!("{} takes no orders: {error}", self.name))?;
        }
        self.hears(line).await
    }

    fn signal(&self, signal: Signal) -> Result<(), String> {
        let pid = self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| format!("{} has ended", self.name))?;
        kill_process(pid, signal).map_err(|error| format!("cannot signal {}: {error}", self.name))
    }

    /// SIGKILL.
    pub(super) fn kill(&self) -> Result<(), String> {
        self.signal(Signal::KILL)
    }

    /// SIGSTOP.
    pub(super) fn stop(&self) -> Result<(), String> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT.
    pub(super) fn go_on(&self) -> Result<(), String> {
        self.signal(Signal::CONT)
    }

    /// Waits for the end of a child that was killed.
    pub(super) async fn buried(&mut self) -> Result<(), String> {
        match tokio::time::timeout(OBEYS_WITHIN, self.process.wait()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("cannot wait for {}: {error}", self.name)),
            Err(_) => Err(format!("{} does not end", self.name)),
        }
    }

    /// An error if it has ended by itself, with what it said last.
    pub(super) fn alive(&mut self) -> Result<(), String> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                let last = last_line(&self.log).unwrap_or_default();
                Err(format!(
                    "{} has ended ({status}): {last} (see {})",
                    self.name,
                    self.log.display()
                ))
            }
            Err(error) => Err(format!("{}: {error}", self.name)),
        }
    }
}

fn last_line(log: &Path) -> Option<String> {
    let text = std::fs::read(log).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned)
}

/// Words as arguments.
pub(super) fn args<const N: usize>(words: [&dyn AsRef<OsStr>; N]) -> Vec<OsString> {
    words.iter().map(|word| word.as_ref().to_owned()).collect()
}
