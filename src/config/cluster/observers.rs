//! Observers beside the members.

use std::collections::BTreeMap;

use super::super::limits;
use super::super::reader::Section;
use super::{Ids, named_sections};
use crate::kernel::domain::{MemberId, MemberName, SiteName};
use crate::kernel::ledger::{Member, Observer};

pub(super) fn read(
    top: &Section<'_>,
    members: &BTreeMap<MemberId, Member>,
    ids: &mut Ids,
) -> BTreeMap<MemberId, Observer> {
    let mut observers: BTreeMap<MemberId, Observer> = BTreeMap::new();
    let sections = named_sections(top, "observers", MemberName::new);
    let count = u64::try_from(sections.len()).unwrap_or(u64::MAX);
    for (name, section) in sections {
        if members.values().any(|member| member.name == name.value) {
            let what = format!("`{}` is a member, and members probe anyway", name.value);
            section.fault(&name.place, "", what, "choose another name");
        }
        let limit = limits::NumberLimit {
            key: "id",
            default: None,
            min: 1,
            max: u64::MAX >> 1,
            meaning: "",
        };
        let id = section.number("id", &limit).map(MemberId);
        let site = section.parsed("site", "the name of the site where it stands", SiteName::new);
        let own = id.filter(|id| ids.take(&section, *id, format!("observer `{}`", name.value)));
        if let (Some(id), Some(site)) = (own, site) {
            observers.insert(id, Observer { id, name: name.value, site });
        }
        section.finish();
    }
    if count > limits::OBSERVERS.max {
        let what = format!("there are {count} observers; the limit is {}", limits::OBSERVERS.max);
        let place = top.place_of("observers");
        top.fault(&place, "observers", what, "write fewer: one for each place to look from");
    }
    observers
}
