//! A network of namespaces: one for each host, a hub that carries packets between them, and the hub's filter, which is
//! where channels are cut. Everything lies in this process's own mount namespace and ends with it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

/// The hub's namespace.
const HUB: &str = "hub";
/// Where namespaces are mounted.
const PLACE: &str = "/run/netns";

/// A host with a namespace and an address of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Node(usize),
    Plane(usize),
    Gateway,
    Client,
}

impl Host {
    const ALL: [Self; 7] = [
        Self::Node(0),
        Self::Node(1),
        Self::Node(2),
        Self::Plane(0),
        Self::Plane(1),
        Self::Gateway,
        Self::Client,
    ];

    fn number(self) -> u8 {
        match self {
            Self::Node(node) => 1 + u8::try_from(node).expect("three nodes"),
            Self::Plane(plane) => 11 + u8::try_from(plane).expect("two planes"),
            Self::Gateway => 21,
            Self::Client => 31,
        }
    }

    /// Its address. Each host has a network of its own.
    pub(crate) fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.number(), 2)
    }

    fn namespace(self) -> String {
        format!("h{}", self.number())
    }

    /// Where its namespace is mounted.
    fn path(self) -> String {
        format!("{PLACE}/{}", self.namespace())
    }
}

/// What does not pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// From this host; from everywhere if none.
    pub(crate) from: Option<Host>,
    /// To this host.
    pub(crate) to: Option<Host>,
    /// Of connections to this port, in whichever direction; of all if none.
    pub(crate) port: Option<u16>,
    /// So many in a hundred packets.
    pub(crate) percent: u8,
}

impl Cut {
    /// Everything on the way.
    pub(crate) const fn all(from: Option<Host>, to: Option<Host>) -> Self {
        Self { from, to, port: None, percent: 100 }
    }

    fn rules(self, name: &str, text: &mut String) {
        let side = |word: &str, host: Option<Host>| {
            host.map_or_else(String::new, |host| format!("ip {word} {} ", host.address()))
        };
        let ends = side("saddr", self.from) + &side("daddr", self.to);
        let share = if self.percent < 100 {
            format!("numgen random mod 100 < {} ", self.percent)
        } else {
            String::new()
        };
        let mut rule = |port: &str| {
            let _ = writeln!(
                text,
                "add rule inet chaos forward {ends}{port}{share}counter drop comment \"{name}\""
            );
        };
        match self.port {
            None => rule(""),
            Some(port) => {
                rule(&format!("meta l4proto {{ tcp, udp }} th dport {port} "));
                rule(&format!("meta l4proto {{ tcp, udp }} th sport {port} "));
            }
        }
    }
}

/// The hosts, and what is cut between them.
#[derive(Debug, Default)]
pub(crate) struct Network {
    cuts: BTreeMap<usize, Vec<Cut>>,
    /// Packets that each number stopped before the rules were last written anew.
    stopped: BTreeMap<usize, u64>,
}

impl Network {
    /// Makes the namespaces. This process must have a mount namespace of its own.
    pub(crate) fn build() -> Result<Self, String> {
        std::fs::create_dir_all(PLACE).map_err(|error| format!("{PLACE}: {error}"))?;
        run(&["mount", "-t", "tmpfs", "none", PLACE])?;
        // libfaketime leaves things there when its process is killed.
        run(&["mount", "-t", "tmpfs", "none", "/dev/shm"])?;
        run(&["ip", "netns", "add", HUB])?;
        let hub = format!("{PLACE}/{HUB}");
        let inside = |place: &str, words: &[&str]| {
            let net = format!("--net={place}");
            run(&[&["nsenter", &net, "--"], words].concat())
        };
        inside(&hub, &["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])?;
        for host in Host::ALL {
            let (name, number) = (host.namespace(), host.number());
            let (inner, outer) = (host.path(), format!("v{number}"));
            run(&["ip", "netns", "add", &name])?;
            inside(
                &hub,
                &["ip", "link", "add", &outer, "type", "veth", "peer", "eth0", "netns", &name],
            )?;
            inside(&hub, &["ip", "addr", "add", &format!("10.77.{number}.1/24"), "dev", &outer])?;
            inside(&hub, &["ip", "link", "set", &outer, "up"])?;
            inside(&inner, &["ip", "link", "set", "lo", "up"])?;
            inside(&inner, &["ip", "addr", "add", &format!("10.77.{number}.2/24"), "dev", "eth0"])?;
            inside(&inner, &["ip", "link", "set", "eth0", "up"])?;
            let gate = format!("10.77.{number}.1");
            inside(&inner, &["ip", "route", "add", "default", "via", &gate])?;
        }
        Self::filter(
            "add table inet chaos\nadd chain inet chaos forward { type filter hook forward priority 0; policy accept; }\n",
        )?;
        Ok(Self::default())
    }

    /// Puts this thread, and those that it starts, onto a host.
    pub(crate) fn enter(host: Host) -> Result<(), String> {
        let place = File::open(host.path()).map_err(|error| format!("{}: {error}", host.path()))?;
        let kind = Some(rustix::thread::LinkNameSpaceType::Network);
        rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&place), kind)
            .map_err(|error| format!("{}: {error}", host.path()))
    }

