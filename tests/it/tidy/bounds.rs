//! `docs/reference/bounds.md`: every bound that the sources name, as written, and the test at it and one beyond.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::bounds_no_size::NO_SIZE;
use super::bounds_tested::{BEYOND, TESTED};
use super::source::Source;

/// Bounds of the configuration have a page of their own: `limits.md`.
const CONFIGURATION: &str = "src/config/limits.rs";
/// A constant outside of a `limits` module is a bound if its name has one of these words.
const WORDS: &[&str] = &[
    "MAX",
    "BYTES",
    "KEPT",
    "CHARS",
    "LONGEST",
    "FAULTS",
    "CANDIDATES",
    "EVENTS",
    "GROUPS",
    "SHOWN",
];
/// Sizes of these types; a `Duration` bounds a time.
const NUMBERS: &[&str] = &["usize", "u16", "u32", "u64", "i32", "i64"];

/// A bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    /// `src/…` of its file, without the ending, and its name.
    pub(super) key: String,
    value: String,
    is_time: bool,
    says: String,
}

/// Every bound in one source.
pub(super) fn bounds(source: &Source) -> Vec<Bound> {
    let Source { path, .. } = source;
    let outside = path.starts_with("src/sim/") || path == CONFIGURATION || path.contains("/tests");
    if outside {
        return Vec::new();
    }
    let module = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    let all_of_it = path.ends_with("/limits.rs");
    let (mut found, mut doc, mut in_limits) = (Vec::new(), Vec::new(), false);
    let mut in_default = false;
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    for line in source.text().split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().lines()
    {
        match line {
            "pub mod limits {" => in_limits = true,
            "impl Default for Limits {" => in_default = true,
            "}" => (in_limits, in_default) = (false, false),
            _ => {}
        }
        let line = line.trim();
        if let Some(said) = line.strip_prefix("/// ") {
            doc.push(said.to_owned());
            continue;
        }
        let says = doc.join(" ");
        doc.clear();
        if let Some((name, kind, value)) = constant(line) {
            let named = name.split('_').any(|word| WORDS.contains(&word));
            let is_time = kind == "Duration";
            let bounds = is_time || NUMBERS.contains(&kind);
            if bounds && (all_of_it || in_limits || (named && !is_time)) {
                let key = format!("{module} {name}");
                found.push(Bound { key, value: value.to_owned(), is_time, says });
            }
        } else if let Some((name, value)) = field(line) {
            if in_default {
                let (key, says) =
                    (format!("{module} {name}"), fields.remove(name).unwrap_or_default());
                let is_time = value.starts_with("Duration");
                found.push(Bound { key, value: value.to_owned(), is_time, says });
            } else if !says.is_empty() {
                fields.insert(name.to_owned(), says);
            }
        }
    }
    found
}

/// Name, type and value of a constant on one line.
fn constant(line: &str) -> Option<(&str, &str, &str)> {
    let (front, rest) = line.strip_suffix(';')?.split_once("const ")?;
    let (name, rest) = rest.split_once(": ")?;
    let (kind, value) = rest.split_once(" = ")?;
    (front.is_empty() || front.starts_with("pub")).then_some((name, kind, value))
}

/// Name and type, or value, of a field on one line.
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.trim_start_matches("pub ").strip_suffix(',')?.split_once(": ")?;
    name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_').then_some((name, rest))
}

/// Bounds without a word on who tests them, words on bounds that are gone, tests that do not exist.
pub(super) fn faults(bounds: &[Bound], tests: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    for Bound { key, is_time, says, .. } in bounds {
        if says.is_empty() {
            faults.push(format!("{key} has no doc sentence"));
        }
        if !is_time && tested(key).is_none() {
            faults.push(format!("{key} stands in none of the tables of `bounds_tested`"));
        }
    }
    let known = |key: &str| bounds.iter().any(|bound| bound.key == key);
    let told = TESTED.iter().chain(BEYOND).map(|(key, _)| key).chain(NO_SIZE);
    faults.extend(told.filter(|key| !known(key)).map(|key| format!("there is no bound {key}")));
    for (key, names) in TESTED.iter().chain(BEYOND) {
        let missing = names.iter().filter(|name| !tests.iter().any(|test| test == *name));
        faults.extend(missing.map(|name| format!("{key}: there is no test {name}")));
    }
    faults
}

