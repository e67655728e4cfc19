//! One probe: what to ask, and what came back.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Moment, ProbeKind};

/// A host and a port. The host is an address or a DNS name; names are resolved at each probe.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(into = "String", try_from = "String")]
pub struct Endpoint {
    /// An IP address, or a DNS name without a trailing dot.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Endpoint {
    /// The host as an address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

impl TryFrom<String> for Endpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not HOST:PORT, for example 192.0.2.10:443");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let bracketed = bare.len() != host.len();
        let port: u16 = port.parse().map_err(|_| wrong())?;
        if bare.is_empty() || port == 0 || bare.contains(':') != bracketed {
            return Err(wrong());
        }
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if !bare.chars().all(known) {
            return Err(wrong());
        }
        Ok(Self { host: bare.to_owned(), port })
    }
}

/// What is probed: two checks with equal targets are probed once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProbeTarget {
    /// Where.
    pub endpoint: Endpoint,
    /// How.
    pub kind: ProbeKind,
    /// The whole probe must end within this.
    pub timeout: Duration,
}

/// Numbers the probes that one process started; never reused in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProbeId(pub u64);

/// "Probe this now."
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeOrder {
    /// Echoed by the result.
    pub id: ProbeId,
    /// What to ask.
    pub target: std::sync::Arc<ProbeTarget>,
}

/// Why a probe failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeFault {
    /// Nobody listens there.
    Refused,
    /// Not done within the timeout.
    TimedOut,
    /// The name does not resolve; the text says why.
    Unresolved(String),
    /// The connection broke; the text says how.
    Broken(String),
    /// The TLS handshake failed; the text says why.
    Tls(String),
    /// An answer, but not the demanded one; the text says what was seen and what was demanded.
    WrongAnswer(String),
    /// This node could not probe (out of sockets, over its limit): says nothing about the target.
    NotProbed(String),
}

impl fmt::Display for ProbeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Unresolved(why) => write!(f, "name not resolved: {why}"),
            Self::Broken(how) => write!(f, "connection broke: {how}"),
            Self::Tls(why) => write!(f, "TLS: {why}"),
            Self::WrongAnswer(what) => write!(f, "wrong answer: {what}"),
            Self::NotProbed(why) => write!(f, "not probed: {why}"),
        }
    }
}

/// Where a probe's time went; zero for a stage that was not reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeTimings {
    /// Until connected.
    pub connect: Duration,
    /// Of the TLS handshake.
    pub tls: Duration,
    /// From the request to the first byte of the answer.
    pub first_byte: Duration,
    /// The whole probe.
    pub total: Duration,
}

/// What came of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// Of the order.
    pub id: ProbeId,
    /// When it began, on this process's clock, read before the first packet left.
    pub began: Moment,
    /// Passed, or why not.
    pub outcome: Result<(), ProbeFault>,
    /// Where its time went.
    pub timings: ProbeTimings,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_read_back_as_written() {
        for text in ["192.0.2.1:80", "[2001:db8::1]:443", "shop.example:8080"] {
            let endpoint = Endpoint::try_from(text.to_owned()).expect("a good endpoint");
            assert_eq!(endpoint.to_string(), text);
        }
        for bad in ["", "a", "a:", ":80", "a:0", "a:70000", "2001:db8::1:443", "[a:80", "a b:80"] {
            assert!(Endpoint::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
