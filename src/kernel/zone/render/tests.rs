//! What a zone holds for which routes, and what is shared between renderings.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn group(name: &str) -> GroupName {
    GroupName::new(name).unwrap()
}

fn plane(name: &str) -> PlaneName {
    PlaneName::new(name).unwrap()
}

fn route(to: &str, counter: u64) -> Route {
    Route { plane: plane(to), epoch: Epoch { generation: 1, counter } }
}

fn follows(name: &str, of: &str, east: &[&str], west: &[&str]) -> ZoneName {
    let parse = |all: &[&str]| all.iter().map(|text| text.parse().unwrap()).collect();
    let addresses = [(plane("east"), parse(east)), (plane("west"), parse(west))].into();
    ZoneName { name: name.into(), group: group(of), addresses }
}

fn settings(names: Vec<ZoneName>) -> ZoneSettings {
    ZoneSettings {
        origin: "biplane.test".into(),
        ttl: 5,
        soa: Soa {
            mname: "ns1.biplane.test".into(),
            rname: "admin.biplane.test".into(),
            refresh: 60,
            retry: 10,
            expire: 3600,
            negative_ttl: 2,
        },
        name_servers: vec![
            NameServer {
                name: "ns1.biplane.test".into(),
                addresses: vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
            },
            NameServer { name: "ns.elsewhere.example".into(), addresses: vec![] },
        ],
        names,
        cut_off: CutOff::Servfail(Duration::from_secs(30)),
    }
}

fn shown(zone: &Zone, name: &str) -> RecordSet {
    zone.names.get(name).unwrap_or_else(|| panic!("{name} is missing")).as_ref().clone()
}

type Routes = BTreeMap<GroupName, Route>;

#[test]
fn a_name_shows_the_addresses_of_its_groups_plane_and_its_epoch() {
    let all = settings(vec![follows(
        "shop.biplane.test",
        "shop",
        &["10.0.0.1", "2001:db8::1"],
        &["10.0.0.2"],
    )]);
    let mut routes: Routes = [(group("shop"), route("east", 7))].into();
    let zone = render(&all, 9, |g| routes.get(g));
    assert_eq!(zone.serial, 9);
    let shop = shown(&zone, "shop.biplane.test");
    assert_eq!(shop.a, ["10.0.0.1".parse::<Ipv4Addr>().unwrap()]);
    assert_eq!(shop.aaaa, ["2001:db8::1".parse::<Ipv6Addr>().unwrap()]);
    let text = &shown(&zone, "_biplane.shop.biplane.test").txt[0];
    let record = EpochRecord::from_text(text).unwrap();
    assert_eq!((record.plane, record.epoch.counter), (plane("east"), 7));

    routes.insert(group("shop"), route("west", 8));
    let shop = shown(&render(&all, 10, |g| routes.get(g)), "shop.biplane.test");
    assert_eq!((shop.a.len(), shop.aaaa.len()), (1, 0));
}

#[test]
fn the_apex_names_its_servers_and_only_those_inside_have_addresses() {
    let zone = render(&settings(vec![]), 1, |_| None);
    assert_eq!(shown(&zone, "biplane.test").ns, ["ns1.biplane.test", "ns.elsewhere.example"]);
    let ns1 = shown(&zone, "ns1.biplane.test");
    assert_eq!((ns1.a.len(), ns1.aaaa.len()), (1, 1));
    assert!(!zone.names.contains_key("ns.elsewhere.example"));
}

#[test]
fn an_apex_that_follows_a_route_keeps_its_ns() {
    let all = settings(vec![follows("biplane.test", "shop", &["10.0.0.1"], &["10.0.0.2"])]);
    let east: Routes = [(group("shop"), route("east", 1))].into();
    let west: Routes = [(group("shop"), route("west", 2))].into();
    let before = render(&all, 1, |g| east.get(g));
    let after = render_changed(&before, &all, 2, &[group("shop")].into(), |g| west.get(g));
    for zone in [&before, &after] {
        let apex = shown(zone, "biplane.test");
        assert_eq!((apex.ns.len(), apex.a.len()), (2, 1));
    }
    assert_eq!(shown(&after, "biplane.test").a, ["10.0.0.2".parse::<Ipv4Addr>().unwrap()]);
}

#[test]
fn names_between_exist_and_are_empty() {
    let all = settings(vec![follows("a.b.c.biplane.test", "shop", &["10.0.0.1"], &["10.0.0.2"])]);
    let routes: Routes = [(group("shop"), route("east", 1))].into();
    let zone = render(&all, 1, |g| routes.get(g));
    for between in ["b.c.biplane.test", "c.biplane.test"] {
        assert_eq!(shown(&zone, between), RecordSet::default());
    }
    assert!(!zone.names.contains_key("test"));
}

#[test]
fn a_name_without_route_or_addresses_or_zone_is_left_out_whole() {
    let all = settings(vec![
        follows("a.biplane.test", "none", &["10.0.0.1"], &["10.0.0.2"]),
        follows("x.b.biplane.test", "shop", &[], &["10.0.0.2"]),
        follows("shop.other.test", "shop", &["10.0.0.1"], &["10.0.0.2"]),
        follows("notbiplane.test", "shop", &["10.0.0.1"], &["10.0.0.2"]),
        follows("ns1.biplane.test", "shop", &["10.0.0.1"], &["10.0.0.2"]),
    ]);
    let routes: Routes = [(group("shop"), route("east", 1))].into();
    let zone = render(&all, 1, |g| routes.get(g));
    let names: Vec<&String> = zone.names.keys().collect();
    assert_eq!(names, ["biplane.test", "ns1.biplane.test"]);
    assert_eq!(shown(&zone, "ns1.biplane.test").a, ["127.0.0.1".parse::<Ipv4Addr>().unwrap()]);
}