    /// A command that runs on a host. It becomes the program: its process id is the program's.
    pub(crate) fn command(host: Host) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", host.path())).arg("--");
        command
    }

    /// A command that runs on the hub.
    pub(crate) fn on_hub() -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={PLACE}/{HUB}")).arg("--");
        command
    }

    /// Cuts, under a number.
    pub(crate) fn cut(&mut self, number: usize, cuts: Vec<Cut>) -> Result<(), String> {
        self.count()?;
        self.cuts.insert(number, cuts);
        self.apply()
    }

    /// Takes the cuts of a number back. Gives how many packets they had stopped.
    pub(crate) fn mend(&mut self, number: usize) -> Result<u64, String> {
        if !self.cuts.contains_key(&number) {
            return Ok(0);
        }
        self.count()?;
        self.cuts.remove(&number);
        self.apply()?;
        Ok(self.stopped.remove(&number).unwrap_or(0))
    }

    /// All rules anew, in one transaction. Their counters begin again, so they are read before.
    fn apply(&self) -> Result<(), String> {
        let mut text = String::from("flush chain inet chaos forward\n");
        for (number, cuts) in &self.cuts {
            for cut in cuts {
                cut.rules(&number.to_string(), &mut text);
            }
        }
        Self::filter(&text)
    }

    fn count(&mut self) -> Result<(), String> {
        let mut command = Self::on_hub();
        command.args(["nft", "list", "chain", "inet", "chaos", "forward"]);
        let listed = command.output().map_err(|error| format!("nft: {error}"))?;
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        for (number, stopped) in text.lines().filter_map(counted) {
            *self.stopped.entry(number).or_default() += stopped;
        }
        Ok(())
    }

    fn filter(text: &str) -> Result<(), String> {
        let mut command = Self::on_hub();
        command.args(["nft", "-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("nft: {error}"))?;
        let mut input = child.stdin.take().expect("it is piped");
        input.write_all(text.as_bytes()).map_err(|error| format!("nft: {error}"))?;
        drop(input);
        let ended = child.wait_with_output().map_err(|error| format!("nft: {error}"))?;
        if ended.status.success() {
            return Ok(());
        }
        Err(format!("nft: {}: {text}", String::from_utf8_lossy(&ended.stderr)))
    }
}

/// The number of a rule, and the packets that it stopped.
fn counted(rule: &str) -> Option<(usize, u64)> {
    let (_, rest) = rule.split_once("counter packets ")?;
    let packets = rest.split(' ').next()?.parse().ok()?;
    let (_, rest) = rule.split_once("comment \"")?;
    Some((rest.split('"').next()?.parse().ok()?, packets))
}

/// Runs a program; its words are the error.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let mut command = Command::new(words[0]);
    let ended = command.args(&words[1..]).output();
    let ended = ended.map_err(|error| format!("{}: {error}", words[0]))?;
    if ended.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", words.join(" "), String::from_utf8_lossy(&ended.stderr).trim()))
}
