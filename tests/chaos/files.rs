//! The files of a run: the cluster file, what `biplane init` makes of it, what planes need.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use biplane::edge::identity::Authority;

use super::network::Host;

/// The nodes, in order.
pub(crate) const NODES: [&str; 3] = ["a", "b", "c"];
/// The planes, in order.
pub(crate) const PLANES: [&str; 2] = ["east", "west"];
/// The groups, each with its services and the port at which the gateway serves it.
pub(crate) const GROUPS: [(&str, &[&str], u16); 2] =
    [("shop", &["web", "cart"], 8001), ("mail", &["post"], 8002)];
/// The zone of all names.
const ZONE: &str = "chaos.test";
/// Ports, the same on every host.
pub(crate) const MEMBER: u16 = 7410;
pub(crate) const API: u16 = 7400;
pub(crate) const DNS: u16 = 53;

/// The name that a group's users resolve.
pub(crate) fn name(group: usize) -> String {
    format!("{}.{ZONE}", GROUPS[group].0)
}

/// What is answered for a group's name while it is on this plane.
pub(crate) fn address(plane: usize) -> [u8; 4] {
    Host::Plane(plane).address().octets()
}

/// Where the endpoints of a service are, on every plane.
fn port(service: &str) -> u16 {
    let all = GROUPS.iter().flat_map(|group| group.1);
    9_001 + u16::try_from(all.take_while(|name| **name != service).count()).expect("few services")
}

/// Where everything of a run lies.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// The run's directory.
    pub(crate) dir: PathBuf,
}

impl Files {
    /// Makes the cluster's files with `biplane init`.
    pub(crate) fn make(dir: &Path, biplane: &Path) -> Result<Self, String> {
        let files = Self { dir: dir.to_owned() };
        let given = dir.join("given.toml");
        write(&given, &cluster_file())?;
        let mut init = Command::new(biplane);
        init.arg("init").arg(files.cluster()).arg("--cluster-file").arg(&given);
        let made = init.output().map_err(|error| format!("{}: {error}", biplane.display()))?;
        if !made.status.success() {
            return Err(format!("init: {}", String::from_utf8_lossy(&made.stderr)));
        }
        Ok(files)
    }

    /// What `init` made.
    pub(crate) fn cluster(&self) -> PathBuf {
        self.dir.join("cluster")
    }

    /// A node's directory.
    pub(crate) fn node(&self, node: usize) -> PathBuf {
        self.cluster().join(NODES[node])
    }

    /// A node's data.
    pub(crate) fn data(&self, node: usize) -> PathBuf {
        self.node(node).join("data")
    }

    /// What a process said, in all its lives.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.log"))
    }

    /// Puts a certificate that ended yesterday into the place of a node's own.
    pub(crate) fn end_certificate(&self, node: usize) -> Result<(), String> {
        let read = |path: PathBuf| {
            std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let (own, cluster) = (self.node(node), self.cluster());
        let authority =
            Authority::open(&read(cluster.join("ca.crt"))?, &read(cluster.join("ca.key"))?);
        let authority = authority.map_err(|error| error.to_string())?;
        let address = [Host::Node(node).address().into()];
        // The first moment of a day that is over wherever this runs.
        let issued = authority.issue_member("chaos", NODES[node], &address, (2024, 1, 1));
        let issued = issued.map_err(|error| error.to_string())?;
        for (file, text) in [("member.crt", issued.certificate), ("member.key", issued.key)] {
            let good = own.join(format!("{file}.good"));
            std::fs::rename(own.join(file), &good).map_err(|error| error.to_string())?;
            write(&own.join(file), &text)?;
        }
        Ok(())
    }

    /// Puts the node's own back.
    pub(crate) fn mend_certificate(&self, node: usize) -> Result<(), String> {
        let own = self.node(node);
        ["member.crt", "member.key"].iter().try_for_each(|file| {
            let good = own.join(format!("{file}.good"));
            std::fs::rename(&good, own.join(file)).map_err(|error| error.to_string())
        })
    }

    /// The settings of a plane's nginx: one process, so that one signal reaches all of it.
    pub(crate) fn nginx(&self, plane: usize) -> Result<PathBuf, String> {
        let (name, address) = (PLANES[plane], Host::Plane(plane).address());
        let home = self.dir.join(format!("nginx-{name}"));
        std::fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
        let path = |file: &str| home.join(file).display().to_string();
        let mut text = format!(
            "daemon off;\nmaster_process off;\npid {};\nerror_log {} warn;\nevents {{}}\nhttp {{\naccess_log off;\n",
            path("pid"),
            path("error.log"),
        );
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            let _ = writeln!(text, "{kind}_temp_path {};", path(kind));
        }
        for service in GROUPS.iter().flat_map(|group| group.1) {
            let _ = writeln!(
                text,
                "server {{ listen {address}:{}; location / {{ add_header X-Plane {name} always; return 200 \"{name}\\n\"; }} }}",
                port(service)
            );
        }
        text.push_str("}\n");
        let file = home.join("nginx.conf");
        write(&file, &text)?;
        Ok(file)
    }
}

