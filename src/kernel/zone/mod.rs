//! Zones (F1): names → records, from routes and TTL policy. Pure, no wire format.

mod render;
mod settings;

pub use render::{EpochRecord, RecordSet, Zone, next_serial, render};
pub use settings::{CutOff, NameServer, Soa, ZoneName, ZoneSettings};
