//! Zones (F1): names → records, from routes and TTL policy. Pure, no wire format.

mod render;
mod serial;
mod settings;

pub use render::{EpochRecord, RecordSet, Zone, render, render_changed, same_records};
pub use serial::next_serial;
pub use settings::{CutOff, DomainName, NameServer, Soa, ZoneName, ZoneSettings};

/// The label under which a name's [`EpochRecord`] is served: TXT at `_biplane.NAME`.
pub const EPOCH_LABEL: &str = "_biplane";

/// Whether `name` is `origin` or below it; both lower case, without a trailing dot.
pub fn is_under(name: &str, origin: &str) -> bool {
    name.strip_suffix(origin).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::is_under;

    #[test]
    fn names_end_at_label_boundaries() {
        assert!(is_under("shop.test", "shop.test"));
        assert!(is_under("a.shop.test", "shop.test"));
        assert!(!is_under("workshop.test", "shop.test"));
    }
}
