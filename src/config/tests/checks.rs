//! Every kind of check, its defaults and its limits. Its faults stand in `tests/data/config/cluster-checks.txt`.

use super::*;
use crate::kernel::domain::{
    Decimal, DnsProbe, DnsType, ExecProbe, GrpcProbe, ProbeKind, PrometheusProbe, TlsProbe,
};

/// Reads a check with these lines in the place of the example's check of a port.
fn read(lines: &str) -> Result<ProbeKind, String> {
    let port = "[services.web.checks.port]\nkind = \"tcp\"\n";
    let cluster = check(&edited(port, &format!("[services.web.checks.port]\n{lines}\n")))?.cluster;
    let check = &cluster.services["web"].checks["port"];
    let target = check.targets.values().next().ok_or("no target")?;
    assert_eq!(target.endpoint.to_string(), "192.0.2.20:443");
    Ok(target.kind.clone())
}

fn decimal(text: &str) -> Option<Decimal> {
    Some(Decimal::try_from(text.to_owned()).unwrap())
}

#[test]
fn each_kind_is_read_with_its_defaults() {
    let tls = TlsProbe { host: String::new(), tls_verify: true, days: 14 };
    assert_eq!(read("kind = \"tls\""), Ok(ProbeKind::Tls(tls)));
    let dns = DnsProbe {
        name: "www.shop.example".to_owned(),
        record: DnsType::A,
        contains: String::new(),
    };
    let lines = "kind = \"dns\"\nname = \"WWW.shop.example.\"";
    assert_eq!(read(lines), Ok(ProbeKind::Dns(dns)));
    let grpc =
        GrpcProbe { service: String::new(), host: String::new(), tls: false, tls_verify: false };
    assert_eq!(read("kind = \"grpc\""), Ok(ProbeKind::Grpc(grpc)));
    let prometheus = PrometheusProbe {
        query: "up".to_owned(),
        above: decimal("0"),
        below: None,
        path: "/api/v1/query".to_owned(),
        host: String::new(),
        tls: false,
        tls_verify: false,
    };
    let lines = "kind = \"prometheus\"\nquery = \"up\"\nabove = 0";
    assert_eq!(read(lines), Ok(ProbeKind::Prometheus(prometheus)));
    let exec = ExecProbe { program: "/c/lag".to_owned(), args: Vec::new() };
    assert_eq!(read("kind = \"exec\"\nprogram = \"/c/lag\""), Ok(ProbeKind::Exec(exec)));
}

#[test]
fn each_kind_is_read_with_all_that_it_takes() {
    let lines = "kind = \"tls\"\nhost = \"192.0.2.1\"\ntls_verify = false\ndays = 0";
    let tls = TlsProbe { host: "192.0.2.1".to_owned(), tls_verify: false, days: 0 };
    assert_eq!(read(lines), Ok(ProbeKind::Tls(tls)));
    let lines =
        "kind = \"dns\"\nname = \"a.example\"\ntype = \"aaaa\"\ncontains = \"2001:DB8:0::1\"";
    let dns = DnsProbe {
        name: "a.example".to_owned(),
        record: DnsType::Aaaa,
        contains: "2001:db8::1".to_owned(),
    };
    assert_eq!(read(lines), Ok(ProbeKind::Dns(dns)));
    let lines = "kind = \"grpc\"\nservice = \"a.B\"\nhost = \"b\"\ntls = true";
    let grpc =
        GrpcProbe { service: "a.B".to_owned(), host: "b".to_owned(), tls: true, tls_verify: true };
    assert_eq!(read(lines), Ok(ProbeKind::Grpc(grpc)));
    let lines = "kind = \"prometheus\"\nquery = \"a > b\"\nabove = -1_000.50\nbelow = +7\n\
                 path = \"/p/api/v1/query\"\nhost = \"m\"\ntls = true\ntls_verify = false";
    let prometheus = PrometheusProbe {
        query: "a > b".to_owned(),
        above: decimal("-1000.5"),
        below: decimal("7"),
        path: "/p/api/v1/query".to_owned(),
        host: "m".to_owned(),
        tls: true,
        tls_verify: false,
    };
    assert_eq!(read(lines), Ok(ProbeKind::Prometheus(prometheus)));
    let lines = "kind = \"exec\"\nprogram = \"/c/lag\"\nargs = [\"--max\", \"\"]";
    let args = vec!["--max".to_owned(), String::new()];
    let exec = ExecProbe { program: "/c/lag".to_owned(), args };
    assert_eq!(read(lines), Ok(ProbeKind::Exec(exec)));
}

