//! A configuration in the place of another: what moves, what stays, what is refused.

use super::*;
use crate::kernel::domain::{CheckName, Endpoint, ProbeKind, ProbeTarget, TlsProbe};
use crate::kernel::health::Check;
use crate::kernel::zone::NameServer;

/// A book whose ruleset knows how.
fn book() -> Book {
    let mut book = Book::new();
    book.log(vec![Command::Raise { ruleset: RULESET }]);
    book
}

fn refusal(outcome: Outcome) -> RefusalReason {
    match outcome {
        Outcome::Refused(reason) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

fn check(port: u16) -> Check {
    let target = |host: &str| {
        std::sync::Arc::new(ProbeTarget {
            endpoint: Endpoint { host: host.to_owned(), port },
            kind: ProbeKind::Tcp,
            timeout: secs(1),
        })
    };
    Check {
        targets: BTreeMap::from([
            (plane("east"), target("10.0.0.1")),
            (plane("west"), target("10.0.0.2")),
        ]),
        interval: secs(1),
        fast_interval: secs(1),
        fall: 3,
        rise: 2,
        slow: None,
    }
}

#[test]
fn a_kind_of_probe_that_old_members_cannot_read_needs_a_ruleset() {
    let mut cluster = wider();
    assert_eq!(cluster.needs_ruleset(), 1);
    let service = cluster.services.values_mut().next().expect("it has services");
    let mut newer = check(443);
    let tls = TlsProbe { host: String::new(), tls_verify: true, days: 14 };
    let target = newer.targets.values_mut().last().expect("it has targets");
    std::sync::Arc::make_mut(target).kind = ProbeKind::Tls(tls);
    service.checks.insert(CheckName::new("certificate").expect("a name"), newer);
    assert_eq!(cluster.needs_ruleset(), 3, "one target is enough");
}

#[test]
fn a_new_group_starts_at_its_home_and_no_other_moves() {
    let mut book = book();
    let Outcome::Switchover(moved, _) = book.switch(Kind::Forced, "shop", "west") else { panic!() };
    book.advance(moved, Event::Route);
    let (shop, mail) = (book.epoch("shop"), book.epoch("mail"));
    let mut new = wider();
    for group in new.groups.values_mut() {
        group.home = plane("west");
    }
    // In flight: its services stay, so it does not stand in the way.
    assert_eq!(book.configure(new), Outcome::Configured(2));
    assert_eq!((book.on("shop").as_str(), book.epoch("shop")), ("west", shop));
    assert_eq!((book.on("mail").as_str(), book.epoch("mail")), ("east", mail));
    assert_eq!(book.on("files"), "west");
    assert_eq!(book.epoch("files").counter, book.ledger.index());
    assert_eq!(book.ledger.revision(), book.ledger.index());
    assert_eq!(book.ledger.group_of(&service("dav")), Some(&group("files")));
}

#[test]
fn a_group_that_comes_back_has_an_epoch_that_it_never_had() {
    let mut book = book();
    assert_eq!(book.configure(wider()), Outcome::Configured(2));
    let (first, serial) = (book.epoch("files"), book.ledger.serials()["files.test"]);
    assert_eq!(book.configure(cluster()), Outcome::Configured(3));
    assert!(!book.ledger.routes().contains_key(&group("files")));
    assert!(!book.ledger.groups().contains_key(&group("files")));
    assert_eq!(book.ledger.group_of(&service("dav")), None);
    assert_eq!(book.configure(wider()), Outcome::Configured(4));
    assert!(book.epoch("files") > first);
    assert!(book.ledger.serials()["files.test"] > serial);
}

#[test]
fn a_serial_grows_with_its_zone_and_only_with_it() {
    let mut book = book();
    let mut new = cluster();
    new.zones.get_mut("shop.test").expect("it is there").ttl = 7;
    let before = book.ledger.serials().clone();
    book.configure(new);
    let after = book.ledger.serials();
    assert_eq!(after["shop.test"], before["shop.test"] + 1);
    assert_eq!(after["mail.test"], before["mail.test"]);
}

#[test]
fn ballots_of_the_old_configuration_do_not_decide_in_the_new_one() {
    let mut book = book();
    let question = book.ask("shop");
    book.all_vote(question, "web=du");
    book.configure(wider());
    let applied = book.decide(question, "shop", "west");
    assert_eq!(refused(&applied), [&RefusalReason::QuestionClosed(question)]);
    let old = Command::Question { groups: [group("shop")].into(), config: 1, why: String::new() };
    assert_eq!(refused(&book.log(vec![old])), [&RefusalReason::OtherConfiguration(1)]);
}

#[test]
fn what_was_seen_through_other_checks_is_forgotten_and_the_rest_is_not() {
    let mut book = book();
    book.all_report("web=du imap=dd");
    let mut new = cluster();
    let web = new.services.get_mut(&service("web")).expect("it is there");
    web.checks.insert(CheckName::new("port").expect("a good name"), check(80));
    book.configure(new);
    let said = |name: &str| book.ledger.voice(MemberId(1), &service(name), 0, Evidence::Reports);
    assert_eq!(said("web").to_string(), "unknown");
    assert_eq!(said("imap").to_string(), "down");
}

#[test]
fn services_that_a_switchover_is_using_do_not_go() {
    let mut book = book();
    let Outcome::Switchover(moving, _) = book.switch(Kind::Planned, "shop", "west") else {
        panic!("it is taken");
    };
    let mut fewer = cluster();
    fewer.services.remove(&service("stats"));
    fewer.groups.get_mut(&group("shop")).expect("it is there").services.truncate(1);
    let busy = RefusalReason::Busy(group("shop"), moving);
    assert_eq!(refusal(book.configure(fewer.clone())), busy);
    book.advance(moving, Event::Abandon);
    assert_eq!(book.configure(fewer), Outcome::Configured(2));
}

/// A group under another name is another group, which begins at its home: users of its names must not go there unasked.
#[test]
fn a_configuration_that_would_move_users_is_refused_whatever_they_follow() {
    let mut book = book();
    let Outcome::Switchover(moved, _) = book.switch(Kind::Forced, "shop", "west") else { panic!() };
    book.advance(moved, Event::Route);
    let renamed = |home: &str| {
        let mut cluster = cluster();
        let settings = cluster.groups.remove(&group("shop")).expect("it is there");
        cluster.groups.insert(group("store"), Group { home: plane(home), ..settings });
        for name in cluster.zones.values_mut().flat_map(|zone| &mut zone.names) {
            if name.group == group("shop") {
                name.group = group("store");
            }
        }
        cluster
    };
    book.advance(moved, Event::Verify);
    book.advance(moved, Event::Verified);
    let refused = refusal(book.configure(renamed("east")));
    let RefusalReason::WouldMove { from, to, group: by, .. } = &refused else {
        panic!("{refused}")
    };
    assert_eq!((from.as_str(), to.as_str(), by), ("west", "east", &group("store")));
    // A name, or a gateway's route, that is given to a group on the other plane.
    let mut given = cluster();
    for name in given.zones.values_mut().flat_map(|zone| &mut zone.names) {
        name.group = group("mail");
    }
    assert!(matches!(refusal(book.configure(given)), RefusalReason::WouldMove { .. }));
    // Under a zone of its own, too: it answers before the wider one.
    let mut deeper = cluster();
    let mut own = deeper.zones["shop.test"].clone();
    own.names.retain(|name| name.group == group("shop"));
    let name = own.names[0].name.to_string();
    own.origin.clone_from(&name);
    own.names[0].group = group("mail");
    deeper.zones.insert(name, own);
    assert!(matches!(refusal(book.configure(deeper)), RefusalReason::WouldMove { .. }));
    let routed = |to: &str| {
        let upstream = [("east", "10.0.0.1"), ("west", "10.0.0.2")]
            .map(|(name, host)| (plane(name), Endpoint { host: host.to_owned(), port: 80 }));
        let upstream = upstream.into_iter().collect();
        let mut cluster = cluster();
        let route = GatewayRoute { group: group(to), upstream, front_door: None };
        cluster.routes.insert(service("web"), route);
        cluster
    };
    assert_eq!(book.configure(routed("shop")), Outcome::Configured(2));
    assert!(matches!(refusal(book.configure(routed("mail"))), RefusalReason::WouldMove { .. }));
    // Where it begins where users are, nobody moves.
    assert_eq!(book.configure(renamed("west")), Outcome::Configured(3));
    assert_eq!(book.on("store"), "west");
}

#[test]
fn only_what_the_author_saw_is_replaced_and_a_repetition_does_no_harm() {
    let mut book = book();
    let old = book.config_command(1, cluster());
    let first = book.config_command(1, wider());
    let again = ConfigCommand { request: key(1, 99), ..first.clone() };
    assert_eq!(book.settle(Command::Reconfigure(first.clone())), Outcome::Configured(2));
    assert_eq!(book.settle(Command::Reconfigure(first)), Outcome::Configured(2), "the same entry");
    assert_eq!(book.settle(Command::Reconfigure(again)), Outcome::Configured(2), "sent again");
    let stale = RefusalReason::StaleConfiguration { base: 1, current: 2 };
    assert_eq!(refusal(book.settle(Command::Reconfigure(old))), stale);
    assert_eq!(book.ledger.config_version(), 2);
}

#[test]
fn what_is_fixed_is_refused_by_its_name() {
    type Change = fn(&mut Cluster);
    let change: [(&str, Change); 5] = [
        ("name", |c| c.name = MemberName::new("other").expect("a good name")),
        ("planes", |c| c.planes.swap(0, 1)),
        ("members", |c| c.members.retain(|id, _| id.0 != 3)),
        ("consensus", |c| c.timing.tick = Duration::from_millis(7)),
        ("consensus", |c| c.timing.election_max = secs(9)),
    ];
    let mut book = book();
    for (word, change) in change {
        let mut new = wider();
        change(&mut new);
        let RefusalReason::Fixed(what) = refusal(book.configure(new)) else { panic!("{word}") };
        assert!(what.contains(word), "{what}");
    }
}

#[test]
fn members_addresses_in_a_configuration_are_not_used() {
    let mut book = book();
    let mut new = wider();
    for member in new.members.values_mut() {
        member.dns_address.as_mut().expect("a controller").set_port(5353);
    }
    assert_eq!(changes(&cluster(), &new).0, changes(&cluster(), &wider()).0);
    book.configure(new);
    let config = book.ledger.config().expect("configured");
    assert_eq!(config.members, cluster().members);
}

#[test]
fn so_many_texts_are_kept_and_the_oldest_goes_first() {
    let mut book = book();
    let text = |text: &str| Command::ConfigText { version: 1, text: text.to_owned() };
    book.log(vec![text("first")]);
    assert_eq!(refused(&book.log(vec![text("again")])), [&RefusalReason::OtherConfiguration(1)]);
    assert_eq!(book.ledger.configs()[&1].text, "first");
    let kept = u64::try_from(limits::CONFIGS_KEPT).expect("a small number");
    for version in 2..=kept {
        assert_eq!(book.configure(cluster()), Outcome::Configured(version));
    }
    assert!(book.ledger.configs().contains_key(&1), "exactly as many as are kept");
    book.configure(cluster());
    assert_eq!(
        book.ledger.configs().keys().copied().collect::<Vec<_>>(),
        (2..=kept + 1).collect::<Vec<_>>()
    );
    let large = ConfigCommand {
        text: "#".repeat(limits::CONFIGS_BYTES + 1),
        ..book.config_command(kept + 1, cluster())
    };
    book.settle(Command::Reconfigure(large));
    assert_eq!(book.ledger.configs().keys().copied().collect::<Vec<_>>(), [kept + 2]);
}

#[test]
fn below_its_ruleset_it_is_refused_as_an_older_version_does() {
    let mut book = Book::new();
    let before = book.ledger.configs().len();
    let command = book.config_command(1, wider());
    let applied = book.log(vec![Command::Reconfigure(command)]);
    assert!(matches!(
        applied.as_slice(),
        [Applied::Refused(Refused::Command, RefusalReason::Unknown(_))]
    ));
    book.log(vec![Command::ConfigText { version: 1, text: "x".to_owned() }]);
    assert_eq!((book.ledger.config_version(), book.ledger.configs().len()), (1, before));
}

#[test]
fn changes_are_keys_of_the_file_with_what_was_and_what_is() {
    let mut new = wider();
    new.groups.remove(&group("mail"));
    new.timing.verify_timeout = secs(9);
    let (found, all) = changes(&cluster(), &new);
    let paths: Vec<&str> = found.iter().map(|change| change.path.as_str()).collect();
    let expected = [
        "groups.files",
        "groups.mail",
        "services.dav",
        "timing.verify_timeout",
        "zones.\"files.test\"",
    ];
    assert_eq!((paths.as_slice(), all), (&expected[..], 5));
    assert!(found[1].is.is_none() && found[0].was.is_none());
    assert_eq!((&found[3].was, &found[3].is), (&Some("5s".into()), &Some("9s".into())));
    assert_eq!(changes(&new, &new), (Vec::new(), 0));
}

#[test]
fn of_a_list_it_is_told_what_is_new_and_what_is_gone() {
    type Lists = (&'static [&'static str], &'static [&'static str]);
    let one = |(was, is): Lists| {
        let with = |services: &[&str]| {
            let mut cluster = cluster();
            let services = services.iter().map(|name| service(name)).collect();
            cluster.groups.get_mut("shop").expect("it is there").services = services;
            cluster
        };
        let (mut found, all) = changes(&with(was), &with(is));
        assert_eq!(all, 1, "{was:?} {is:?}");
        let change = found.remove(0);
        assert_eq!(change.path, "groups.shop.services");
        assert_eq!(change.is, Some(is.into()));
        let words = |list: Vec<serde_json::Value>| -> Vec<String> {
            list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
        };
        (words(change.added), words(change.removed))
    };
    assert_eq!(one((&["web"], &["web", "stats"])), (vec!["stats".to_owned()], Vec::new()));
    let swapped = one((&["web", "stats"], &["imap", "stats"]));
    assert_eq!(swapped, (vec!["imap".to_owned()], vec!["web".to_owned()]));
    assert_eq!(one((&["web", "stats"], &["stats", "web"])), (Vec::new(), Vec::new()));
}

#[test]
fn another_order_of_a_zones_servers_is_a_change() {
    let (old, mut new) = (wider(), wider());
    let origin = new.zones.keys().next().expect("there is one").clone();
    let servers = |cluster: &mut Cluster, change: fn(&mut Vec<NameServer>)| {
        change(&mut cluster.zones.get_mut(&origin).expect("it is there").name_servers);
    };
    servers(&mut new, |servers| {
        let server = |name: &str| NameServer { name: name.to_owned(), addresses: Vec::new() };
        servers.extend([server("ns8.test"), server("ns9.test")]);
    });
    assert_eq!(changes(&old, &new).1, 2);
    let mut turned = new.clone();
    servers(&mut turned, |servers| servers.reverse());
    let path = format!("zones.{}", key_as_written(&origin));
    assert_eq!(changes(&new, &turned), (vec![Change { path, ..Change::default() }], 1));
}
