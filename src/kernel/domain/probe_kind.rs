//! How a target is probed: what is asked, and what is demanded of the answer.

use serde::{Deserialize, Serialize};

use super::Decimal;

/// What an HTTP probe asks and demands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HttpProbe {
    /// Path and query, starting with `/`.
    pub path: String,
    /// The `Host` header; the endpoint's host when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// Whether to speak TLS.
    #[serde(default)]
    pub tls: bool,
    /// With TLS: whether the certificate must be good for the host.
    #[serde(default)]
    pub tls_verify: bool,
    /// Lowest and highest status that pass.
    pub status: (u16, u16),
    /// A text that the first 64 KiB of the body must contain; none demanded when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body_contains: String,
    /// A header that must be there (lower case), with this value unless empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<(String, String)>,
}

/// What a TLS probe demands of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TlsProbe {
    /// The server name that is asked for (RFC 6066, section 3); the endpoint's host when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// Whether the certificate must be good for that name and come from an authority that the node trusts.
    #[serde(default)]
    pub tls_verify: bool,
    /// Whole days that the server's own certificate must still be good for; zero: it must not have expired.
    pub days: u32,
}

/// The types of record that a DNS probe asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DnsType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Authorities that may sign for the name.
    Caa,
    /// The name that stands for this one.
    Cname,
    /// Mail servers.
    Mx,
    /// Name servers.
    Ns,
    /// The name of an address.
    Ptr,
    /// The head of a zone.
    Soa,
    /// Hosts and ports of a service.
    Srv,
    /// Texts.
    Txt,
}

impl DnsType {
    /// Every one with its name.
    pub const ALL: [(&str, Self); 10] = [
        ("A", Self::A),
        ("AAAA", Self::Aaaa),
        ("CAA", Self::Caa),
        ("CNAME", Self::Cname),
        ("MX", Self::Mx),
        ("NS", Self::Ns),
        ("PTR", Self::Ptr),
        ("SOA", Self::Soa),
        ("SRV", Self::Srv),
        ("TXT", Self::Txt),
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}

/// What a DNS probe asks and demands: NOERROR and a record of the type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DnsProbe {
    /// The name, lower case, without a trailing dot.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub record: DnsType,
    /// What one of the records must be (addresses) or contain (others, as a zone file shows them); none
    /// demanded when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub contains: String,
}

/// What a gRPC probe asks of the standard health service: SERVING is demanded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GrpcProbe {
    /// The service that is asked about; the server as a whole when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// The authority of the request; the endpoint when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// Whether to speak TLS.
    #[serde(default)]
    pub tls: bool,
    /// With TLS: whether the certificate must be good for the host.
    #[serde(default)]
    pub tls_verify: bool,
}

/// What a Prometheus probe asks and demands of every sample of the answer, which must have one at least.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PrometheusProbe {
    /// In PromQL; gives a scalar or an instant vector.
    pub query: String,
    /// Each sample must be greater.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<Decimal>,
    /// Each sample must be less. One of the two bounds is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Decimal>,
    /// Of the API for instant queries, starting with `/`.
    pub path: String,
    /// The `Host` header; the endpoint's host when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// Whether to speak TLS.
    #[serde(default)]
    pub tls: bool,
    /// With TLS: whether the certificate must be good for the host.
    #[serde(default)]
    pub tls_verify: bool,
}

/// A program that a probe runs: exit status 0 is demanded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExecProbe {
    /// An absolute path. It runs only on nodes that allow its directory.
    pub program: String,
    /// What it is given, without its name; no shell reads it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
}

/// The kinds of probe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeKind {
    /// Connect, then close.
    Tcp,
    /// One HTTP/1.1 GET on a fresh connection.
    Http(HttpProbe),
    /// One TLS handshake, and a look at the certificate.
    Tls(TlsProbe),
    /// One DNS question.
    Dns(DnsProbe),
    /// One call of `grpc.health.v1.Health/Check`.
    Grpc(GrpcProbe),
    /// One instant query of a Prometheus.
    Prometheus(PrometheusProbe),
    /// One run of a program.
    Exec(ExecProbe),
}

impl ProbeKind {
    /// Its word in cluster files and metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Http(_) => "http",
            Self::Tls(_) => "tls",
            Self::Dns(_) => "dns",
            Self::Grpc(_) => "grpc",
            Self::Prometheus(_) => "prometheus",
            Self::Exec(_) => "exec",
        }
    }

    /// The lowest ruleset whose members can read it in the log.
    pub const fn needs_ruleset(&self) -> u32 {
        match self {
            Self::Tcp | Self::Http(_) => 1,
            Self::Tls(_) | Self::Dns(_) | Self::Grpc(_) | Self::Prometheus(_) | Self::Exec(_) => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_written_as_committed() {
        let decimal = |text: &str| Decimal::try_from(text.to_owned()).ok();
        let dns = DnsProbe {
            name: "a.example".to_owned(),
            record: DnsType::Aaaa,
            contains: "2001:db8::1".to_owned(),
        };
        let query = PrometheusProbe {
            query: "up".to_owned(),
            above: decimal("0.50"),
            below: None,
            path: "/api/v1/query".to_owned(),
            host: String::new(),
            tls: false,
            tls_verify: false,
        };
        let exec = ExecProbe { program: "/c/x".to_owned(), args: vec!["-v".to_owned()] };
        let grpc =
            GrpcProbe { service: "s".to_owned(), host: String::new(), tls: true, tls_verify: true };
        let kinds = [
            (ProbeKind::Tcp, r#""tcp""#),
            (
                ProbeKind::Tls(TlsProbe { host: String::new(), tls_verify: true, days: 14 }),
                r#"{"tls":{"tls_verify":true,"days":14}}"#,
            ),
            (
                ProbeKind::Dns(dns),
                r#"{"dns":{"name":"a.example","type":"AAAA","contains":"2001:db8::1"}}"#,
            ),
            (ProbeKind::Grpc(grpc), r#"{"grpc":{"service":"s","tls":true,"tls_verify":true}}"#),
            (
                ProbeKind::Prometheus(query),
                r#"{"prometheus":{"query":"up","above":"0.5","path":"/api/v1/query","tls":false,"tls_verify":false}}"#,
            ),
            (ProbeKind::Exec(exec), r#"{"exec":{"program":"/c/x","args":["-v"]}}"#),
        ];
        for (kind, json) in kinds {
            assert_eq!(serde_json::to_string(&kind).expect("writes"), json);
            assert_eq!(serde_json::from_str::<ProbeKind>(json).expect("reads"), kind);
            assert!(json.contains(&format!("\"{}\"", kind.word())), "{json}");
        }
    }

    #[test]
    fn types_have_their_own_names() {
        for (name, record) in DnsType::ALL {
            assert_eq!(record.name(), name);
            assert_eq!(serde_json::to_string(&record).expect("writes"), format!("\"{name}\""));
        }
    }
}