#[test]
fn limits_of_checks_hold_to_the_last_one() {
    let text = |length: u64| "x".repeat(usize::try_from(length).unwrap());
    let args = |count: u64| {
        let list: Vec<&str> = (0..count).map(|_| "\"x\"").collect();
        format!("kind = \"exec\"\nprogram = \"/c/lag\"\nargs = [{}]", list.join(","))
    };
    let most = limits::CHECK_TEXT.max;
    let query = |length| format!("kind = \"prometheus\"\nabove = 1\nquery = \"{}\"", text(length));
    let program = |length| format!("kind = \"exec\"\nprogram = \"/{}\"", text(length));
    let arg = |length| format!("{}\nargs = [\"{}\"]", program(1), text(length));
    let service = |length| format!("kind = \"grpc\"\nservice = \"{}\"", text(length));
    let days = |days: u64| format!("kind = \"tls\"\ndays = {days}");
    let cases = [
        (query(most), query(most + 1), "has 4097 bytes; the limit is 4096"),
        (program(most - 1), program(most), "has 4097 bytes; the limit is 4096"),
        (arg(most), arg(most + 1), "is longer than 4096 bytes"),
        (service(most), service(most + 1), "has 4097 bytes; the limit is 4096"),
        (args(64), args(65), "has 65 arguments; the limit is 64"),
        (days(3650), days(3651), "3651 is out of bounds"),
    ];
    for (within, beyond, words) in cases {
        read(&within).unwrap();
        let shown = read(&beyond).unwrap_err();
        assert!(shown.contains(words), "{shown}");
    }
}

#[test]
fn directories_of_programs_are_counted() {
    let node = |count: usize| {
        let dirs: Vec<String> = (0..count).map(|n| format!("\"/checks/{n}\"")).collect();
        let exec = format!("exec = [{}]\n", dirs.join(","));
        parse_node(Path::new("node.toml"), &(exec + include_str!("../../../config/node.toml")))
    };
    assert_eq!(node(0).unwrap().exec, Vec::<std::path::PathBuf>::new());
    assert_eq!(node(16).unwrap().exec.len(), 16);
    let shown = node(17).unwrap_err().to_string();
    assert!(shown.contains("names 17 directories; the limit is 16"), "{shown}");
}

#[test]
fn the_guide_has_a_working_example_of_each_kind() {
    let guide = include_str!("../../../docs/guides/checks.md");
    let mut seen = Vec::new();
    for block in guide.split("```toml\n").skip(1) {
        let (lines, _) = block.split_once("```").unwrap();
        let port = "[services.web.checks.port]\nkind = \"tcp\"\n";
        let text = edited(port, &format!("[services.web.checks.port]\n{lines}\n"));
        // The longest interval asks for a longer window.
        let text = text.replacen("question_window = \"6s\"", "question_window = \"5m\"", 1);
        let cluster = check(&text).unwrap_or_else(|faults| panic!("{faults}")).cluster;
        let check = &cluster.services["web"].checks["port"];
        seen.extend(check.targets.values().next().map(|target| target.kind.word()));
    }
    assert_eq!(seen, ["tcp", "http", "tls", "dns", "grpc", "prometheus", "exec"]);
}
