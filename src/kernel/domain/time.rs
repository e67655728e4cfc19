//! Time as a value. Nothing here reads a clock: a [`Moment`] is made by `runtime/clock.rs` from a
//! real clock, or by `sim` from a number.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A point on one process's monotonic clock, in microseconds since an arbitrary start.
///
/// Moments of different processes are never compared.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Moment(u64);

impl Moment {
    /// The start of this clock.
    pub const ZERO: Self = Self(0);
    /// Later than every other moment: "never".
    pub const NEVER: Self = Self(u64::MAX);

    /// A moment `micros` microseconds after the clock's start.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the clock's start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        let micros = u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

/// Why a machine wants to be woken: every wake-up carries its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timer {
    /// Consensus counts one tick.
    ConsensusTick,
    /// A probe is due.
    Probe,
    /// An observer tells the leader that it lives, and which reports it holds.
    Heartbeat,
    /// The leader looks for observers that fell silent.
    ObserverSilence,
    /// The leader writes the time into the log, because a ledger timer is open.
    LedgerTick,
    /// A step of a switchover has a deadline.
    SwitchoverStep,
    /// A client's request runs out of time.
    Request,
    /// A persist has been in flight for too long.
    SlowDisk,
    /// Somebody is to be told of an alarm, or the log of failed logins.
    Notify,
}

/// Milliseconds that the log itself carries. It can lag true time, never outrun it beyond drift.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct LedgerTime(pub u64);

impl LedgerTime {
    /// How long after `earlier` this is; zero if it is not after.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for LedgerTime {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        let millis = u64::try_from(rhs.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }
}

/// A span as people write it in a file: `200ms`, `5s`, `10m`, `1h`. Less than a millisecond is left out.
pub fn span_words(span: Duration) -> String {
    let millis = span.as_millis();
    match millis {
        0 => "0s".to_owned(),
        _ if millis.is_multiple_of(3_600_000) => format!("{}h", millis / 3_600_000),
        _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        _ if millis.is_multiple_of(1000) => format!("{}s", millis / 1000),
        _ => format!("{millis}ms"),
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z by some member's wall clock: for calendars and display only.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct WallTime(pub u64);

impl fmt::Display for WallTime {
    /// RFC 3339 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, millis) = (self.0 / 1000, self.0 % 1000);
        let (days, of_day) = (secs / 86_400, secs % 86_400);
        let (year, month, day) = civil_from_days(days);
        let (h, m, s) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{millis:03}Z")
    }
}

impl WallTime {
    /// The first moment of a day `YYYY-MM-DD` in UTC, from 1970 to 9999.
    pub fn of_date(text: &str) -> Option<Self> {
        let shape = |(at, byte): (usize, u8)| {
            if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() }
        };
        if text.len() != 10 || !text.bytes().enumerate().all(shape) {
            return None;
        }
        let number = |part: std::ops::Range<usize>| text.get(part)?.parse::<u64>().ok();
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        // At least as many days as there are, and at most a month more: the calendar's own function says which it is.
        let about = (year - 1970) * 365 + (month - 1) * 28;
        let found =
            (about..about + 3_000).find(|days| civil_from_days(*days) == (year, month, day))?;
        Some(Self(found * 86_400_000))
    }
}

/// Gregorian date of a day count since 1970-01-01 (the era algorithm of H. Hinnant, "chrono-compatible
/// low-level date algorithms").
const fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_prints_as_rfc_3339() {
        assert_eq!(WallTime(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(WallTime(951_827_696_789).to_string(), "2000-02-29T12:34:56.789Z");
    }

    #[test]
    fn a_day_is_its_first_moment() {
        for day in ["1970-01-01", "2000-02-29", "2026-11-26", "2100-03-01", "9999-12-31"] {
            let at = WallTime::of_date(day).expect("a day");
            assert_eq!(at.to_string(), format!("{day}T00:00:00.000Z"));
        }
        for none in
            ["2026-02-29", "2026-13-01", "1969-12-31", "2026-1-1", "20261126", "", "2026-11-31"]
        {
            assert_eq!(WallTime::of_date(none), None, "{none}");
        }
    }

    #[test]
    fn a_moment_never_wraps() {
        assert_eq!(Moment::NEVER + Duration::from_secs(1), Moment::NEVER);
        assert_eq!(Moment::ZERO.since(Moment::NEVER), Duration::ZERO);
    }
}
