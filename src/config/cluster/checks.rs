//! The kinds of check: what each asks and demands.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::limits;
use super::super::reader::Section;
use super::zones::domain_name;
use crate::kernel::domain::{
    DnsProbe, DnsType, ExecProbe, GrpcProbe, HttpProbe, ProbeKind, PrometheusProbe, TlsProbe,
};

/// The API of Prometheus for instant queries.
const QUERY_PATH: &str = "/api/v1/query";

#[derive(Clone, Copy)]
enum Kind {
    Http,
    Tcp,
    Tls,
    Dns,
    Grpc,
    Prometheus,
    Exec,
}

const KINDS: &[(&str, Kind)] = &[
    ("http", Kind::Http),
    ("tcp", Kind::Tcp),
    ("tls", Kind::Tls),
    ("dns", Kind::Dns),
    ("grpc", Kind::Grpc),
    ("prometheus", Kind::Prometheus),
    ("exec", Kind::Exec),
];

pub(super) fn read(section: &Section<'_>) -> Option<ProbeKind> {
    let kind = section.choice("kind", KINDS);
    if !section.has("kind") {
        let what = "is missing".to_owned();
        section.fault(&section.place, "kind", what, "write kind = \"http\" or kind = \"tcp\"");
    }
    match kind {
        Kind::Tcp => Some(ProbeKind::Tcp),
        Kind::Http => read_http(section).map(ProbeKind::Http),
        Kind::Tls => read_tls(section).map(ProbeKind::Tls),
        Kind::Dns => read_dns(section).map(ProbeKind::Dns),
        Kind::Grpc => Some(ProbeKind::Grpc(read_grpc(section))),
        Kind::Prometheus => read_prometheus(section).map(ProbeKind::Prometheus),
        Kind::Exec => read_exec(section).map(ProbeKind::Exec),
    }
}

fn one_line(text: &str) -> Result<String, &'static str> {
    let sound = !text.is_empty() && text.chars().all(|c| !c.is_control());
    if sound { Ok(text.to_owned()) } else { Err("is empty or has control characters") }
}

fn url_path(text: &str) -> Result<String, &'static str> {
    let sound = text.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic());
    if sound { Ok(text.to_owned()) } else { Err("a path starts with / and has no blanks") }
}

fn read_host(section: &Section<'_>) -> String {
    section.parsed_or_none("host", "a host name", one_line).unwrap_or_default()
}

/// Whether to speak TLS, and whether the certificate must be good.
fn read_transport(section: &Section<'_>) -> (bool, bool) {
    let tls = section.boolean("tls", false);
    let tls_verify = section.boolean("tls_verify", true);
    (tls, tls && tls_verify)
}

fn read_http(section: &Section<'_>) -> Option<HttpProbe> {
    let path = section.parsed_or_none("path", "a path, for example \"/healthz\"", url_path);
    let path = path.or_else(|| (!section.has("path")).then(|| "/".to_owned()));
    let status = section
        .scalar_or_none("status", "a status or a range, for example \"200-299\"", status_range)
        .or_else(|| (!section.has("status")).then_some((200, 299)));
    let host = read_host(section);
    let body_contains = section
        .text_or_none("body_contains", "a text that the body must contain")
        .map_or_else(String::new, |text| text.value);
    let (tls, tls_verify) = read_transport(section);
    let header = section.section("header").and_then(|header| {
        let name = header.parsed("name", "a header's name", |text| {
            let sound = !text.is_empty()
                && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            if sound { Ok(text.to_ascii_lowercase()) } else { Err("is not a header's name") }
        });
        let value = header.text_or_none("value", "the value it must have");
        header.finish();
        Some((name?, value.map_or_else(String::new, |value| value.value)))
    });
    Some(HttpProbe { path: path?, host, tls, tls_verify, status: status?, body_contains, header })
}

fn status_range(text: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("`{text}` is neither a status nor a range of them");
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let low: u16 = low.trim().parse().map_err(|_| wrong())?;
    let high: u16 = high.trim().parse().map_err(|_| wrong())?;
    let sound = (100..=599).contains(&low) && (low..=599).contains(&high);
    if sound { Ok((low, high)) } else { Err(wrong()) }
}

fn read_tls(section: &Section<'_>) -> Option<TlsProbe> {
    let host = section.parsed_or_none("host", "the name in the certificate", |text| {
        if text.parse::<IpAddr>().is_ok() { Ok(text.to_owned()) } else { domain_name(text) }
    });
    let host = host.unwrap_or_default();
    let tls_verify = section.boolean("tls_verify", true);
    let days = section.number("days", &limits::CERTIFICATE_DAYS);
    Some(TlsProbe { host, tls_verify, days: u32::try_from(days?).ok()? })
}

