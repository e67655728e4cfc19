//! The local files: `node.toml`, `gateway.toml`, `client.toml`. Relative paths are relative to the file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fault::Faults;
use super::limits;
use super::reader::{Reader, Section};
use super::taken::Taken;
use crate::kernel::domain::{GatewayName, MemberName, NotifyName, ServiceName};

/// How a process logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Whether lines are JSON.
    pub json: bool,
    /// A filter, for example `info` or `info,biplane::edge=debug`.
    pub filter: String,
}

/// `node.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSettings {
    /// Which member of the cluster file this is.
    pub member: MemberName,
    /// The cluster file.
    pub cluster: PathBuf,
    /// Where the store lies.
    pub data_dir: PathBuf,
    /// The cluster's authority.
    pub ca: PathBuf,
    /// This member's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The hashes of tokens.
    pub tokens: PathBuf,
    /// Where to listen for members; the cluster file's address when absent.
    pub member_listen: Option<SocketAddr>,
    /// Where to listen for clients.
    pub api_listen: Option<SocketAddr>,
    /// Where to answer DNS.
    pub dns_listen: Option<SocketAddr>,
    /// Threads that answer DNS over UDP.
    pub dns_threads: usize,
    /// What this node alone knows of those who are told of alarms.
    pub notify: BTreeMap<NotifyName, LocalNotify>,
    /// MiB that the audit trail may take; 0 for none.
    pub audit_mib: u64,
    /// MiB that the journal of its kernel's inputs may take; 0 for none.
    pub journal_mib: u64,
    /// Directories from which checks may run programs; none: no program runs.
    pub exec: Vec<PathBuf>,
    /// How it logs.
    pub log: LogSettings,
}

/// `observer.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObserverSettings {
    /// Which observer of the cluster file this is.
    pub observer: MemberName,
    /// The cluster file: where the members are.
    pub cluster: PathBuf,
    /// Where it keeps its incarnation.
    pub data_dir: PathBuf,
    /// The cluster's authority.
    pub ca: PathBuf,
    /// Its certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Directories from which checks may run programs; none: no program runs.
    pub exec: Vec<PathBuf>,
    /// How it logs.
    pub log: LogSettings,
}

/// What one node knows of somebody who is told of alarms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalNotify {
    /// The file with the secret that signs.
    pub secret: Option<PathBuf>,
    /// The authority of a webhook's certificate; the system's when absent.
    pub ca: Option<PathBuf>,
    /// The program and its arguments.
    pub program: Vec<String>,
}

/// One listener of a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayListen {
    /// Where.
    pub address: SocketAddr,
    /// Which route of the cluster file it carries.
    pub route: ServiceName,
}

/// `gateway.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewaySettings {
    /// Its name.
    pub name: GatewayName,
    /// The controllers' API addresses.
    pub controllers: Vec<SocketAddr>,
    /// The cluster's authority.
    pub ca: PathBuf,
    /// A file that holds a token.
    pub token: PathBuf,
    /// What it carries.
    pub listen: Vec<GatewayListen>,
    /// Where it tells of itself.
    pub admin: SocketAddr,
    /// It tries the other plane after this long.
    pub connect_timeout: Duration,
    /// How it logs.
    pub log: LogSettings,
}

/// `client.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// The controllers' API addresses.
    pub controllers: Vec<SocketAddr>,
    /// The cluster's authority.
    pub ca: PathBuf,
    /// How it says who it is.
    pub credential: Credential,
}

/// How a client says who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A file that holds a token.
    Token(PathBuf),
    /// A certificate of the cluster's authority, and its key.
    Certificate(PathBuf, PathBuf),
}

/// Where a gateway tells of itself if its file names no place.
const GATEWAY_ADMIN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7460);

