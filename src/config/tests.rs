//! Faults are told all at once with their place, and the committed examples are sound.

mod bounds;
mod checks;

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const EXAMPLE: &str = include_str!("../../config/cluster.toml");

fn check(text: &str) -> Result<Checked, String> {
    parse_cluster("cluster.toml", text).map_err(|faults| faults.to_string())
}

fn edited(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "the example has no `{from}`");
    EXAMPLE.replacen(from, to, 1)
}

#[test]
fn the_examples_pass() {
    let checked = check(EXAMPLE).unwrap();
    assert_eq!(checked.warnings, Vec::<String>::new());
    assert_eq!(checked.cluster.members.len(), 3);
    let file = |name: &str| Path::new("config").join(name);
    parse_node(&file("node.toml"), include_str!("../../config/node.toml")).unwrap();
    let observer = include_str!("../../config/observer.toml");
    parse_observer(&file("observer.toml"), observer).unwrap();
    parse_gateway(&file("gateway.toml"), include_str!("../../config/gateway.toml")).unwrap();
    let client = parse_client(&file("client.toml"), include_str!("../../config/client.toml"));
    assert_eq!(client.unwrap().ca, Path::new("config/ca.crt"));
}

#[test]
fn a_fault_shows_line_caret_and_what_to_write() {
    let shown = check(&edited("mode = \"ask\"  ", "mode = \"atuo\"")).unwrap_err();
    let expected = "\
cluster.toml:67:8: `groups.shop.mode`: `atuo` is not known here
 67 | mode = \"atuo\"                # \"ask\": a person confirms; \"auto\": the quorum decides; \"observe\": only shown
    |        ^^^^^^
    = write \"ask\" or \"auto\" or \"observe\"
cluster.toml: 1 fault";
    assert_eq!(shown, expected);
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_file() {
    let text = edited("id = 1 ", "id = 0 ")
        .replace("site = \"third\"", "sight = \"third\"")
        .replace("interval = \"1s\"", "interval = \"1 s\"")
        .replace("fall = 3", "fall = 0")
        .replace("mode = \"ask\"", "mode = 3")
        .replace("east = [\"192.0.2.20\"]", "east = [\"192.0.2.256\"]")
        .replace("election_max = \"1s\"", "election_max = \"500ms\"");
    let faults = parse_cluster("c", &text).unwrap_err();
    let paths: Vec<&str> = faults.list().iter().map(|fault| fault.path.as_str()).collect();
    for path in [
        "members.a.id",
        "members.c.sight",
        "members.c.site",
        "services.web.checks.page.interval",
        "services.web.checks.page.fall",
        "groups.shop.mode",
        "timing.election_max",
    ] {
        assert!(paths.contains(&path), "{path} is not among {paths:?}");
    }
    let places: Vec<usize> = faults.list().iter().map(|fault| fault.place.start).collect();
    assert!(places.is_sorted());
}

#[test]
fn each_fault_is_named_in_words_that_help() {
    let cases: &[(&str, &str, &str)] = &[
        ("cluster = \"shop-prod\"", "cluster = \"Shop\"", "is not a name"),
        ("cluster = \"shop-prod\"", "", "`cluster`: is missing"),
        ("[planes.west]\nsite = \"west\"", "", "there are 1 planes"),
        ("id = 2", "id = 1", "`members.b.id`: 1 is the id of member `a` too (line 15)"),
        (
            "\"198.51.100.10:7410\"",
            "\"192.0.2.10:7410\"",
            "is `member` of member `a` too (line 17)",
        ),
        ("\"198.51.100.10:7410\"", "\"192.0.2.10:7400\"", "is `api` of member `a` too (line 18)"),
        (
            "\"192.0.2.10:7400\"",
            "\"192.0.2.10:7410\"",
            "`members.a.api`: 192.0.2.10:7410 is `member` too (line 17)",
        ),
        ("\"192.0.2.10:7410\"", "\"192.0.2.10\"", "is not ADDRESS:PORT"),
        ("critical = true ", "critical = \"yes\" ", "wrong kind"),
        ("require = \"all\" ", "require = \"most\" ", "`most` is not known here"),
        ("require = \"all\" ", "require = { at_least = 3 } ", "there are only 2 checks"),
        ("kind = \"http\" ", "kind = \"htp\" ", "`htp` is not known here"),
        ("path = \"/healthz\"", "path = \"healthz\"", "a path starts with /"),
        ("status = \"200-299\"", "status = \"99\"", "neither a status nor a range"),
        ("interval = \"1s\"", "intervall = \"1s\"", "did you mean `interval`?"),
        ("timeout = \"500ms\"", "timeout = \"5h\"", "out of bounds"),
        ("fast_interval = \"200ms\"", "fast_interval = \"2s\"", "longer than interval (1s)"),
        ("slow = \"400ms\"", "slow = \"600ms\"", "not shorter than timeout (500ms)"),
        ("services = [\"web\", \"search\"]", "services = [\"wob\"]", "there is no service `wob`"),
        ("services = [\"web\", \"search\"]", "services = [\"search\"]", "has no critical service"),
        ("kind = \"shared\"", "kind = \"exclusive\"", "need leases and agents"),
        ("home = \"east\"", "home = \"north\"", "not one of the two planes"),
        (
            "out_when = \"any_critical\"",
            "out_when = { at_least = 2 }",
            "only 1 services are critical",
        ),
        ("budget = { switches = 3,", "budget = { switches = 0,", "0 is out of bounds"),
        ("[groups.shop]", "[groups.last]", "means the last switchover"),
        ("names.\"www.shop.example\"]", "names.\"www.other.example\"]", "not inside the zone"),
        ("names.\"www.shop.example\"]", "names.\"ns1.shop.example\"]", "is a name server"),
        (
            "group = \"shop\"\neast = [",
            "group = \"shop\"\nest = [",
            "`zones.shop.example.names.www.shop.example.est`: is not known",
        ),
        ("west = [\"198.51.100.20\"]", "west = []", "the answer would be empty"),
        ("cut_off = \"serve-stale\"", "cut_off = { servfail = \"1ms\" }", "out of bounds"),
        ("front_door = \"203.0.113.80:443\"", "front_door = \"203.0.113.80\"", "is not HOST:PORT"),
        ("heartbeat = \"100ms\"", "heartbeat = \"120ms\"", "not a multiple of tick (50ms)"),
        ("election_min = \"500ms\"", "election_min = \"200ms\"", "shorter than three heartbeats"),
        (
            "question_window = \"6s\"",
            "question_window = \"5s\"",
            "5500ms = 3 × 1s + 500ms + 2 × 1s",
        ),
        ("observer_silence = \"3s\"", "observer_silence = \"1s\"", "shorter than two elections"),
        ("[timing]", "[timing", "not TOML"),
        ("cluster = \"shop-prod\"", "cluster = \"a\"\ncluster = \"b\"", "`cluster` stands twice"),
    ];
    for (from, to, words) in cases {
        let shown = check(&edited(from, to)).unwrap_err();
        assert!(shown.contains(words), "{from} → {to}: expected `{words}` in\n{shown}");
    }
}

#[test]
fn the_default_question_window_is_the_shortest_that_works() {
    let checked = check(&edited("question_window = \"6s\"", "")).unwrap();
    assert_eq!(checked.cluster.timing.question_window, Duration::from_millis(5500));
}

fn with_witnesses(names: &[&str]) -> String {
    let mut text = EXAMPLE.to_owned();
    for name in names {
        let (before, after) = text.split_once(&format!("[members.{name}]")).unwrap();
        let lines = after.lines();
        let mut left = 2;
        let kept = lines.filter(|line| {
            let served = left > 0 && (line.starts_with("api = ") || line.starts_with("dns = "));
            left -= i32::from(served);
            !served
        });
        let kept: Vec<&str> = kept.collect();
        text = format!("{before}[members.{name}]\nrole = \"witness\"{}\n", kept.join("\n"));
    }
    text
}

#[test]
fn a_witness_serves_nothing_and_somebody_has_to() {
    let checked = check(&with_witnesses(&["c"])).unwrap();
    assert_eq!(checked.warnings, Vec::<String>::new());
    let cluster = checked.cluster;
    let serving: Vec<&str> = cluster.serving().map(|member| member.name.as_str()).collect();
    assert_eq!((serving, cluster.voters().len()), (vec!["a", "b"], 3));
    assert_eq!(cluster.needs_ruleset(), 3, "older members would misread it");
    let alone = check(&with_witnesses(&["b", "c"])).unwrap();
    assert!(alone.warnings[0].contains("one member alone answers DNS"), "{:?}", alone.warnings);
    let shown = check(&with_witnesses(&["a", "b", "c"])).unwrap_err();
    assert!(shown.contains("all members are witnesses"), "{shown}");
    assert!(shown.contains("leave `role` out of one at least"), "{shown}");
    for (key, address) in [("api", "203.0.113.10:7400"), ("dns", "203.0.113.10:53")] {
        let line = format!("role = \"witness\"\n{key} = \"{address}\"\n");
        let shown = check(&with_witnesses(&["c"]).replacen("role = \"witness\"", &line, 1));
        let shown = shown.unwrap_err();
        assert!(shown.contains(&format!("`members.c.{key}`: a witness votes")), "{shown}");
        assert!(shown.contains(&format!("remove {key}, or leave `role` out")), "{shown}");
    }
}

#[test]
fn an_address_is_listened_on_once() {
    let gateway = |lines: &str| {
        let head = "name = \"e\"\ncontrollers = [\"192.0.2.1:7400\"]\nca = \"c\"\ntoken = \"t\"\n";
        let text = format!("{head}{lines}");
        parse_gateway(Path::new("g"), &text).map(|_| ()).map_err(|faults| faults.to_string())
    };
    let two = |one: &str, other: &str| {
        let listen = |at| format!("[[listen]]\naddress = \"{at}\"\nroute = \"web\"\n");
        gateway(&format!("{}{}", listen(one), listen(other)))
    };
    assert_eq!(two("192.0.2.9:80", "192.0.2.9:81"), Ok(()));
    assert_eq!(two("192.0.2.9:80", "192.0.2.10:80"), Ok(()));
    assert_eq!(two("[::1]:80", "0.0.0.0:80"), Ok(()));
    assert_eq!(two("127.0.0.1:0", "127.0.0.1:0"), Ok(()), "each is given a port of its own");
    let equal = two("192.0.2.9:80", "192.0.2.9:80").unwrap_err();
    let words = "g:9:11: `listen[1].address`: 192.0.2.9:80 is `address` of listen[0] too (line 6)";
    assert!(equal.starts_with(words), "{equal}");
    for (one, other) in [("0.0.0.0:80", "192.0.2.9:80"), ("192.0.2.9:80", "[::]:80")] {
        let shown = two(one, other).unwrap_err();
        let words = format!("{other} takes the port of {one}, `address` of listen[0] (line 6)");
        assert!(shown.contains(&words), "{shown}");
    }
    // The admin address too, written or not.
    let shown = two("192.0.2.9:80", "127.0.0.1:7460").unwrap_err();
    assert!(shown.contains("127.0.0.1:7460 is `admin`"), "{shown}");
    let admin =
        "admin = \"192.0.2.9:80\"\n[[listen]]\naddress = \"192.0.2.9:80\"\nroute = \"web\"\n";
    let shown = gateway(admin).unwrap_err();
    assert!(shown.contains("192.0.2.9:80 is `admin` too (line 5)"), "{shown}");

    let node = include_str!("../../config/node.toml");
    let with = |lines: &str| {
        let text = node.replace("dns_threads = 1", lines);
        parse_node(Path::new("n"), &text).map(|_| ()).map_err(|faults| faults.to_string())
    };
    let shown =
        with("member_listen = \"0.0.0.0:7400\"\napi_listen = \"192.0.2.1:7400\"").unwrap_err();
    assert!(shown.contains("takes the port of 0.0.0.0:7400, `member_listen` (line 14)"), "{shown}");
    let shown = with("api_listen = \"[::]:53\"\ndns_listen = \"[::]:53\"").unwrap_err();
    assert!(shown.contains("`dns_listen`: [::]:53 is `api_listen` too (line 14)"), "{shown}");
    assert_eq!(with("api_listen = \"0.0.0.0:7400\"\ndns_listen = \"0.0.0.0:53\""), Ok(()));

    let client =
        "controllers = [\n\"192.0.2.1:7400\",\n\"192.0.2.1:7400\",\n]\nca = \"c\"\ntoken = \"t\"\n";
    let shown = parse_client(Path::new("c"), client).unwrap_err().to_string();
    assert!(
        shown.starts_with("c:3:1: `controllers`: 192.0.2.1:7400 stands here twice (line 2)"),
        "{shown}"
    );
}

#[test]
fn observers_beside_the_members_count_and_clash_with_nobody() {
    let with = |more: &str| check(&format!("{EXAMPLE}\n{more}"));
    let one = "[observers.probe-1]\nid = 101\nsite = \"fourth\"\n";
    let two = "[observers.probe-2]\nid = 102\nsite = \"fourth\"\n";
    let cluster = with(&format!("{one}{two}")).unwrap().cluster;
    assert_eq!((cluster.voting().majority(), cluster.observing().majority()), (2, 3));
    assert_eq!((cluster.voters().len(), cluster.needs_ruleset()), (3, 3));
    assert_eq!(cluster.sites().len(), 4);
    let faults = [
        (one.replace("101", "2"), "2 is the id of member `b` too (line 21)"),
        (format!("{one}{}", two.replace("102", "101")), "101 is the id of observer `probe-1` too"),
        (one.replace("probe-1", "a"), "`a` is a member"),
        (one.replace("site = \"fourth\"", ""), "`observers.probe-1.site`: is missing"),
    ];
    for (text, words) in faults {
        let shown = with(&text).unwrap_err();
        assert!(shown.contains(words), "{shown}");
    }
    let many = |count: u64| -> String {
        let one = |n| format!("[observers.p{n}]\nid = {}\nsite = \"s{n}\"\n", 100 + n);
        (0..count).map(one).collect()
    };
    with(&many(limits::OBSERVERS.max)).unwrap();
    let shown = with(&many(limits::OBSERVERS.max + 1)).unwrap_err();
    assert!(shown.contains("there are 17 observers; the limit is 16"), "{shown}");
    // Half of all eyes at one site, and it takes the quorum of observers with it.
    let crowd = format!("{one}{two}[observers.probe-3]\nid = 103\nsite = \"fourth\"\n");
    let warned = with(&crowd).unwrap().warnings.join("\n");
    assert!(warned.contains("takes the quorum of observers"), "{warned}");
}

#[test]
fn sites_that_take_the_quorum_and_two_sites_are_warned_of() {
    let checked = check(&edited("site = \"third\"", "site = \"west\"")).unwrap();
    let all = checked.warnings.join("\n");
    assert!(all.contains("the loss of site west takes the quorum"), "{all}");
    assert!(all.contains("automation is off"), "{all}");
}

#[test]
fn ten_thousand_services_are_read_and_their_probe_load_is_counted() {
    use std::fmt::Write as _;
    let with = |endpoints: u32| {
        let mut text = EXAMPLE.to_owned();
        for n in 0..10_000 {
            let (high, low) = (n % endpoints / 250, n % endpoints % 250);
            let _ = writeln!(
                text,
                "[services.s{n}]\nendpoints = {{ east = \"10.1.{high}.{low}:80\", west = \"10.2.{high}.{low}:80\" }}\n\
                 [services.s{n}.checks.port]\nkind = \"tcp\""
            );
        }
        check(&text)
    };
    assert_eq!(with(50).unwrap().cluster.services.len(), 10_002);
    let shown = with(10_000).unwrap_err();
    assert!(shown.contains("would start up to 1000"), "{shown}");
}

#[test]
fn the_rate_of_probes_is_taken_at_its_limit_and_refused_one_beyond() {
    use std::fmt::Write as _;
    // The example itself: six targets of services, four of isolation, each five times a second.
    let mut text = EXAMPLE.to_owned();
    let mut add = |name: String, endpoints: [u32; 2], interval: &str| {
        let [east, west] = endpoints.map(|port| format!("10.1.0.1:{}", 1 + port));
        let _ = writeln!(
            text,
            "[services.{name}]\nendpoints = {{ east = \"{east}\", west = \"{west}\" }}\n\
             [services.{name}.checks.port]\nkind = \"tcp\"\ninterval = \"{interval}\"\nfast_interval = \"{interval}\""
        );
        text.clone()
    };
    for n in 0..498 {
        add(format!("s{n}"), [2 * n, 2 * n + 1], "50ms");
    }
    add("t".to_owned(), [2_000, 2_001], "100ms");
    let at_the_limit = add("u".to_owned(), [2_002, 2_003], "200ms");
    assert_eq!(limits::PROBE_RATE.max, 50 + 498 * 40 + 20 + 10);
    check(&at_the_limit).unwrap();
    // The same endpoint on both planes is one target, and one each second is the least.
    let shown = check(&add("v".to_owned(), [2_004, 2_004], "1h")).unwrap_err();
    assert!(shown.contains("would start up to 20001 probes a second"), "{shown}");
    assert!(shown.contains("the limit is 20000"), "{shown}");
}

#[test]
fn limits_page_is_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/limits.md");
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(path, limits::page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), limits::page());
}