/// The last cell of a row.
fn tested(key: &str) -> Option<String> {
    if NO_SIZE.contains(&key) {
        return Some("no size".to_owned());
    }
    let quoted = |names: &[&str]| {
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    let named = |table: &[(&str, &'static [&str])]| {
        table.iter().find(|(known, _)| *known == key).map(|(_, names)| *names)
    };
    if let Some(names) = named(BEYOND) {
        return Some(format!("only beyond: {}", quoted(names)));
    }
    match named(TESTED)? {
        [] => Some("**none yet**".to_owned()),
        names => Some(quoted(names)),
    }
}

/// The page.
pub(super) fn page(bounds: &[Bound]) -> String {
    let sizes =
        bounds.iter().filter(|bound| !bound.is_time && !NO_SIZE.contains(&bound.key.as_str()));
    let (all, none) = sizes.fold((0, 0), |(all, none), bound| {
        let untested = TESTED.iter().any(|(key, names)| *key == bound.key && names.is_empty());
        (all + 1, none + u32::from(untested))
    });
    let mut page = format!(
        "# Bounds\n\nEvery bound of the program that is no setting (those are in [limits.md](limits.md)), made from the sources; a test \
         compares it. `REWRITE=1 cargo test --test it tidy` writes it.\n\n\
         *Tested by* names tests at the bound and one beyond; some make the bound smaller first. *time* is a rhythm or a patience \
         and *no size* a threshold, a format or a share: they bound nothing in size. Of {all} bounds of size, {none} have \
         no test yet, and {} have one beyond the bound only.\n",
        BEYOND.len()
    );
    let mut last = "";
    for Bound { key, value, is_time, says } in bounds {
        let (module, name) = key.split_once(' ').expect("a module and a name");
        if module != last {
            let _ = write!(
                page,
                "\n## `{module}`\n\n| name | value | what | tested by |\n|---|---|---|---|\n"
            );
            last = module;
        }
        let says = says.replace('|', "\\|");
        let by = if *is_time { "time".to_owned() } else { tested(key).unwrap_or_default() };
        let _ = writeln!(page, "| `{name}` | `{value}` | {says} | {by} |");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(String, String)> {
        let bounds = bounds(&Source::new(path, text));
        bounds.into_iter().map(|bound| (bound.key, bound.value)).collect()
    }

    #[test]
    fn bounds_are_found_where_they_may_stand() {
        let one = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
        let text = "/// Seats.\npub const SEATS: usize = 1 << 3;\n";
        assert_eq!(found("src/edge/x/limits.rs", text), one("edge/x/limits SEATS", "1 << 3"));
        assert_eq!(found("src/edge/x/mod.rs", text), []);
        let inner = "pub mod limits {\n    /// Seats.\n    pub const SEATS: u32 = 8;\n}\n";
        assert_eq!(found("src/edge/x/mod.rs", inner), one("edge/x SEATS", "8"));
        let named = "const NAME_MAX: usize = 9;\nconst MAXIMAL: usize = 1;\n";
        assert_eq!(found("src/edge/x/y.rs", named), one("edge/x/y NAME_MAX", "9"));
        assert_eq!(found("src/sim/y.rs", named), []);
        let settings = "pub struct Limits {\n    /// Seats.\n    pub seats: usize,\n}\n\
                        impl Default for Limits {\n        seats: 7,\n}\n";
        assert_eq!(found("src/edge/x/limits.rs", settings), one("edge/x/limits seats", "7"));
    }

    #[test]
    fn a_bound_that_nobody_placed_is_found() {
        let bound = |key: &str, says: &str| Bound {
            key: key.to_owned(),
            value: "1".to_owned(),
            is_time: false,
            says: says.to_owned(),
        };
        let all: Vec<String> = TESTED
            .iter()
            .chain(BEYOND)
            .flat_map(|(_, names)| names.iter().map(|name| (*name).to_owned()))
            .collect();
        let mut known: Vec<Bound> = TESTED
            .iter()
            .chain(BEYOND)
            .chain(BEYOND)
            .map(|(key, _)| key)
            .chain(NO_SIZE)
            .map(|key| bound(key, "x"))
            .collect();
        assert_eq!(faults(&known, &all), Vec::<String>::new());
        known.push(bound("edge/x NEW", "x"));
        assert_eq!(faults(&known, &all).len(), 1);
        known.remove(0);
        assert_eq!(faults(&known, &all).len(), 2);
        assert!(!faults(&known, &[]).is_empty());
    }
}
