//! TOML text → tables with places. Where the grammar was left in one value or key only, reading goes on, so
//! that this and everything else is told at once; else nothing behind the place can be trusted.

use toml::Spanned;
use toml::de::{DeTable, Error};

use super::fault::Fault;

/// Begins the parser's message for a key that stands twice; the first one is kept.
const TWICE: &str = "duplicate key";
/// Begins it for a bare word as a value; it is taken as a text.
const BARE: &str = "string values must be quoted";
/// Begins it for a table under a key that holds something else; what the key holds is kept.
const EXTENDS: &str = "cannot extend value";

/// The tables of a text, none if its grammar is broken; `note` is told the faults.
pub(super) fn parse(text: &str, mut note: impl FnMut(Fault)) -> Option<Spanned<DeTable<'_>>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let local =
        |error: &&Error| [TWICE, BARE, EXTENDS].iter().any(|m| error.message().starts_with(m));
    // The parser stumbles on after the first break of the grammar; what it says then misleads.
    let broken = errors.iter().filter(|error| !local(error)).min_by_key(|error| start(error));
    if let Some(error) = broken {
        note(of_error(text, error));
        return None;
    }
    errors.iter().for_each(|error| note(of_error(text, error)));
    Some(table)
}

fn start(error: &Error) -> usize {
    error.span().map_or(0, |span| span.start)
}

fn of_error(text: &str, error: &Error) -> Fault {
    let place = error.span().unwrap_or(0..0);
    let there = text.get(place.clone()).unwrap_or_default();
    let message = error.message().trim().replace('\n', ", ");
    let (what, write) = if message.starts_with(TWICE) {
        (format!("`{there}` stands twice"), "keep one of them".to_owned())
    } else if message.starts_with(BARE) {
        ("a text needs quotes".to_owned(), format!("write \"{there}\""))
    } else if message.starts_with(EXTENDS) {
        (format!("`{there}` holds a value and a table"), "keep one of them".to_owned())
    } else {
        (format!("not TOML: {message}"), String::new())
    };
    Fault { place, path: String::new(), what, write }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> (bool, Vec<String>) {
        let mut told = Vec::new();
        let table = parse(text, |fault| told.push(format!("{:?} {}", fault.place, fault.what)));
        (table.is_some(), told)
    }

    #[test]
    fn what_touches_one_key_lets_reading_go_on() {
        for (text, told) in [
            ("a = 1\na = 2\nb = 3", "6..7 `a` stands twice"),
            ("[x]\na = 1\n[x]\nb = 2", "11..12 `x` stands twice"),
            ("a = east", "4..8 a text needs quotes"),
            ("a = 1\n[a.b]\nc = 2", "7..8 `a` holds a value and a table"),
        ] {
            let (goes_on, all) = faults(text);
            assert!(goes_on, "{text}");
            assert_eq!(all[0], told);
        }
    }

    #[test]
    fn a_break_of_the_grammar_is_one_fault() {
        for text in [
            "a = [1, 2\nb = 3\n[t]\nd = 1",
            "[timing\nb = 2",
            "a 1\nb = 2",
            "a = 1 b = 2",
            "a = \"x\nb = 1",
        ] {
            let (goes_on, all) = faults(text);
            assert!(!goes_on && all.len() == 1 && all[0].contains("not TOML"), "{text}: {all:?}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        for text in
            [format!("a = {}", "[".repeat(100_000)), format!("[{}]", ["a"; 50_000].join("."))]
        {
            assert!(!faults(&text).0);
        }
    }
}
