//! Words of scenarios, read and written: names, times, whom a fault strikes.

use std::time::Duration;

use crate::kernel::domain::{GroupName, PlaneName, ServiceName};
use crate::sim::action::Who;
use crate::sim::cluster::{EXTRA, OBSERVERS, PLANES};
use crate::sim::queue::{MS, Micros, SECOND};

/// Names of the services, in their order: those of `shop`, then that of `mail`.
pub(super) const SERVICES: [&str; 4] = ["log", "pay", "web", "web-mail"];
/// Names of the members, in order.
pub(super) const MEMBERS: [&str; 3] = ["east", "west", "third"];
/// No time in a scenario is longer.
const LONGEST: Micros = 3600 * SECOND;

/// What ends with `for TIME`: the words before it, and the time.
pub(super) fn until<'a, 'b>(
    words: &'a [&'b str],
) -> (&'a [&'b str], Result<Option<Micros>, String>) {
    match words {
        [rest @ .., "for", span] => (rest, micros(span).map(Some)),
        _ => (words, Ok(None)),
    }
}

/// ` for TIME`, or nothing.
pub(super) fn for_word(span: Option<Micros>) -> String {
    span.map_or_else(String::new, |span| format!(" for {}", time(span)))
}

/// `200ms`, `3s` or `1500us`.
pub(super) fn micros(text: &str) -> Result<Micros, String> {
    let wrong = || format!("`{text}` is not a time: write 300ms or 2s");
    let units = [("us", 1), ("ms", MS), ("s", SECOND)];
    let (number, unit) = units
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))
        .ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).filter(|at| *at <= LONGEST).ok_or_else(wrong)
}

/// The shortest word for a time.
pub(super) fn time(span: Micros) -> String {
    if span.is_multiple_of(SECOND) {
        format!("{}s", span / SECOND)
    } else if span.is_multiple_of(MS) {
        format!("{}ms", span / MS)
    } else {
        format!("{span}us")
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    micros(text).map(Duration::from_micros)
}

pub(super) fn span(duration: Duration) -> String {
    time(Micros::try_from(duration.as_micros()).unwrap_or(LONGEST))
}

pub(super) fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}

pub(super) fn both<A, B>(a: Result<A, String>, b: Result<B, String>) -> Result<(A, B), String> {
    Ok((a?, b?))
}

pub(super) fn plane(name: &str) -> Result<usize, String> {
    let at = PLANES.iter().position(|plane| *plane == name);
    at.ok_or_else(|| format!("`{name}` is not a plane: east or west"))
}

pub(super) fn plane_name(name: &str) -> Result<PlaneName, String> {
    plane(name)?;
    PlaneName::new(name).map_err(|error| error.to_string())
}

pub(super) fn group(name: &str) -> Result<GroupName, String> {
    if !matches!(name, "shop" | "mail" | EXTRA) {
        return Err(format!(
            "`{name}` is not a group: shop, mail with `cluster groups 2`, or {EXTRA} after `configure 3`"
        ));
    }
    GroupName::new(name).map_err(|error| error.to_string())
}

pub(super) fn service_at(name: &str) -> Result<usize, String> {
    let at = SERVICES.iter().position(|service| *service == name);
    at.ok_or_else(|| {
        format!("`{name}` is not a service: web, pay or log, and web-mail with `cluster groups 2`")
    })
}

pub(super) fn service_name(name: &str) -> Result<ServiceName, String> {
    service_at(name)?;
    ServiceName::new(name).map_err(|error| error.to_string())
}

/// The service at this place.
pub(super) fn service_word(place: usize) -> &'static str {
    SERVICES.get(place).copied().unwrap_or("web")
}

/// The place of a member, or of an observer beside them.
pub(super) fn place(name: &str) -> Result<usize, String> {
    let mut names = MEMBERS.into_iter().chain(OBSERVERS.map(|(name, _)| name));
    let at = names.position(|known| known == name);
    at.ok_or_else(|| {
        format!(
            "`{name}` is not a member: east, west or third, or an observer (far, near) with `cluster observers N`"
        )
    })
}

/// The place of a member.
pub(super) fn member(name: &str) -> Result<usize, String> {
    let at = place(name)?;
    if at < MEMBERS.len() { Ok(at) } else { Err(format!("`{name}` is an observer, and no member")) }
}

/// Who is at this place.
pub(super) fn place_word(place: usize) -> &'static str {
    let beside = place.checked_sub(MEMBERS.len());
    beside.map_or_else(|| member_word(place), observer_word)
}

/// The member at this place.
pub(super) fn member_word(place: usize) -> &'static str {
    MEMBERS.get(place).copied().unwrap_or("third")
}

fn observer_word(nth: usize) -> &'static str {
    OBSERVERS.get(nth).map_or("near", |(name, _)| *name)
}

/// A member: who has an API, a log and a disk.
pub(super) fn node(name: &str) -> Result<Who, String> {
    match who(name)? {
        Who::Observer(_) => Err(format!(
            "`{name}` is an observer: it can be crashed, started, cut off and blinded, its way to a plane roughened, and its clock can run wrong"
        )),
        who => Ok(who),
    }
}

/// A member, an observer, or a role.
pub(super) fn who(name: &str) -> Result<Who, String> {
    Ok(match name {
        "leader" => Who::Leader,
        "follower" => Who::Follower,
        "all" => Who::All,
        _ => {
            let at = place(name).map_err(|what| format!("{what}, leader, follower or all"))?;
            at.checked_sub(MEMBERS.len()).map_or(Who::Node(at), Who::Observer)
        }
    })
}

pub(super) fn who_word(who: Who) -> &'static str {
    match who {
        Who::Leader => "leader",
        Who::Follower => "follower",
        Who::All => "all",
        Who::Node(place) => member_word(place),
        Who::Observer(nth) => observer_word(nth),
    }
}

/// A number of a thousand.
pub(super) fn thousandths(text: &str) -> Result<u32, String> {
    let count = number(text)?;
    if count > 1000 { Err(format!("`{text}` of a thousand are too many")) } else { Ok(count) }
}