/// Reads `node.toml`. `file` is its name in faults, and its directory is where relative paths start.
pub fn parse_node(file: &Path, text: &str) -> Result<NodeSettings, Faults> {
    let at = |section: &Section<'_>, key, write| path(file, section, key, write);
    Reader::read(&file.display().to_string(), text, |top| {
        let member = top.parsed("member", "the member's name in the cluster file", MemberName::new);
        let cluster = at(top, "cluster", "the path of cluster.toml");
        let data_dir = at(top, "data_dir", "the path of a directory");
        let ca = at(top, "ca", "the path of ca.crt");
        let certificate = at(top, "certificate", "the path of the member's certificate");
        let key = at(top, "key", "the path of the member's key");
        let tokens = at(top, "tokens", "the path of the file with hashed tokens");
        let listen = |key| top.parsed_or_none(key, "ADDRESS:PORT", super::cluster::socket);
        let (member_listen, api_listen) = (listen("member_listen"), listen("api_listen"));
        let dns_listen = listen("dns_listen");
        let mut taken = Taken::on_one_host();
        for (key, address) in [
            ("member_listen", member_listen),
            ("api_listen", api_listen),
            ("dns_listen", dns_listen),
        ] {
            address.into_iter().for_each(|address| taken.take(top, key, "", address));
        }
        let threads = top.number("dns_threads", &limits::DNS_THREADS);
        let notify = read_notify(file, top);
        let audit_mib = top.number("audit_mib", &limits::AUDIT_MIB);
        let journal_mib = top.number("journal_mib", &limits::JOURNAL_MIB);
        let exec = read_exec(top);
        let log = read_log(top);
        Some(NodeSettings {
            member: member?,
            cluster: cluster?,
            data_dir: data_dir?,
            ca: ca?,
            certificate: certificate?,
            key: key?,
            tokens: tokens?,
            member_listen,
            api_listen,
            dns_listen,
            dns_threads: usize::try_from(threads?).ok()?,
            notify,
            audit_mib: audit_mib?,
            journal_mib: journal_mib?,
            exec,
            log,
        })
    })
}

/// Reads `observer.toml`.
pub fn parse_observer(file: &Path, text: &str) -> Result<ObserverSettings, Faults> {
    Reader::read(&file.display().to_string(), text, |top| {
        let name = "the observer's name in the cluster file";
        let observer = top.parsed("observer", name, MemberName::new);
        let cluster = path(file, top, "cluster", "the path of cluster.toml");
        let data_dir = path(file, top, "data_dir", "the path of a directory");
        let ca = path(file, top, "ca", "the path of ca.crt");
        let certificate = path(file, top, "certificate", "the path of the observer's certificate");
        let key = path(file, top, "key", "the path of the observer's key");
        let exec = read_exec(top);
        let log = read_log(top);
        Some(ObserverSettings {
            observer: observer?,
            cluster: cluster?,
            data_dir: data_dir?,
            ca: ca?,
            certificate: certificate?,
            key: key?,
            exec,
            log,
        })
    })
}

fn read_notify(file: &Path, top: &Section<'_>) -> BTreeMap<NotifyName, LocalNotify> {
    let mut all = BTreeMap::new();
    for (name, section) in super::cluster::named_sections(top, "notify", NotifyName::new) {
        let secret = path_or_none(file, &section, "secret");
        let ca = path_or_none(file, &section, "ca");
        let write = "a program and its arguments, for example [\"/usr/local/bin/page\"]";
        let program: Vec<_> = section.list("program", write);
        if let Some(first) = program.first()
            && !Path::new(&first.value).is_absolute()
        {
            let what = format!("`{}` is not an absolute path", first.value);
            section.fault(&first.place, "program", what, "write the program's whole path");
        }
        section.finish();
        let program = program.into_iter().map(|word| word.value).collect();
        all.insert(name.value, LocalNotify { secret, ca, program });
    }
    all
}

fn path_or_none(file: &Path, section: &Section<'_>, key: &'static str) -> Option<PathBuf> {
    section.has(key).then(|| path(file, section, key, "the path of a file")).flatten()
}

/// Reads `gateway.toml`.
pub fn parse_gateway(file: &Path, text: &str) -> Result<GatewaySettings, Faults> {
    Reader::read(&file.display().to_string(), text, |top| {
        let name = top.parsed("name", "a name for this gateway", GatewayName::new);
        let controllers = read_controllers(top);
        let ca = path(file, top, "ca", "the path of ca.crt");
        let token = path(file, top, "token", "the path of a file that holds a token");
        let admin = top.parsed_or_none("admin", "ADDRESS:PORT", super::cluster::socket);
        let admin = admin.unwrap_or(GATEWAY_ADMIN);
        let listen = read_listen(top, admin);
        let connect_timeout = top.time("connect_timeout", &limits::CONNECT_TIMEOUT);
        let log = read_log(top);
        Some(GatewaySettings {
            name: name?,
            controllers,
            ca: ca?,
            token: token?,
            listen,
            admin,
            connect_timeout,
            log,
        })
    })
}

