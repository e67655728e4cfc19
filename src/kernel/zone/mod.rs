//! Zones (F1): names → records, from routes and TTL policy. Pure, no wire format.

mod render;
mod serial;
mod settings;

pub use render::{EpochRecord, RecordSet, Zone, is_under, render, render_changed, same_records};
pub use serial::next_serial;
pub use settings::{CutOff, DomainName, NameServer, Soa, ZoneName, ZoneSettings};

/// The label under which a name's [`EpochRecord`] is served: TXT at `_biplane.NAME`.
pub const EPOCH_LABEL: &str = "_biplane";