#[test]
fn two_routes_with_one_front_door_are_warned_of() {
    let more = "[routes.web2]\ngroup = \"shop\"\nupstream = { east = \"192.0.2.20:1\", west = \"192.0.2.21:1\" }\n\
                front_door = \"203.0.113.80:443\"\n";
    let warnings = check(&format!("{EXAMPLE}\n{more}")).unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].starts_with("routes.web.front_door and routes.web2.front_door are both"),
        "{warnings:?}"
    );
}

#[test]
fn a_front_door_that_is_an_upstream_is_warned_of() {
    let upstream = "front_door = \"192.0.2.20:443\"";
    let checked = check(&edited("front_door = \"203.0.113.80:443\"", upstream)).unwrap();
    let all = checked.warnings.join("\n");
    assert!(all.contains("is the upstream of plane east"), "{all}");
}

#[test]
fn a_cluster_that_no_log_entry_can_carry_is_refused() {
    use std::fmt::Write as _;
    let with = |groups: usize| {
        let mut text = EXAMPLE.to_owned();
        let header = "x".repeat(4_000);
        for n in 0..groups {
            let _ = writeln!(
                text,
                "[services.s{n}]\nendpoints = {{ east = \"10.1.0.1:80\", west = \"10.2.0.1:80\" }}\n\
                 [services.s{n}.checks.page]\nkind = \"http\"\nbody_contains = \"{header}\""
            );
        }
        check(&text)
    };
    with(2_500).unwrap();
    let shown = with(3_500).unwrap_err();
    assert!(shown.contains("as one log entry; the limit is"), "{shown}");
}