fn read_listen(top: &Section<'_>, admin: SocketAddr) -> Vec<GatewayListen> {
    let (mut listen, mut taken) = (Vec::new(), Taken::on_one_host());
    // Where nothing is written the default is taken all the same.
    taken.take(top, "admin", "", admin);
    for entry in top.tables("listen") {
        let address = entry.parsed("address", "ADDRESS:PORT", super::cluster::socket);
        let route = entry.parsed("route", "the name of a route", ServiceName::new);
        entry.finish();
        if let Some(address) = address {
            taken.take(&entry, "address", &format!(" of {}", entry.path), address);
        }
        if let (Some(address), Some(route)) = (address, route) {
            listen.push(GatewayListen { address, route });
        }
    }
    if !top.has("listen") {
        let what = "is missing: a gateway that listens nowhere carries nothing".to_owned();
        top.fault(&top.place, "listen", what, "write [[listen]] with address and route");
    }
    listen
}

/// Reads `client.toml`.
pub fn parse_client(file: &Path, text: &str) -> Result<ClientSettings, Faults> {
    Reader::read(&file.display().to_string(), text, |top| {
        let controllers = read_controllers(top);
        let ca = path(file, top, "ca", "the path of ca.crt");
        let credential = read_credential(file, top);
        Some(ClientSettings { controllers, ca: ca?, credential: credential? })
    })
}

fn read_credential(file: &Path, top: &Section<'_>) -> Option<Credential> {
    if top.has("certificate") && top.has("token") {
        let what = "stands beside `certificate`: a client shows one of them".to_owned();
        top.fault(&top.place_of("token"), "token", what, "remove one of them");
        return None;
    }
    if top.has("certificate") {
        let certificate = path(file, top, "certificate", "the path of a client's certificate");
        let key = path(file, top, "key", "the path of its key");
        return Some(Credential::Certificate(certificate?, key?));
    }
    let token = path(file, top, "token", "the path of a file that holds a token");
    token.map(Credential::Token)
}

fn path(file: &Path, section: &Section<'_>, key: &'static str, write: &str) -> Option<PathBuf> {
    let text = section.parsed(key, write, |text| {
        if text.is_empty() { Err("is empty") } else { Ok(text.to_owned()) }
    })?;
    let dir = file.parent().unwrap_or_else(|| Path::new(""));
    Some(dir.join(text))
}

/// Never relative: what may run must not depend on where a file lies.
fn read_exec(top: &Section<'_>) -> Vec<PathBuf> {
    let write = "a list of absolute paths, for example [\"/usr/lib/biplane/checks\"]";
    let list = top.list("exec", write);
    let most = limits::EXEC_DIRS.max;
    if u64::try_from(list.len()).unwrap_or(u64::MAX) > most {
        let what = format!("names {} directories; the limit is {most}", list.len());
        top.fault(&top.place_of("exec"), "exec", what, "write fewer");
    }
    let mut dirs = Vec::new();
    for item in list {
        let dir = PathBuf::from(&item.value);
        if !dir.is_absolute() || dir.parent().is_none() {
            let what = match dir.is_absolute() {
                true => "would let every program of this machine run".to_owned(),
                false => format!("`{}` is not the absolute path of a directory", item.value),
            };
            top.fault(&item.place, "exec", what, &format!("write {write}"));
        }
        dirs.push(dir);
    }
    dirs
}

fn read_controllers(top: &Section<'_>) -> Vec<SocketAddr> {
    let list = top.list("controllers", "a list of the controllers' API addresses");
    if top.is_empty("controllers") {
        let place = top.place_of("controllers");
        let what = "names no controller".to_owned();
        top.fault(&place, "controllers", what, "write [\"ADDRESS:PORT\", …]");
    }
    let mut controllers = Vec::new();
    let mut lines: BTreeMap<SocketAddr, usize> = BTreeMap::new();
    for item in list {
        match super::cluster::socket(&item.value) {
            Ok(address) => {
                if let Some(line) = lines.get(&address) {
                    let what = format!("{address} stands here twice (line {line})");
                    top.fault(&item.place, "controllers", what, "write each controller once");
                }
                lines.entry(address).or_insert_with(|| top.line_of(&item.place));
                controllers.push(address);
            }
            Err(error) => top.fault(&item.place, "controllers", error, "write \"ADDRESS:PORT\""),
        }
    }
    controllers
}

fn read_log(top: &Section<'_>) -> LogSettings {
    let default = LogSettings { json: false, filter: "info".to_owned() };
    let Some(section) = top.section("log") else { return default };
    let json = section.choice("format", &[("text", false), ("json", true)]);
    let filter = section.text_or_none("level", "a level, for example \"info\"");
    section.finish();
    LogSettings { json, filter: filter.map_or(default.filter, |filter| filter.value) }
}
