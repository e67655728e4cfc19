//! Users: one that fetches through the gateway, and one that resolves names at every node.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use biplane::edge::dns::{ask_addresses, ask_epoch};

use super::api::{block_on, counter};
use super::files::{GROUPS, NODES, PLANES, address, name};
use super::network::{Host, Network};
use super::world::{GATEWAY, Lives, dns, front_door};

/// A user who waited for this long has gone.
const PATIENCE: Duration = Duration::from_millis(800);
/// Between two questions of one user.
const PAUSE: Duration = Duration::from_millis(60);

/// Where the gateway tells of itself, on its own host.
const GATEWAY_ADMIN: ([u8; 4], u16) = ([127, 0, 0, 1], 7460);

/// An epoch that a DNS server or the gateway showed: who, group, epoch, plane.
pub(crate) type Shown = (usize, usize, u64, String);

/// What users saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Fetches that were answered, and that were not.
    pub(crate) served: u64,
    pub(crate) failed: u64,
    /// The longest time without an answer, by group, in milliseconds.
    pub(crate) longest: [u64; 2],
    /// Answers of DNS servers.
    pub(crate) resolved: u64,
    /// Every epoch that a DNS server showed, once.
    pub(crate) shown: Vec<Shown>,
    /// What must not happen.
    pub(crate) faults: Vec<String>,
}

/// What all users saw.
pub(crate) type AllSeen = Arc<Mutex<Seen>>;

fn note(seen: &AllSeen, how: impl FnOnce(&mut Seen)) {
    how(&mut seen.lock().unwrap_or_else(PoisonError::into_inner));
}

/// One request on a fresh connection: the plane that answered.
pub(crate) fn fetch(group: usize) -> Result<usize, String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&front_door(group), PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.take(64 * 1024).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = ask().map_err(|error| error.to_string())?.to_ascii_lowercase();
    if !text.starts_with("http/1.1 200") {
        return Err(format!("answer: {}", text.lines().next().unwrap_or("nothing")));
    }
    let plane = PLANES.iter().position(|plane| text.contains(&format!("\r\nx-plane: {plane}\r\n")));
    plane.ok_or_else(|| format!("no plane in {text}"))
}

/// A node's epoch and plane for a group, by DNS.
pub(crate) fn resolve(node: usize, group: usize) -> Result<(u64, String), String> {
    let shown = block_on(ask_epoch(dns(node), &name(group), PATIENCE))?;
    Ok((shown.epoch.counter, shown.plane.to_string()))
}

/// The plane whose address a node gives for a group's name.
pub(crate) fn resolve_address(node: usize, group: usize) -> Result<usize, String> {
    let server: SocketAddr = dns(node);
    let found = block_on(ask_addresses(server, &name(group), PATIENCE))?;
    let is = |plane: &usize| found == [std::net::IpAddr::from(address(*plane))];
    (0..PLANES.len()).find(is).ok_or_else(|| format!("{found:?}"))
}

/// Starts them. `lives` counts how often each node was killed.
pub(crate) fn start(lives: &Lives, seen: &AllSeen, stop: &Arc<AtomicBool>) -> Vec<JoinHandle<()>> {
    let mut threads = Vec::new();
    for group in 0..GROUPS.len() {
        let (seen, stop) = (Arc::clone(seen), Arc::clone(stop));
        threads.push(std::thread::spawn(move || fetches(group, &seen, &stop)));
    }
    for node in 0..NODES.len() {
        let (seen, stop, lives) = (Arc::clone(seen), Arc::clone(stop), Arc::clone(lives));
        threads.push(std::thread::spawn(move || resolves(node, &lives[node], &seen, &stop)));
    }
    let (seen, stop, lives) = (Arc::clone(seen), Arc::clone(stop), Arc::clone(lives));
    threads.push(std::thread::spawn(move || follows(&lives[GATEWAY], &seen, &stop)));
    threads
}

fn fetches(group: usize, seen: &AllSeen, stop: &AtomicBool) {
    let mut last = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        match fetch(group) {
            Ok(_) => {
                let gap = u64::try_from(last.elapsed().as_millis()).unwrap_or(u64::MAX);
                note(seen, |seen| {
                    seen.served += 1;
                    seen.longest[group] = seen.longest[group].max(gap);
                });
                last = Instant::now();
            }
            Err(_) => note(seen, |seen| seen.failed += 1),
        }
        std::thread::sleep(PAUSE);
    }
}

/// Epochs that something showed: a group's is never older than before, as long as its process lives.
struct NeverOlder<'a> {
    /// A DNS server's node, or `GATEWAY`.
    who: usize,
    life: &'a AtomicU64,
    newest: [(u64, u64); 2],
}

impl<'a> NeverOlder<'a> {
    const fn new(who: usize, life: &'a AtomicU64) -> Self {
        Self { who, life, newest: [(0, 0); 2] }
    }

    /// Asks for the epoch and the plane that are shown for a group.
    fn look(
        &mut self,
        group: usize,
        seen: &AllSeen,
        ask: impl FnOnce() -> Result<(u64, String), String>,
    ) {
        let before = self.life.load(Ordering::SeqCst);
        let Ok((epoch, plane)) = ask() else { return };
        if self.life.load(Ordering::SeqCst) != before {
            return;
        }
        let (who, newest) = (self.who, &mut self.newest[group]);
        note(seen, |seen| {
            seen.resolved += 1;
            if newest.0 == before && epoch < newest.1 {
                let (name, newest) = (GROUPS[group].0, newest.1);
                seen.faults.push(format!(
                    "P3: {} showed epoch {epoch} of {name} after {newest}, in one life",
                    teller(who)
                ));
            }
            if *newest != (before, epoch) {
                seen.shown.push((who, group, epoch, plane));
            }
        });
        *newest = (before, epoch);
    }
}

/// Who showed an epoch, in words.
pub(crate) fn teller(who: usize) -> String {
    if who == GATEWAY { "the gateway".to_owned() } else { format!("DNS of {}", NODES[who]) }
}

fn resolves(node: usize, life: &AtomicU64, seen: &AllSeen, stop: &AtomicBool) {
    let mut shown = NeverOlder::new(node, life);
    while !stop.load(Ordering::Relaxed) {
        for group in 0..GROUPS.len() {
            shown.look(group, seen, || resolve(node, group));
        }
        std::thread::sleep(PAUSE);
    }
}

/// The gateway's own word, asked on its host.
fn follows(life: &AtomicU64, seen: &AllSeen, stop: &AtomicBool) {
    Network::enter(Host::Gateway).expect("its namespace was made");
    let mut shown = NeverOlder::new(GATEWAY, life);
    while !stop.load(Ordering::Relaxed) {
        for (group, (name, ..)) in GROUPS.iter().enumerate() {
            shown.look(group, seen, || gateway_route(name));
        }
        std::thread::sleep(PAUSE);
    }
}

fn gateway_route(name: &str) -> Result<(u64, String), String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&GATEWAY_ADMIN.into(), PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /routes HTTP/1.1\r\nhost: gateway\r\n\r\n")?;
        let mut text = String::new();
        stream.take(64 * 1024).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = ask().map_err(|error| error.to_string())?;
    let (_, body) = text.split_once("\r\n\r\n").ok_or("no body")?;
    let shown: serde_json::Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
    let route = &shown["routes"][name];
    let plane = route["plane"].as_str().ok_or("no plane")?;
    Ok((counter(&route["epoch"]).ok_or("no epoch")?, plane.to_owned()))
}
