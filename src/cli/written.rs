//! Values of a configuration file as the file writes them. Pure.

use serde_json::{Map, Value};

use crate::kernel::ledger::key_as_written;

/// A value on one line: `"5s"`, `["web", "cart"]`, `{ switches = 3, window = "1h" }`.
pub(super) fn value(value: &Value) -> String {
    match value {
        // TOML knows the escapes of JSON, and wants one more.
        Value::String(text) => Value::from(text.as_str()).to_string().replace('\u{7f}', "\\u007f"),
        Value::Array(list) => {
            let items: Vec<String> = list.iter().map(self::value).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(table) if table.is_empty() => "{}".to_owned(),
        Value::Object(table) => {
            let pair = |(key, value): (&String, &Value)| {
                format!("{} = {}", key_as_written(key), self::value(value))
            };
            let pairs: Vec<String> = table.iter().map(pair).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A table, a key a line; a table of tables in dotted keys.
pub(super) fn lines(table: &Map<String, Value>) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, value) in table {
        let key = key_as_written(key);
        match value {
            Value::Object(inner) if inner.values().any(Value::is_object) => {
                lines.extend(self::lines(inner).iter().map(|line| format!("{key}.{line}")));
            }
            // What is named by whoever wrote it, a check, has many keys of its own.
            Value::Object(inner) if inner.contains_key("kind") => {
                lines.extend(self::lines(inner).iter().map(|line| format!("{key}.{line}")));
            }
            _ => lines.push(format!("{key} = {}", self::value(value))),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::parse_cluster;
    use crate::kernel::ledger::as_written;

    /// What the example has at its default, and something else.
    const EDITS: &[(&str, &str)] = &[
        ("require = \"all\"", "require = { at_least = 2 }"),
        ("tls_verify = true", "tls_verify = false"),
        ("status = \"200-299\"", "status = 204"),
        ("fast_interval = \"200ms\"", "fast_interval = \"150ms\""),
        ("header = { name = \"x-plane\" }", "header = { name = \"x-plane\", value = \"a b\" }"),
        ("mode = \"ask\"", "ask_expires = \"7m\"\nmode = \"observe\""),
        ("out_when = \"any_critical\"", "out_when = { at_least = 1 }"),
        ("dwell = \"60s\"", "dwell = \"90s\""),
        ("switches = 3, window = \"1h\"", "switches = 4, window = \"2h\""),
        ("downs = 3, window = \"10m\"", "downs = 4, window = \"11m\""),
        ("when_both_down = \"keep\"", "when_both_down = \"refuse\""),
        ("degraded_is_out = false", "degraded_is_out = true"),
        ("on_switch = \"drain\"", "on_switch = \"cut\""),
        ("ttl = 5", "ttl = 6"),
        ("refresh = 60", "refresh = 61"),
        ("retry = 10", "retry = 11"),
        ("expire = 3600", "expire = 3601"),
        ("negative_ttl = 5", "negative_ttl = 6"),
        ("cut_off = \"serve-stale\"", "cut_off = { servfail = \"5m\" }"),
        ("question_window = \"6s\"", "question_window = \"7s\""),
        ("observer_silence = \"3s\"", "observer_silence = \"4s\""),
        ("reference_interval = \"1s\"", "reference_interval = \"2s\""),
        ("verify_timeout = \"10s\"", "verify_timeout = \"11s\""),
        ("request_timeout = \"5s\"", "request_timeout = \"6s\""),
    ];

    /// What the example leaves out.
    const MORE: &str = r#"
[services.web.checks.certificate]
kind = "tls"
host = "www.shop.example"
tls_verify = false
days = 3
[services.web.checks.name]
kind = "dns"
name = "www.shop.example"
type = "AAAA"
contains = "2001:db8::1"
[services.web.checks.rpc]
kind = "grpc"
service = "a.B"
host = "h"
tls = true
tls_verify = true
[services.web.checks.samples]
kind = "prometheus"
query = "sum(up{job=\"web\"})"
above = 0.95
below = 123456789012345678.123456789
path = "/q"
host = "h"
[services.web.checks.program]
kind = "exec"
program = "/usr/lib/x"
args = ["-v", "1"]
endpoints = { east = "[2001:db8::2]:1", west = "b:2" }
[members.d]
id = 4
site = "third"
role = "witness"
member = "203.0.113.11:7410"
[members.e]
id = 5
site = "third"
member = "203.0.113.12:7410"
api = "203.0.113.12:7400"
dns = "203.0.113.12:53"
[observers.o]
id = 101
site = "fourth"
[notify.pager]
webhook = "https://pager.example/x"
timeout = "3s"
alive = "2m"
[notify.mail]
program = true
"#;

    fn everything() -> String {
        let mut text = include_str!("../../config/cluster.toml").to_owned();
        for (from, to) in EDITS {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        text + MORE
    }

    /// Whatever a file can say is said in its words: they are read as the same settings.
    #[test]
    fn settings_in_the_words_of_the_file_are_read_as_the_same_settings() {
        for text in [include_str!("../../config/cluster.toml"), &everything()] {
            let cluster = parse_cluster("first.toml", text).unwrap().cluster;
            let words = as_written(&cluster);
            let line = |(key, table): (&String, &Value)| format!("{key} = {}\n", value(table));
            let again: String = words.iter().map(line).collect();
            // The one number that JSON would round is told as a text.
            let rounded = "\"123456789012345678.123456789\"";
            let again = again.replace(rounded, rounded.trim_matches('"'));
            let read = parse_cluster("again.toml", &again).unwrap().cluster;
            assert_eq!(read, cluster, "{again}");
            assert_eq!(as_written(&read), words);
        }
    }

    #[test]
    fn values_are_written_as_a_file_has_them() {
        let budget = json!({ "switches": 3, "window": "1h" });
        assert_eq!(value(&budget), "{ switches = 3, window = \"1h\" }");
        assert_eq!(value(&json!(["a", "b"])), "[\"a\", \"b\"]");
        assert_eq!(value(&json!({ "a.b": {} })), "{ \"a.b\" = {} }");
        let hard = Value::from("a\"\\\n\u{7f}\u{1}é");
        let read: toml::Table = toml::from_str(&format!("it = {}", value(&hard))).unwrap();
        assert_eq!(read["it"].as_str(), hard.as_str());
    }

    #[test]
    fn a_table_is_a_key_a_line() {
        let service = json!({
            "checks": { "page": { "kind": "http", "header": { "name": "x" } }, "port": { "kind": "tcp" } },
            "critical": true,
            "endpoints": { "east": "a:1", "west": "b:1" },
        });
        let expected = [
            "checks.page.header = { name = \"x\" }",
            "checks.page.kind = \"http\"",
            "checks.port.kind = \"tcp\"",
            "critical = true",
            "endpoints = { east = \"a:1\", west = \"b:1\" }",
        ];
        assert_eq!(lines(service.as_object().unwrap()), expected);
    }
}
