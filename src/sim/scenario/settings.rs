//! `cluster …` and `world …`: what a run is made of. Each setting has one line, left out where it is the usual one.

use super::words::{duration, micros, number, span, thousandths, time};
use crate::kernel::ledger::{Budget, FlapLimit, Mode, WhenBothDown};
use crate::sim::cluster::Shape;
use crate::sim::disk::Pace;
use crate::sim::network::Weather;
use crate::sim::queue::{MS, Micros};
use crate::sim::world::Params;

pub(super) fn cluster(shape: &mut Shape, words: &[&str]) -> Result<(), String> {
    match words {
        ["mode", "auto"] => shape.mode = Mode::Auto,
        ["mode", "ask"] => shape.mode = Mode::Ask,
        ["mode", "observe"] => shape.mode = Mode::Observe,
        ["both_down", "keep"] => shape.when_both_down = WhenBothDown::Keep,
        ["both_down", "refuse"] => shape.when_both_down = WhenBothDown::Refuse,
        ["dwell", span] => shape.dwell = duration(span)?,
        ["interval", span] => shape.interval = at_least(span, MS)?,
        ["election", span] => shape.election_max = at_least(span, 200 * MS)?,
        ["groups", "1"] => shape.two_groups = false,
        ["groups", "2"] => shape.two_groups = true,
        ["observers", count @ ("0" | "1" | "2")] => shape.observers = number(count)?,
        ["fall", fall, "rise", rise] => shape.fall_rise = (some(fall)?, some(rise)?),
        ["budget", switches, "in", window] => {
            let budget = Budget { switches: number(switches)?, window: duration(window)? };
            shape.budget = Some(budget);
        }
        ["flap_limit", downs, "in", window] => {
            let limit = FlapLimit { downs: number(downs)?, window: duration(window)? };
            shape.flap_limit = Some(limit);
        }
        _ => {
            return Err(format!(
                "`cluster {}` is not a setting: write mode auto|ask|observe, both_down keep|refuse, dwell TIME, \
                 interval TIME, election TIME, groups 1|2, observers 0|1|2, fall N rise N, budget N in TIME or flap_limit N in TIME",
                words.join(" ")
            ));
        }
    }
    Ok(())
}

/// Clocks that drift more than this are broken: `clock of WHO runs PPM`.
const DRIFT_MOST: i64 = 100_000;

fn some(text: &str) -> Result<u32, String> {
    let count = number(text)?;
    if count == 0 {
        Err("`0` would be reached before anything is seen".to_owned())
    } else {
        Ok(count)
    }
}

fn at_least(text: &str, least: Micros) -> Result<std::time::Duration, String> {
    let span = micros(text)?;
    if span < least {
        return Err(format!("`{text}` is too short: {} at least", time(least)));
    }
    duration(text)
}

pub(super) fn world(params: &mut Params, words: &[&str]) -> Result<(), String> {
    let Params { weather, pace, .. } = params;
    match words {
        ["delay", min, "to", most] => {
            weather.delay_min = micros(min)?;
            weather.delay_spread = micros(most)?
                .checked_sub(weather.delay_min)
                .ok_or("a delay ends after it begins")?;
        }
        ["loss", loss] => weather.loss = thousandths(loss)?,
        ["duplicates", duplicates, "within", replay] => {
            weather.duplicates = thousandths(duplicates)?;
            weather.replay = micros(replay)?;
        }
        ["held", held, "for", span] => {
            weather.held = thousandths(held)?;
            weather.held_for = micros(span)?;
        }
        ["writes", min, "to", most] => {
            pace.min = micros(min)?;
            pace.spread =
                micros(most)?.checked_sub(pace.min).ok_or("a write ends after it begins")?;
        }
        ["stalls", stalls, "within", stall] => {
            pace.stalls = thousandths(stalls)?;
            pace.stall = micros(stall)?;
        }
        ["probes", "lost", loss] => params.probe_loss = thousandths(loss)?,
        ["drift", ppm] => {
            let drift = number(ppm)?;
            if !(0..=DRIFT_MOST).contains(&drift) {
                return Err(format!("`{ppm}`: a clock drifts by 0 to {DRIFT_MOST} millionths"));
            }
            params.drift_ppm = drift;
        }
        ["log", entries, "entries"] => params.log_entries = number(entries)?,
        ["gateways", count @ ("1" | "2")] => params.gateways = number(count)?,
        ["storage", "model"] => params.redb = false,
        ["storage", "redb"] => params.redb = true,
        _ => {
            return Err(format!(
                "`world {}` is not a setting: write delay TIME to TIME, loss N, duplicates N within TIME, held N for \
                 TIME, writes TIME to TIME, stalls N within TIME, probes lost N, drift PPM, log N entries, gateways 1|2 \
                 or storage model|redb; N is of a thousand",
                words.join(" ")
            ));
        }
    }
    Ok(())
}

