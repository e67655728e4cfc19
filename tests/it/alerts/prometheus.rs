//! A real Prometheus with the rules, that scrapes a real cluster over TLS.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::rules;
use crate::hostile::wire::{connect, exchange};
use crate::process::{Running, until};
use crate::world::{LIMIT, NODES, World};

/// An alert must fire within this after its cause.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends with the test.
pub(super) struct Prometheus {
    _process: Running,
    address: SocketAddr,
    /// Every alert that ever fired.
    pub(super) fired: BTreeSet<String>,
}

/// Whether it is installed.
pub(super) fn is_installed() -> bool {
    let asked = Command::new("prometheus").arg("--version").output();
    asked.is_ok_and(|ended| ended.status.success())
}

impl Prometheus {
    /// As `docs/guides/monitoring.md` says, but faster, and with the fake exporter as one more target.
    pub(super) fn start(world: &World, fake: SocketAddr) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        std::fs::write(world.file("alerts.yml"), rules::hurried("500ms")).unwrap();
        let file = world.file("prometheus.yml");
        std::fs::write(&file, configuration(world, fake)).unwrap();
        // Ends with the thread that started it, also when the tests are killed.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "prometheus", "--config.file"])
            .arg(&file)
            .arg(format!("--web.listen-address={address}"))
            .arg(format!("--storage.tsdb.path={}", world.file("tsdb").display()))
            .stdout(Stdio::null());
        let mut process = Running::start(&mut command);
        process.says("Server is ready to receive web requests", LIMIT);
        Self { _process: process, address, fired: BTreeSet::new() }
    }

    /// What Prometheus' own API answers.
    fn ask(&self, path: &str) -> Result<Value, String> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let stream = connect(self.address).map_err(|error| error.to_string())?;
        let answer = String::from_utf8_lossy(&exchange(stream, request.as_bytes())).into_owned();
        // The body may come in pieces; the JSON is in one line of it.
        let json = answer.lines().find(|line| line.starts_with('{')).ok_or("no JSON")?;
        let value: Value =
            serde_json::from_str(json).map_err(|error| format!("{error}: {json}"))?;
        Ok(value["data"].clone())
    }

    /// The alerts that fire now.
    pub(super) fn firing(&mut self) -> Result<BTreeSet<String>, String> {
        let data = self.ask("/api/v1/alerts")?;
        let alerts = data["alerts"].as_array().ok_or("no alerts")?;
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        let name = |alert: &Value| alert["labels"]["alertname"].as_str().map(str::to_owned);
        let firing: BTreeSet<String> = firing.filter_map(name).collect();
        self.fired.extend(firing.iter().cloned());
        Ok(firing)
    }

    /// Waits until these have fired, each since this was called.
    pub(super) fn fires(&mut self, what: &str, names: &[&str]) {
        let began = std::time::Instant::now();
        let mut missing: BTreeSet<&str> = names.iter().copied().collect();
        until(PATIENCE, || {
            let firing = self.firing()?;
            missing.retain(|name| !firing.contains(*name));
            if missing.is_empty() { Ok(()) } else { Err(format!("{what}: {missing:?} is silent")) }
        });
        println!("FIGURES alerts, {what}: {:.1} s", began.elapsed().as_secs_f64());
    }

    /// Waits until nothing else fires, and forgets what fired before the first scrape.
    pub(super) fn is_quiet_but_for(&mut self, expected: &BTreeSet<&str>) {
        until(LIMIT, || {
            let mut firing = self.firing()?;
            firing.retain(|name| !expected.contains(name.as_str()));
            if firing.is_empty() {
                Ok(())
            } else {
                Err(format!("nothing is wrong yet: {firing:?}"))
            }
        });
        self.fired.retain(|name| expected.contains(name.as_str()));
    }

    /// Waits until this series was scraped: what it counts from now on is a change.
    pub(super) fn knows(&self, series: &str) {
        until(LIMIT, || {
            let found = self.ask(&format!("/api/v1/query?query={series}"))?;
            let any = found["result"].as_array().is_some_and(|result| !result.is_empty());
            if any { Ok(()) } else { Err(format!("no {series}: {found}")) }
        });
    }

    /// Waits until every target is scraped, so that counters were seen before they count.
    pub(super) fn scrapes(&self, targets: usize) {
        until(LIMIT, || {
            let data = self.ask("/api/v1/targets?state=active")?;
            let targets_now = data["activeTargets"].as_array().ok_or("no targets")?;
            let up = targets_now.iter().filter(|target| target["health"] == "up").count();
            if up == targets { Ok(()) } else { Err(data.to_string()) }
        });
    }
}

fn configuration(world: &World, fake: SocketAddr) -> String {
    let list = |addresses: &[SocketAddr]| {
        let quoted: Vec<String> = addresses.iter().map(|address| format!("'{address}'")).collect();
        quoted.join(", ")
    };
    let nodes: Vec<SocketAddr> = (0..NODES.len()).map(|node| world.api_address(node)).collect();
    format!(
        "global: {{ scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 250ms }}\n\
         rule_files: ['alerts.yml']\n\
         scrape_configs:\n\
         - job_name: biplane\n  scheme: https\n  tls_config: {{ ca_file: 'ca.crt' }}\n  \
         static_configs: [{{ targets: [{}] }}]\n\
         - job_name: biplane-gateway\n  static_configs: [{{ targets: [{}] }}]\n\
         - job_name: fake\n  static_configs: [{{ targets: [{}] }}]\n",
        list(&nodes),
        list(&[world.gateway_admin()]),
        list(&[fake]),
    )
}
