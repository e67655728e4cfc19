//! A program is told: the message on its standard input, what it is about in its environment.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::process::Command;

use super::Told;

/// A program that was not waited for, and all that it started; killed when this is dropped.
struct Group(Option<Pid>);

impl Group {
    fn kill(&mut self) {
        if let Some(group) = self.0.take() {
            // Gone already is as good.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(super) async fn run(program: &[String], told: &Told) -> Result<(), String> {
    let Some((path, arguments)) = program.split_first() else {
        return Err("no program".to_owned());
    };
    let mut child = Command::new(path)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("BIPLANE_NOTIFY", told.target.as_str())
        .env("BIPLANE_NOTICE", told.id.map(|id| id.to_string()).unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("`{path}` does not start: {error}"))?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let mut group = Group(pid);
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read what it is told may still do its part: its exit says.
        let _ = stdin.write_all(told.body.as_bytes()).await;
        let _ = stdin.write_all(b"\n").await;
    }
    // What it left behind ends with it; where its end cannot be watched, only a timeout kills that.
    if let Some(Ok(ended)) = pid.map(ended)
        && ended.readable().await.is_ok()
    {
        group.kill();
    }
    let status = child.wait().await;
    // From here on the number of its group may be somebody else's.
    group.0 = None;
    let status = status.map_err(|error| format!("`{path}` cannot be waited for: {error}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("`{path}` ended with {status}"))
}

/// Becomes readable when the process ends, and leaves its waiting to us.
#[allow(
    deprecated,
    reason = "its successor is unsafe, for descriptors that others may close; nobody closes this one"
)]
fn ended(process: Pid) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(pidfd_open(process, PidfdFlags::empty())?, Interest::READABLE)
}