fn read_dns(section: &Section<'_>) -> Option<DnsProbe> {
    let name = section.parsed("name", "the name to ask for, in full", domain_name);
    let words = DnsType::ALL.map(|(word, _)| format!("\"{word}\"")).join(" or ");
    let record = section.parsed_or_none("type", &words, |text| {
        let known = DnsType::ALL.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        known.map(|(_, record)| *record).ok_or_else(|| format!("`{text}` is not known here"))
    });
    let record = record.or_else(|| (!section.has("type")).then_some(DnsType::A));
    let write = "what one of the records must be or contain";
    let contains = section.parsed_or_none("contains", write, |text| wanted(text, record));
    Some(DnsProbe { name: name?, record: record?, contains: contains.unwrap_or_default() })
}

/// An address is demanded as a whole: as a text, 192.0.2.1 is in 192.0.2.10 too.
fn wanted(text: &str, record: Option<DnsType>) -> Result<String, String> {
    let no_address = |what: &str| format!("`{text}` is not {what}");
    match record {
        Some(DnsType::A) => text
            .parse::<Ipv4Addr>()
            .map(|ip| ip.to_string())
            .map_err(|_| no_address("an IPv4 address, as an A record holds")),
        Some(DnsType::Aaaa) => text
            .parse::<Ipv6Addr>()
            .map(|ip| ip.to_string())
            .map_err(|_| no_address("an IPv6 address, as an AAAA record holds")),
        _ => one_line(text).map_err(str::to_owned),
    }
}

fn read_grpc(section: &Section<'_>) -> GrpcProbe {
    let most = limits::CHECK_TEXT.max;
    let service =
        section.parsed_or_none("service", "a service's full name", |text| short_line(text, most));
    let host = read_host(section);
    let (tls, tls_verify) = read_transport(section);
    GrpcProbe { service: service.unwrap_or_default(), host, tls, tls_verify }
}

fn read_prometheus(section: &Section<'_>) -> Option<PrometheusProbe> {
    let most = limits::CHECK_TEXT.max;
    let write = "a query in PromQL, for example \"sum(up{job=\\\"web\\\"})\"";
    let query = section.parsed("query", write, |text| short_line(text, most));
    let bound = |key| section.decimal_or_none(key, "a number, for example 0.95");
    let (above, below) = (bound("above"), bound("below"));
    if !section.has("above") && !section.has("below") {
        let what = "is missing, and so is below: nothing is demanded of the samples".to_owned();
        section.fault(&section.place, "above", what, "write above = NUMBER or below = NUMBER");
    }
    if let (Some(above), Some(below)) = (above, below)
        && above >= below
    {
        let what = format!("no number is above {above} and below {below}");
        section.fault(&section.place_of("below"), "below", what, "write a greater number");
    }
    let path = section.parsed_or_none("path", "the path of its API", url_path);
    let path = path.or_else(|| (!section.has("path")).then(|| QUERY_PATH.to_owned()));
    let host = read_host(section);
    let (tls, tls_verify) = read_transport(section);
    Some(PrometheusProbe { query: query?, above, below, path: path?, host, tls, tls_verify })
}

fn short_line(text: &str, most: u64) -> Result<String, String> {
    let line = one_line(text)?;
    let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
    if length > most {
        return Err(format!("has {length} bytes; the limit is {most}"));
    }
    Ok(line)
}

fn read_exec(section: &Section<'_>) -> Option<ExecProbe> {
    let program = section.parsed("program", "the absolute path of a program", |text| {
        let line = short_line(text, limits::CHECK_TEXT.max)?;
        let parts = line.strip_prefix('/').map(|rest| rest.split('/'));
        let sound =
            parts.is_some_and(|mut parts| parts.all(|part| !matches!(part, "" | "." | "..")));
        if sound {
            Ok(line)
        } else {
            Err("is not an absolute path without `.` and `..`".to_owned())
        }
    });
    let write = "a list of texts, for example [\"--timeout\", \"1\"]";
    let list = section.list("args", write);
    let most = limits::EXEC_ARGS.max;
    if u64::try_from(list.len()).unwrap_or(u64::MAX) > most {
        let what = format!("has {} arguments; the limit is {most}", list.len());
        section.fault(&section.place_of("args"), "args", what, "write fewer");
    }
    let mut args = Vec::new();
    for item in list {
        let length = u64::try_from(item.value.len()).unwrap_or(u64::MAX);
        if length > limits::CHECK_TEXT.max || item.value.contains('\0') {
            let most = limits::CHECK_TEXT.max;
            let what = format!("is longer than {most} bytes or has a zero byte");
            section.fault(&item.place, "args", what, "write a shorter text");
        }
        args.push(item.value);
    }
    Some(ExecProbe { program: program?, args })
}
