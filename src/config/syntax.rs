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
        let write = instead(text, place.start, &message);
        (format!("not TOML: {message}"), write)
    };
    Fault { place, path: String::new(), what, write }
}

/// How a message of the parser begins, and what to do about it. The first that fits counts.
const INSTEAD: &[(&str, &str)] = &[
    ("missing comma", "put a `,` before it, or close what is open in the line above"),
    ("unclosed array", "close the list with `]`"),
    ("unclosed inline table", "close the table with `}`"),
    ("missing table open", "write the whole header: `[name]`"),
    ("key with no value", "write `key = value`"),
    ("invalid key-value pair", "write `key = value`, or `[name]` to begin a table"),
    ("unexpected key or value", "end the line before it: one `key = value` to a line"),
    ("extra", "take it out"),
    ("missing escaped value", "write `\\\\` for a backslash, or put the text in single quotes"),
    ("invalid comment character", "take out the character that does not print"),
    ("carriage return", "end the lines with a newline alone"),
    ("unquoted keys cannot be empty", "write a name of letters, digits, `-` and `_` here"),
    ("invalid unquoted key", "write a name of letters, digits, `-` and `_` here"),
    ("invalid boolean", "write true or false, or put a text in quotes"),
];
/// When none does: what looked like a number or a date.
const A_VALUE: &str = "write a whole number (3), or a text in quotes (\"1s\")";

/// What to write instead of what broke the grammar at `at`.
fn instead(text: &str, at: usize, message: &str) -> String {
    if message.starts_with("unclosed table") || message.starts_with("unclosed array table") {
        let before = text.get(..at).unwrap_or_default();
        let header = before.rsplit('\n').next().unwrap_or_default().trim();
        let close = if header.starts_with("[[") { "]]" } else { "]" };
        return format!("write {}{close}", header.trim_end_matches(']'));
    }
    if message.contains(" string") {
        return match message.rsplit_once("expected ") {
            Some((_, quote @ ("`\"`" | "`'`"))) => format!("close the text with {quote}"),
            _ => "take out the character that does not print".to_owned(),
        };
    }
    let known = INSTEAD.iter().find(|(begins, _)| message.starts_with(begins));
    known.map_or(A_VALUE, |(_, write)| write).to_owned()
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
    fn every_break_says_what_to_write_instead() {
        for (text, write) in [
            ("[services.web", "write [services.web]"),
            ("[[timing]\nb = 2", "write [[timing]]"),
            ("a = [1, 2\nb = 3", "put a `,` before it, or close what is open in the line above"),
            ("a 1\nb = 2", "write `key = value`"),
            ("a = 1 b = 2", "end the line before it: one `key = value` to a line"),
            ("a = \"x\nb = 1", "close the text with `\"`"),
            ("a = 'x\nb = 1", "close the text with `'`"),
            ("a = \"\u{1}\"", "take out the character that does not print"),
            ("# \u{1}", "take out the character that does not print"),
            ("a! = 1", "write a name of letters, digits, `-` and `_` here"),
            ("= 3", "write a name of letters, digits, `-` and `_` here"),
            ("a == 3", "take it out"),
            ("a = [,]", "take it out"),
            ("a = \"\\q\"", "write `\\\\` for a backslash, or put the text in single quotes"),
            ("]", "write the whole header: `[name]`"),
            ("{}", "write `key = value`, or `[name]` to begin a table"),
            ("a = tru", "write true or false, or put a text in quotes"),
            ("a = 1.5.5", A_VALUE),
            ("a = 2026-13-45", A_VALUE),
            ("a = 1\r", "end the lines with a newline alone"),
        ] {
            let mut told = Vec::new();
            parse(text, |fault| told.push(fault.write));
            assert_eq!(told, [write], "{text}");
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
