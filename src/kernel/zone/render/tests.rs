use std::time::Duration;

use super::*;
use crate::kernel::domain::Epoch;
use crate::kernel::zone::{NameServer, Soa};

fn group(name: &str) -> GroupName {
    GroupName::new(name).expect("a good name")
}

fn plane(name: &str) -> PlaneName {
    PlaneName::new(name).expect("a good name")
}

fn settings() -> ZoneSettings {
    let name = |label: &str, of: &str| ZoneName {
        name: format!("{label}.shop.test"),
        group: group(of),
        addresses: BTreeMap::from([
            (plane("east"), vec!["192.0.2.1".parse().expect("an address")]),
            (plane("west"), vec!["2001:db8::2".parse().expect("an address")]),
        ]),
    };
    ZoneSettings {
        origin: "shop.test".to_owned(),
        ttl: 5,
        soa: Soa {
            mname: "ns1.shop.test".to_owned(),
            rname: "ops.shop.test".to_owned(),
            refresh: 60,
            retry: 10,
            expire: 3600,
            negative_ttl: 5,
        },
        name_servers: vec![NameServer {
            name: "ns1.shop.test".to_owned(),
            addresses: vec!["192.0.2.53".parse().expect("an address")],
        }],
        names: vec![name("www", "web"), name("a.deep", "pay")],
        cut_off: CutOff::Servfail(Duration::from_secs(60)),
    }
}

fn route(to: &str, counter: u64) -> Route {
    Route { plane: plane(to), epoch: Epoch { generation: 1, counter } }
}

#[test]
fn names_follow_their_groups_and_say_at_which_epoch() {
    let routes =
        BTreeMap::from([(group("web"), route("east", 1)), (group("pay"), route("west", 7))]);
    let zone = render(&settings(), 3, |group| routes.get(group));
    assert_eq!(zone.names["www.shop.test"].a.len(), 1);
    assert!(zone.names["www.shop.test"].aaaa.is_empty());
    assert_eq!(zone.names["a.deep.shop.test"].aaaa.len(), 1);
    let txt = &zone.names["_biplane.a.deep.shop.test"].txt[0];
    assert_eq!(txt, "group=pay plane=west epoch=1.7");
    assert_eq!(EpochRecord::from_text(txt).map(|r| r.epoch.counter), Some(7));
    assert!(zone.names["deep.shop.test"].is_empty(), "an empty non-terminal exists");
    assert_eq!(zone.names["shop.test"].ns, ["ns1.shop.test"]);
    assert_eq!(zone.names["ns1.shop.test"].a.len(), 1);
}

#[test]
fn a_name_without_a_route_is_left_out_whole() {
    let zone = render(&settings(), 3, |_| None);
    assert!(!zone.names.contains_key("www.shop.test"));
    assert!(!zone.names.contains_key("_biplane.www.shop.test"));
}

#[test]
fn rendering_a_change_gives_what_rendering_anew_gives_and_shares_the_rest() {
    let before =
        BTreeMap::from([(group("web"), route("east", 1)), (group("pay"), route("east", 1))]);
    let after =
        BTreeMap::from([(group("web"), route("west", 2)), (group("pay"), route("east", 1))]);
    let settings = settings();
    let old = render(&settings, 3, |group| before.get(group));
    let changed = BTreeSet::from([group("web")]);
    let new = render_changed(&old, &settings, 4, &changed, |group| after.get(group));
    assert_eq!(new, render(&settings, 4, |group| after.get(group)));
    assert!(Arc::ptr_eq(&new.names["a.deep.shop.test"], &old.names["a.deep.shop.test"]));
}

#[test]
fn names_end_at_label_boundaries() {
    assert!(is_under("shop.test", "shop.test"));
    assert!(is_under("a.shop.test", "shop.test"));
    assert!(!is_under("workshop.test", "shop.test"));
}

#[test]
fn serials_skip_zero() {
    assert_eq!(next_serial(u32::MAX), 1);
    assert_eq!(next_serial(1), 2);
}