/// The lines that set everything that is not as usual.
pub(super) fn write(params: &Params) -> Vec<String> {
    let usual = Params::fair(params.seed);
    let mut lines = write_shape(&params.shape, &usual.shape);
    lines.extend(write_weather(&params.weather, &usual.weather));
    lines.extend(write_pace(&params.pace, &usual.pace));
    if params.probe_loss != usual.probe_loss {
        lines.push(format!("world probes lost {}", params.probe_loss));
    }
    if params.drift_ppm != usual.drift_ppm {
        lines.push(format!("world drift {}", params.drift_ppm));
    }
    if params.log_entries != usual.log_entries {
        lines.push(format!("world log {} entries", params.log_entries));
    }
    if params.gateways != usual.gateways {
        lines.push(format!("world gateways {}", params.gateways));
    }
    if params.redb {
        lines.push("world storage redb".to_owned());
    }
    lines
}

fn write_shape(shape: &Shape, usual: &Shape) -> Vec<String> {
    let mut lines = Vec::new();
    match shape.mode {
        Mode::Auto => {}
        Mode::Ask => lines.push("cluster mode ask".to_owned()),
        Mode::Observe => lines.push("cluster mode observe".to_owned()),
    }
    if shape.when_both_down != usual.when_both_down {
        lines.push("cluster both_down refuse".to_owned());
    }
    for (name, now, before) in [
        ("dwell", shape.dwell, usual.dwell),
        ("interval", shape.interval, usual.interval),
        ("election", shape.election_max, usual.election_max),
    ] {
        if now != before {
            lines.push(format!("cluster {name} {}", span(now)));
        }
    }
    if shape.two_groups {
        lines.push("cluster groups 2".to_owned());
    }
    if shape.observers != usual.observers {
        lines.push(format!("cluster observers {}", shape.observers));
    }
    if shape.fall_rise != usual.fall_rise {
        let (fall, rise) = shape.fall_rise;
        lines.push(format!("cluster fall {fall} rise {rise}"));
    }
    if let Some(Budget { switches, window }) = shape.budget {
        lines.push(format!("cluster budget {switches} in {}", span(window)));
    }
    if let Some(FlapLimit { downs, window }) = shape.flap_limit {
        lines.push(format!("cluster flap_limit {downs} in {}", span(window)));
    }
    lines
}

fn write_weather(weather: &Weather, usual: &Weather) -> Vec<String> {
    let mut lines = Vec::new();
    let delays = |weather: &Weather| (weather.delay_min, weather.delay_spread);
    if delays(weather) != delays(usual) {
        let (min, most) = (weather.delay_min, weather.delay_min + weather.delay_spread);
        lines.push(format!("world delay {} to {}", time(min), time(most)));
    }
    if weather.loss > 0 {
        lines.push(format!("world loss {}", weather.loss));
    }
    if weather.duplicates > 0 {
        let within = time(weather.replay);
        lines.push(format!("world duplicates {} within {within}", weather.duplicates));
    }
    if weather.held > 0 {
        lines.push(format!("world held {} for {}", weather.held, time(weather.held_for)));
    }
    lines
}

fn write_pace(pace: &Pace, usual: &Pace) -> Vec<String> {
    let mut lines = Vec::new();
    if (pace.min, pace.spread) != (usual.min, usual.spread) {
        lines.push(format!("world writes {} to {}", time(pace.min), time(pace.min + pace.spread)));
    }
    if pace.stalls > 0 {
        lines.push(format!("world stalls {} within {}", pace.stalls, time(pace.stall)));
    }
    lines
}
