//! Zones (F1): names → records, from routes and TTL policy. Pure, no wire format.

mod render;
mod settings;

pub use render::{
    EPOCH_LABEL, EpochRecord, RecordSet, Zone, is_under, next_serial, render, render_changed,
};
pub use settings::{CutOff, DomainName, NameServer, Soa, ZoneName, ZoneSettings};