#[test]
fn names_end_at_label_boundaries() {
    assert!(is_under("shop.test", "shop.test"));
    assert!(is_under("a.shop.test", "shop.test"));
    assert!(!is_under("workshop.test", "shop.test"));
    assert!(!is_under("test", "shop.test"));
}

#[test]
fn addresses_stand_once_and_in_one_order() {
    let twice = ["10.0.0.9", "10.0.0.1", "10.0.0.9"];
    let all = settings(vec![follows("a.biplane.test", "shop", &twice, &["10.0.0.2"])]);
    let routes: Routes = [(group("shop"), route("east", 1))].into();
    let a = shown(&render(&all, 1, |g| routes.get(g)), "a.biplane.test").a;
    assert_eq!(a, [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 9)]);
}

#[test]
fn a_switch_of_one_group_shares_all_the_others() {
    let name = |i: usize| {
        follows(&format!("n{i}.biplane.test"), &format!("g{i}"), &["10.0.0.1"], &["10.0.0.2"])
    };
    let all = settings((0..1000).map(name).collect());
    let mut routes: Routes =
        (0..1000).map(|i| (group(&format!("g{i}")), route("east", 1))).collect();
    let before = render(&all, 1, |g| routes.get(g));
    routes.insert(group("g7"), route("west", 2));
    let after = render_changed(&before, &all, 2, &[group("g7")].into(), |g| routes.get(g));
    let changed: Vec<&String> = before
        .names
        .iter()
        .filter(|(name, set)| !Arc::ptr_eq(set, &after.names[*name]))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(changed, ["_biplane.n7.biplane.test", "n7.biplane.test"]);
    assert!(!same_records(&before, &after));
    assert!(same_records(&before, &Zone { serial: 77, ..before.clone() }));
}

const LABELS: [&str; 4] = ["a", "b", "c", "d"];

/// Up to eight distinct names, one to three labels deep, of three groups; some have no addresses on a plane.
fn some_settings() -> impl Strategy<Value = ZoneSettings> {
    let label = prop::sample::select(&LABELS);
    let path = prop::collection::vec(label, 0..4);
    let one = (0..3_usize, 0..3_usize, 0..3_usize);
    prop::collection::btree_map(path, one, 0..8).prop_map(|names| {
        let lists: [&[&str]; 3] = [&[], &["10.0.0.1"], &["10.0.0.2", "2001:db8::2"]];
        let named = |(path, (g, east, west)): (Vec<&str>, (usize, usize, usize))| {
            let name: String = path.iter().map(|label| format!("{label}.")).collect();
            follows(&format!("{name}biplane.test"), LABELS[g], lists[east], lists[west])
        };
        settings(names.into_iter().map(named).collect())
    })
}

fn some_routes() -> impl Strategy<Value = Routes> {
    let which = prop::sample::select(vec!["east", "west", "south"]);
    let one = prop::option::of((which, 1..4_u64));
    prop::collection::vec(one, 3).prop_map(|all| {
        let given = all.into_iter().enumerate();
        given.filter_map(|(i, r)| r.map(|(p, e)| (group(LABELS[i]), route(p, e)))).collect()
    })
}

proptest! {
    #[test]
    fn rendering_what_changed_equals_rendering_all(
        all in some_settings(), before in some_routes(), after in some_routes(),
    ) {
        let changed = LABELS.iter().map(|l| group(l)).filter(|g| before.get(g) != after.get(g));
        let changed: BTreeSet<GroupName> = changed.collect();
        let old = render(&all, 1, |g| before.get(g));
        let new = render_changed(&old, &all, 2, &changed, |g| after.get(g));
        prop_assert_eq!(&new, &render(&all, 2, |g| after.get(g)));
        if changed.is_empty() {
            prop_assert!(same_records(&old, &new));
        }
    }

    #[test]
    fn only_names_between_others_and_the_apex_are_empty(all in some_settings(), routes in some_routes()) {
        let zone = render(&all, 1, |g| routes.get(g));
        for (name, set) in &zone.names {
            let below = zone.names.keys().any(|other| other.ends_with(&format!(".{name}")));
            prop_assert!(!set.is_empty() || below, "{} is empty", name);
            let parent = name.split_once('.').map_or("", |(_, rest)| rest);
            prop_assert!(*name == zone.origin || zone.names.contains_key(parent), "{} hangs", name);
        }
        for name in &all.names {
            let due = routes.get(&name.group).and_then(|r| name.addresses.get(&r.plane));
            let due = due.is_some_and(|addresses| !addresses.is_empty());
            let set = zone.names.get(&name.name);
            let has = set.is_some_and(|set| !set.a.is_empty() || !set.aaaa.is_empty());
            prop_assert_eq!(due, has, "{}", name.name);
            let epoch = zone.names.get(&format!("_biplane.{}", name.name));
            prop_assert_eq!(due, epoch.is_some_and(|set| set.txt.len() == 1));
        }
    }

    #[test]
    fn an_epoch_record_reads_back(counter: u64, generation: u32, to in "[a-z][a-z0-9]{0,62}") {
        let epoch = Epoch { generation, counter };
        let record = EpochRecord { group: group("shop"), plane: plane(&to), epoch };
        let text = record.to_text();
        prop_assert!(text.len() <= 255);
        prop_assert_eq!(EpochRecord::from_text(&text), Some(record));
    }
}
