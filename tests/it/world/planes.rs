//! Planes for the tests: nginx where it is installed, the demo's own plane elsewhere.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Once;

use rustix::process::{Pid, Signal, kill_process};

use super::LIMIT;
use crate::process::{BIPLANE, until};

/// The planes, in the order of the cluster file.
pub(crate) const PLANES: [&str; 2] = ["east", "west"];
/// Index of the first.
pub(crate) const EAST: usize = 0;
/// Index of the second.
pub(crate) const WEST: usize = 1;

/// Services of a plane, in one process.
#[derive(Debug)]
pub(super) struct Plane {
    child: Child,
}

impl Plane {
    pub(super) fn start(plane: usize, addresses: [SocketAddr; 3], dir: &Path) -> Self {
        let mut command = if has_nginx() {
            nginx(plane, addresses, dir)
        } else {
            static SAID: Once = Once::new();
            SAID.call_once(|| println!("SKIPPED: planes of nginx (nginx is missing)"));
            demo_plane(plane, addresses)
        };
        // A pipe keeps the demo's plane alive; nginx does not care.
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        for address in addresses {
            until(LIMIT, || TcpStream::connect(address).map_err(|e| format!("{address}: {e}")));
        }
        Self { child }
    }

    pub(super) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, signal).unwrap();
    }

    pub(super) fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether Debian's nginx is there.
fn has_nginx() -> bool {
    Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// One process, so that one signal reaches all of it.
fn nginx(plane: usize, addresses: [SocketAddr; 3], dir: &Path) -> Command {
    let name = PLANES[plane];
    let home = dir.join(format!("nginx-{name}"));
    std::fs::create_dir_all(&home).unwrap();
    let path = |file: &str| home.join(file).display().to_string();
    let mut servers = String::new();
    for address in addresses {
        servers.push_str(&format!(
            "server {{ listen {address}; location / {{ add_header X-Plane {name} always; return 200 \"{name}\\n\"; }} }}\n"
        ));
    }
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {};\n", path(kind)))
        .concat();
    let text = format!(
        "daemon off;\nmaster_process off;\npid {};\nerror_log {} warn;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}{servers}}}\n",
        path("pid"),
        path("error.log"),
    );
    let file = home.join("nginx.conf");
    std::fs::File::create(&file).unwrap().write_all(text.as_bytes()).unwrap();
    // Ends with the thread that started it, also when the tests are killed.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "nginx", "-c"]).arg(file).arg("-e").arg(path("error.log"));
    command
}

fn demo_plane(plane: usize, addresses: [SocketAddr; 3]) -> Command {
    let mut command = Command::new(BIPLANE);
    command.args(["demo-plane", "--name", PLANES[plane]]);
    command.args(["--parent", &std::process::id().to_string()]);
    for (service, address) in ["web", "cart", "pay"].iter().zip(addresses) {
        command.args(["--service", &format!("{service}={address}")]);
    }
    command
}
