//! Child processes of tests: their output by line with a deadline, and a certain end.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The binary under test.
pub(crate) const BIPLANE: &str = env!("CARGO_BIN_EXE_biplane");

/// Looks again and again until it is so; panics with what is missing when the time is over.
pub(crate) fn until<T>(limit: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(missing) if began.elapsed() > limit => panic!("after {limit:?}: {missing}"),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// A child whose output is read. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    lines: Receiver<Line>,
    /// What it said so far, on both streams.
    pub(crate) said: Vec<String>,
    /// What it said on standard output.
    pub(crate) printed: Vec<String>,
}

/// A line, and whether it came from standard output.
type Line = (String, bool);

impl Running {
    /// Starts `biplane ARGS…`, bound to this thread's life.
    pub(crate) fn biplane(args: &[&str]) -> Self {
        let parent = std::process::id().to_string();
        let mut command = Command::new(BIPLANE);
        command.args(args).args(["--parent", &parent]).env_remove("BIPLANE_DIR");
        Self::start(&mut command)
    }

    /// Starts a command and reads its standard output and standard error.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, lines) = channel();
        let out = child.stdout.take().expect("it is piped");
        let err = child.stderr.take().expect("it is piped");
        read(out, true, sender.clone());
        read(err, false, sender);
        Self { child, lines, said: Vec::new(), printed: Vec::new() }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line; none once it has closed its output.
    fn next_line(&mut self, limit: Duration) -> Option<String> {
        match self.lines.recv_timeout(limit) {
            Ok((line, printed)) => {
                self.said.push(line.clone());
                if printed {
                    self.printed.push(line.clone());
                }
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("nothing more within {limit:?}; it said:\n{}", self.said.join("\n"))
            }
        }
    }

    /// Everything that it said until now.
    pub(crate) fn heard(&mut self) -> &[String] {
        while let Ok((line, printed)) = self.lines.try_recv() {
            if printed {
                self.printed.push(line.clone());
            }
            self.said.push(line);
        }
        &self.said
    }

    /// Reads until a line holds this text.
    pub(crate) fn says(&mut self, text: &str, limit: Duration) -> String {
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Some(line) = self.next_line(left) else {
                panic!("it ended without `{text}`; it said:\n{}", self.said.join("\n"));
            };
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Reads everything until it ends by itself.
    pub(crate) fn ended(&mut self, limit: Duration) -> ExitStatus {
        let end = Instant::now() + limit;
        while self.next_line(end.saturating_duration_since(Instant::now())).is_some() {}
        until(limit, || match self.child.try_wait().unwrap() {
            Some(status) => Ok(status),
            None => Err("it does not end".to_owned()),
        })
    }

    /// Whether it says this before it ends.
    pub(crate) fn says_or_ends(&mut self, text: &str, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while let Some(line) = self.next_line(end.saturating_duration_since(Instant::now())) {
            if line.contains(text) {
                return true;
            }
        }
        false
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid =
            i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a child has a pid");
        kill_process(pid, signal).unwrap();
    }

    /// SIGKILL, and waits for the end.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a stream to its end, by line.
fn read(stream: impl Read + Send + 'static, printed: bool, to: Sender<Line>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if to.send((line, printed)).is_err() {
                return;
            }
        }
    });
}

/// Processes that were started with `--parent PID`.
pub(crate) fn children_of(pid: u32) -> Vec<String> {
    let wanted = format!("\0--parent\0{pid}\0");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        // Processes come and go while we look.
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&line).into_owned();
        if line.contains(&wanted) {
            found.push(line.replace('\0', " "));
        }
    }
    found
}
