//! Groups and their policies.

use std::collections::BTreeMap;

use super::super::limits;
use super::super::reader::Section;
use super::services::Services;
use super::{Named, named_sections_or};
use crate::kernel::domain::{GroupName, PlaneName, ServiceName};
use crate::kernel::ledger::{
    Budget, FlapLimit, Group, Mode, OnSwitch, OutWhen, Policy, WhenBothDown,
};

/// Groups by name.
pub(super) type Groups = Named<GroupName, Group>;

/// Names that mean something else where a group is named.
const TAKEN: &[&str] = &["last"];

pub(super) fn read(
    top: &Section<'_>,
    planes: Option<&[PlaneName; 2]>,
    services: &Services,
) -> Groups {
    let mut groups = Groups::new();
    let mut unread = Vec::new();
    let note = |name: &str| unread.push(name.to_owned());
    let mut owner: BTreeMap<ServiceName, GroupName> = BTreeMap::new();
    for (name, section) in named_sections_or(top, "groups", GroupName::new, note) {
        if TAKEN.contains(&name.value.as_str()) {
            let what = "means the last switchover on the command line and in the API".to_owned();
            section.fault(&name.place, "", what, "choose another name");
        }
        let group = read_group(&section, planes, services, &name.value, &mut owner);
        section.finish();
        groups.note(name, group);
    }
    groups.faulty.extend(unread);
    groups
}

fn read_group(
    section: &Section<'_>,
    planes: Option<&[PlaneName; 2]>,
    services: &Services,
    name: &GroupName,
    owner: &mut BTreeMap<ServiceName, GroupName>,
) -> Option<Group> {
    refuse_exclusive(section);
    let members = read_members(section, services, name, owner);
    let out_when = read_out_when(section, services, &members);
    let home = section.parsed_or_none("home", "the plane that serves it at first", |text| {
        let plane = PlaneName::new(text).map_err(|error| error.to_string())?;
        let known = planes.is_none_or(|planes| planes.contains(&plane));
        if known { Ok(plane) } else { Err(format!("`{text}` is not one of the two planes")) }
    });
    let home = home.or_else(|| {
        (!section.has("home")).then(|| planes.map(|planes| planes[0].clone())).flatten()
    });
    let policy = read_policy(section);
    let on_switch =
        section.choice("on_switch", &[("drain", OnSwitch::Drain), ("cut", OnSwitch::Cut)]);
    Some(Group { services: members.sound, out_when, home: home?, policy, on_switch })
}

fn read_out_when(section: &Section<'_>, services: &Services, members: &Members) -> OutWhen {
    let words = [("any_critical", OutWhen::AnyCritical)];
    let out_when =
        section.word_or_at_least("out_when", &words, &limits::AT_LEAST, OutWhen::AtLeast);
    // Of a service that could not be read nobody knows whether it is critical.
    if members.faulty {
        return out_when;
    }
    let is_critical =
        |service: &&ServiceName| services.sound.get(*service).is_some_and(|s| s.value.critical);
    let critical = members.sound.iter().filter(is_critical).count();
    if critical == 0 && !members.sound.is_empty() {
        let what = "has no critical service: nothing could ever move it".to_owned();
        section.fault(&section.place_of("services"), "services", what, "make one of them critical");
    }
    if let OutWhen::AtLeast(wanted) = out_when
        && wanted > critical
    {
        let what = format!("at_least = {wanted}, but only {critical} services are critical");
        section.fault(&section.place_of("out_when"), "out_when", what, "ask for fewer");
    }
    out_when
}

/// The services that a group names.
#[derive(Default)]
struct Members {
    sound: Vec<ServiceName>,
    /// Whether it names others, too.
    faulty: bool,
}

