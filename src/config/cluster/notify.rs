//! Who is told of alarms.

use std::collections::BTreeMap;

use super::super::limits;
use super::super::reader::Section;
use super::named_sections;
use crate::edge::notify::Address;
use crate::kernel::domain::NotifyName;
use crate::kernel::ledger::{Notify, NotifyKind};

pub(super) fn read(top: &Section<'_>) -> BTreeMap<NotifyName, Notify> {
    let mut all = BTreeMap::new();
    for (name, section) in named_sections(top, "notify", NotifyName::new) {
        let webhook = section.parsed_or_none("webhook", "the URL of a webhook", |text| {
            Address::parse(text).map(|_| text.to_owned())
        });
        let program = section.boolean("program", false);
        let has_webhook = section.has("webhook");
        let kind = match (webhook, program) {
            (Some(url), false) => Some(NotifyKind::Webhook { url }),
            (None, true) if !has_webhook => Some(NotifyKind::Program {}),
            (None, false) if has_webhook => None,
            (found, _) => {
                let what = if found.is_some() || has_webhook {
                    "is told by a webhook or by a program, not by both"
                } else {
                    "does not say how it is told"
                };
                let write = "write webhook = \"https://…\", or program = true and the program in each node.toml";
                section.fault(&name.place, "", what.to_owned(), write);
                None
            }
        };
        let timeout = section.time("timeout", &limits::NOTIFY_TIMEOUT);
        let alive = section.time_or_none("alive", &limits::NOTIFY_ALIVE);
        section.finish();
        if let Some(kind) = kind {
            all.insert(name.value, Notify { kind, timeout, alive });
        }
    }
    if u64::try_from(all.len()).is_ok_and(|count| count > limits::NOTIFIED.max) {
        let what = format!("names {} to be told, more than {}", all.len(), limits::NOTIFIED.max);
        top.fault(&top.place_of("notify"), "notify", what, "let one of them tell the others");
    }
    all
}