/// Reads a text as every kind of file, and shows what comes out.
fn read_as_every_kind(text: &str) {
    let file = Path::new("f.toml");
    let faults = [
        parse_cluster("f", text).err(),
        parse_node(file, text).err(),
        parse_gateway(file, text).err(),
        parse_client(file, text).err(),
    ];
    for faults in faults.into_iter().flatten() {
        assert!(!faults.list().is_empty());
        assert!(faults.to_string().chars().all(|c| c == '\n' || !c.is_control()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn arbitrary_bytes_end_in_faults(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        match text_of("f", bytes.clone()) {
            Ok(text) => read_as_every_kind(&text),
            Err(faults) => prop_assert!(!faults.to_string().is_empty()),
        }
        read_as_every_kind(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn words_of_the_grammar_in_any_order_end_in_faults(
        words in prop::collection::vec(prop::sample::select(WORDS), 0..60),
    ) {
        read_as_every_kind(&words.concat());
    }
}

const WORDS: &[&str] = &[
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\n",
    " ",
    "\"",
    "'",
    "\"\"\"",
    "#",
    "1",
    "-",
    "0x",
    "1e9",
    "nan",
    "true",
    "planes",
    "members",
    "services",
    "groups",
    "zones",
    "routes",
    "timing",
    "references",
    "listen",
    "controllers",
    "east",
    "west",
    "a",
    "id",
    "checks",
    "kind",
    "\"http\"",
    "\"1s\"",
    "endpoints",
    "\"h:1\"",
    "log",
    "name",
    "2026-11-24",
    "\u{e9}",
    "\t",
    "\\u0000",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn a_mutated_file_never_panics(at in 0..EXAMPLE.len(), byte in any::<char>(), cut in any::<bool>()) {
        let mut text: String = EXAMPLE.chars().collect();
        let at = (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        if cut { text.truncate(at) } else { text.insert(at, byte) }
        if let Err(faults) = parse_cluster("c", &text) {
            let _ = faults.to_string();
        }
    }
}