fn refuse_exclusive(section: &Section<'_>) {
    let kind = section.text_or_none("kind", "\"shared\"");
    let Some(kind) = kind.filter(|kind| kind.value != "shared") else { return };
    let (what, write) = if kind.value == "exclusive" {
        (
            "exclusive groups need leases and agents, which this version does not have".to_owned(),
            "do not run a plane that writes under this version; write kind = \"shared\" only if both planes \
             may serve at the same time",
        )
    } else {
        (format!("`{}` is not a kind", kind.value), "write kind = \"shared\"")
    };
    section.fault(&kind.place, "kind", what, write);
}

fn read_members(
    section: &Section<'_>,
    services: &Services,
    name: &GroupName,
    owner: &mut BTreeMap<ServiceName, GroupName>,
) -> Members {
    let list = section.list("services", "a list of services, for example [\"web\"]");
    if section.is_empty("services") {
        let place = section.place_of("services");
        section.fault(&place, "services", "has no services".to_owned(), "name at least one");
    }
    let mut members = Members::default();
    for item in list {
        let named = ServiceName::new(&item.value).ok();
        let Some(service) = named.filter(|name| services.sound.contains_key(name)) else {
            members.faulty = true;
            if !services.faulty.contains(&item.value) {
                let what = format!("there is no service `{}`", item.value);
                let write = services.instead(&item.value, "services");
                section.fault(&item.place, "services", what, &write);
            }
            continue;
        };
        if let Some(other) = owner.insert(service.clone(), name.clone()) {
            let what = format!("service `{service}` belongs to group `{other}` already");
            section.fault(&item.place, "services", what, "a service moves with one group only");
            continue;
        }
        members.sound.push(service);
    }
    members
}

fn read_policy(section: &Section<'_>) -> Policy {
    let modes = [("ask", Mode::Ask), ("auto", Mode::Auto), ("observe", Mode::Observe)];
    let mode = section.choice("mode", &modes);
    let dwell = section.time("dwell", &limits::DWELL);
    let default = Budget {
        switches: 3,
        window: limits::BUDGET_WINDOW.default.unwrap_or(limits::BUDGET_WINDOW.min),
    };
    let budget = section.section("budget").map_or(default, |budget| {
        let switches = budget.number("switches", &limits::BUDGET_SWITCHES);
        let window = budget.time("window", &limits::BUDGET_WINDOW);
        budget.finish();
        let switches = switches.and_then(|n| u32::try_from(n).ok()).unwrap_or(default.switches);
        Budget { switches, window }
    });
    let default = FlapLimit {
        downs: 3,
        window: limits::FLAP_WINDOW.default.unwrap_or(limits::FLAP_WINDOW.min),
    };
    let flap = section.section("flap_limit").map_or(default, |flap| {
        let downs = flap.number("downs", &limits::FLAP_DOWNS);
        let window = flap.time("window", &limits::FLAP_WINDOW);
        flap.finish();
        let downs = downs.and_then(|n| u32::try_from(n).ok()).unwrap_or(default.downs);
        FlapLimit { downs, window }
    });
    let both = [("keep", WhenBothDown::Keep), ("refuse", WhenBothDown::Refuse)];
    Policy {
        mode,
        dwell,
        budget: Some(budget),
        flap_limit: Some(flap),
        when_both_down: section.choice("when_both_down", &both),
        degraded_is_out: section.boolean("degraded_is_out", false),
        ask_expires: section.time("ask_expires", &limits::ASK_EXPIRES),
    }
}

/// The name of a group that must be there.
pub(super) fn known(
    section: &Section<'_>,
    key: &'static str,
    groups: &Groups,
) -> Option<GroupName> {
    let text = section.text(key, "the name of a group")?;
    let named = GroupName::new(&text.value).ok();
    let sound = named.filter(|group| groups.sound.contains_key(group));
    if sound.is_none() && !groups.faulty.contains(&text.value) {
        let what = format!("there is no group `{}`", text.value);
        section.fault(&text.place, key, what, &groups.instead(&text.value, "groups"));
    }
    sound
}