/// Three sites; groups that move by themselves; eager checks, and guards that never hold for long.
fn cluster_file() -> String {
    let mut text = String::from("cluster = \"chaos\"\n");
    for plane in PLANES {
        let _ = writeln!(text, "[planes.{plane}]\nsite = \"{plane}\"");
    }
    for (node, (name, site)) in NODES.iter().zip(["east", "west", "third"]).enumerate() {
        let (id, host) = (node + 1, Host::Node(node).address());
        let _ = writeln!(
            text,
            "[members.{name}]\nid = {id}\nsite = \"{site}\"\nmember = \"{host}:{MEMBER}\"\napi = \"{host}:{API}\"\ndns = \"{host}:{DNS}\""
        );
    }
    let both = |service: &str| {
        let of = |plane| format!("{}:{}", Host::Plane(plane).address(), port(service));
        format!("{{ east = \"{}\", west = \"{}\" }}", of(0), of(1))
    };
    let _ = writeln!(
        text,
        "[zones.\"{ZONE}\"]\nttl = 1\nname_servers = {{ \"ns.{ZONE}\" = [\"{}\"] }}",
        Host::Node(0).address()
    );
    for (group, (name_of, services, front_door)) in GROUPS.iter().enumerate() {
        for service in *services {
            let _ = writeln!(
                text,
                "[services.{service}]\nendpoints = {}\n[services.{service}.checks.page]\nkind = \"http\"\npath = \"/\"\n\
                 interval = \"300ms\"\nfast_interval = \"150ms\"\ntimeout = \"500ms\"\nfall = 3\nrise = 2",
                both(service)
            );
        }
        let _ = writeln!(
            text,
            "[groups.{name_of}]\nservices = {services:?}\nmode = \"auto\"\ndwell = \"0s\"\n\
             budget = {{ switches = 1000, window = \"1h\" }}\nflap_limit = {{ downs = 50, window = \"1s\" }}\n\
             [routes.{name_of}]\ngroup = \"{name_of}\"\nupstream = {}\nfront_door = \"{}:{front_door}\"\n\
             [zones.\"{ZONE}\".names.\"{}\"]\ngroup = \"{name_of}\"\neast = [\"{}\"]\nwest = [\"{}\"]",
            both(services[0]),
            Host::Gateway.address(),
            name(group),
            Host::Plane(0).address(),
            Host::Plane(1).address(),
        );
    }
    text.push_str(
        "[timing]\ntick = \"10ms\"\nheartbeat = \"50ms\"\nelection_min = \"300ms\"\nelection_max = \"600ms\"\n\
         observer_silence = \"1500ms\"\nreference_interval = \"500ms\"\nverify_timeout = \"3s\"\nrequest_timeout = \"2s\"\n",
    );
    text
}

/// Writes a file.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
