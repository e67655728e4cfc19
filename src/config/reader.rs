//! Readers that go on after a fault, so that all of a file's faults are told at once.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Faults};
use super::limits::{NumberLimit, TimeLimit, words};
use super::suggest::nearest;
use super::syntax;
use crate::kernel::domain::Decimal;

/// Faults that are kept of one file; further ones are only counted.
pub(super) const FAULTS: usize = 1_000;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Range<usize>,
}

/// A file that is being read.
#[derive(Default)]
pub(super) struct Reader {
    faults: RefCell<Vec<Fault>>,
    unlisted: Cell<usize>,
    /// Where lines end, in bytes.
    breaks: Vec<usize>,
}

impl Reader {
    /// Reads a text: `read` takes what it wants from the top table. Faults win over its result.
    pub(super) fn read<T>(
        file: &str,
        text: &str,
        read: impl FnOnce(&Section<'_>) -> Option<T>,
    ) -> Result<T, Faults> {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let reader = Self { breaks: breaks.map(|(at, _)| at).collect(), ..Self::default() };
        let value = reader.read_text(text, read);
        let (faults, unlisted) = (reader.faults.into_inner(), reader.unlisted.get());
        match value {
            Some(value) if faults.is_empty() => Ok(value),
            _ => {
                assert!(!faults.is_empty(), "nothing is left out of a value without a fault");
                Err(Faults::new(file, text, faults, unlisted))
            }
        }
    }

    fn read_text<T>(&self, text: &str, read: impl FnOnce(&Section<'_>) -> Option<T>) -> Option<T> {
        let table = syntax::parse(text, |fault| self.note(fault))?;
        let section = Section::new(self, String::new(), 0..0, table.get_ref());
        let value = read(&section);
        section.finish();
        value
    }

    fn fault(&self, place: Range<usize>, path: String, what: String, write: String) {
        self.note(Fault { place, path, what, write });
    }

    fn note(&self, fault: Fault) {
        let mut faults = self.faults.borrow_mut();
        if faults.len() < FAULTS {
            faults.push(fault);
        } else {
            self.unlisted.set(self.unlisted.get() + 1);
        }
    }
}

/// A table that is being read; it remembers which keys were asked for, to name those that nobody knows.
pub(super) struct Section<'a> {
    reader: &'a Reader,
    pub(super) path: String,
    pub(super) place: Range<usize>,
    table: &'a DeTable<'a>,
    known: RefCell<BTreeSet<&'static str>>,
    open: bool,
}

impl<'a> Section<'a> {
    fn new(reader: &'a Reader, path: String, place: Range<usize>, table: &'a DeTable<'a>) -> Self {
        let known = RefCell::new(BTreeSet::new());
        Self { reader, path, place, table, known, open: false }
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The line of a place, from 1.
    pub(super) fn line_of(&self, place: &Range<usize>) -> usize {
        1 + self.reader.breaks.partition_point(|at| *at < place.start)
    }

    /// A fault at some place of this section.
    pub(super) fn fault(&self, place: &Range<usize>, key: &str, what: String, write: &str) {
        let path = if key.is_empty() { self.path.clone() } else { self.path_of(key) };
        self.reader.fault(place.clone(), path, what, write.to_owned());
    }

    fn find(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.borrow_mut().insert(key);
        self.table.get(key)
    }

    fn missing(&self, key: &str, write: &str) {
        let place = self.place.clone();
        self.fault(&place, key, "is missing".to_owned(), &format!("write {write}"));
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, write: &str) {
        let found = value.get_ref().type_str();
        self.fault(
            &value.span(),
            key,
            format!("is of the wrong kind: {found}"),
            &format!("write {write}"),
        );
    }

    /// A text that must be there.
    pub(super) fn text(&self, key: &'static str, write: &str) -> Option<Placed<String>> {
        if self.find(key).is_none() {
            self.missing(key, write);
        }
        self.text_or_none(key, write)
    }

    /// A text that may be there.
    pub(super) fn text_or_none(&self, key: &'static str, write: &str) -> Option<Placed<String>> {
        let value = self.find(key)?;
        match value.get_ref().as_str() {
            Some(text) => Some(Placed { value: text.to_owned(), place: value.span() }),
            None => {
                self.wrong(key, value, write);
                None
            }
        }
    }

    /// A text that is turned into something; the error says what is wrong.
    pub(super) fn parsed<T, E: ToString>(
        &self,
        key: &'static str,
        write: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.parse_placed(key, self.text(key, write)?, write, parse)
    }

    /// The same for a key that may be absent: `Ok(None)` then; `Err` after a fault.
    pub(super) fn parsed_or_none<T, E: ToString>(
        &self,
        key: &'static str,
        write: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.parse_placed(key, self.text_or_none(key, write)?, write, parse)
    }

    /// A text or a whole number that is turned into something, if it is there.
    pub(super) fn scalar_or_none<T, E: ToString>(
        &self,
        key: &'static str,
        write: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.find(key)?;
        match value.get_ref().as_integer() {
            Some(number) => {
                let text = Placed { value: number.as_str().to_owned(), place: value.span() };
                self.parse_placed(key, text, write, parse)
            }
            None => self.parsed_or_none(key, write, parse),
        }
    }

    /// A number that may have decimal places, if it is there: never a float, so no digit is lost.
    pub(super) fn decimal_or_none(&self, key: &'static str, write: &str) -> Option<Decimal> {
        let value = self.find(key)?;
        let (whole, broken) = (value.get_ref().as_integer(), value.get_ref().as_float());
        let digits = match (whole, broken) {
            (Some(whole), _) if whole.radix() == 10 => whole.as_str(),
            (_, Some(broken)) => broken.as_str(),
            _ => {
                self.wrong(key, value, write);
                return None;
            }
        };
        let digits = digits.strip_prefix('+').unwrap_or(digits).replace('_', "");
        let text = Placed { value: digits, place: value.span() };
        self.parse_placed(key, text, write, |text| Decimal::try_from(text.to_owned()))
    }

    fn parse_placed<T, E: ToString>(
        &self,
        key: &str,
        text: Placed<String>,
        write: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(&text.value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(&text.place, key, error.to_string(), &format!("write {write}"));
                None
            }
        }
    }

    pub(super) fn boolean(&self, key: &'static str, default: bool) -> bool {
        let Some(value) = self.find(key) else { return default };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong(key, value, "true or false");
            default
        })
    }

    /// One of some words, each standing for a value; the first is the default.
    pub(super) fn choice<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> T {
        let list: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let list = list.join(" or ");
        let parse = |text: &str| {
            let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
            found.ok_or_else(|| format!("`{text}` is not known here"))
        };
        self.parsed_or_none(key, &list, parse).unwrap_or(words[0].1)
    }

    /// A number within its bounds; the default when it is absent.
    pub(super) fn number(&self, key: &'static str, limit: &NumberLimit) -> Option<u64> {
        let Some(value) = self.find(key) else {
            if limit.default.is_none() {
                self.missing(key, "a whole number");
            }
            return limit.default;
        };
        self.bounded(key, value, limit)
    }

    fn bounded(&self, key: &str, value: &Spanned<DeValue<'_>>, limit: &NumberLimit) -> Option<u64> {
        let write = format!("a whole number from {} to {}", limit.min, limit.max);
        let Some(number) = value.get_ref().as_integer() else {
            self.wrong(key, value, &write);
            return None;
        };
        let digits = number.as_str().replace('_', "");
        let parsed = u64::from_str_radix(digits.trim_start_matches('+'), number.radix()).ok();
        let within = parsed.filter(|n| (limit.min..=limit.max).contains(n));
        if within.is_none() {
            let what = format!("{} is out of bounds", number.as_str());
            self.fault(&value.span(), key, what, &format!("write {write}"));
        }
        within
    }

    /// A time within its bounds; none when it is absent or faulty.
    pub(super) fn time_or_none(&self, key: &'static str, limit: &TimeLimit) -> Option<Duration> {
        let write = format!("a time from \"{}\" to \"{}\"", words(limit.min), words(limit.max));
        let parse = |text: &str| {
            let span = duration(text).ok_or_else(|| {
                format!("`{text}` is not a time: a whole number and ms, s, m or h")
            })?;
            if (limit.min..=limit.max).contains(&span) {
                Ok(span)
            } else {
                Err(format!("{text} is out of bounds"))
            }
        };
        self.parsed_or_none(key, &write, parse)
    }

    /// A time within its bounds; its default when it is absent (or faulty: a fault is noted then).
    pub(super) fn time(&self, key: &'static str, limit: &TimeLimit) -> Duration {
        let default = limit.default.unwrap_or(limit.min);
        self.time_or_none(key, limit).unwrap_or(default)
    }

    /// `{ at_least = n }` or one of some words.
    pub(super) fn word_or_at_least<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&str, T)],
        limit: &NumberLimit,
        at_least: impl Fn(usize) -> T,
    ) -> T {
        match self.find(key) {
            Some(value) if value.get_ref().is_table() => {
                let Some(section) = self.section(key) else { return words[0].1 };
                let number = section.number("at_least", limit);
                section.finish();
                let number = number.and_then(|n| usize::try_from(n).ok());
                number.map_or(words[0].1, at_least)
            }
            _ => self.choice(key, words),
        }
    }

    /// A table under a key, if it is there.
    pub(super) fn section(&self, key: &'static str) -> Option<Self> {
        let value = self.find(key)?;
        self.as_section(key, value)
    }

    fn as_section(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Option<Self> {
        match value.get_ref().as_table() {
            Some(table) => Some(Section::new(self.reader, self.path_of(key), value.span(), table)),
            None => {
                self.wrong(key, value, "a table");
                None
            }
        }
    }

    /// Whether a key is there.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.find(key).is_some()
    }

    /// Every key of this table with its place, for tables whose keys are names.
    pub(super) fn keys(&mut self) -> Vec<Placed<String>> {
        self.open = true;
        let mut keys: Vec<Placed<String>> = self
            .table
            .keys()
            .map(|key| Placed { value: key.get_ref().to_string(), place: key.span() })
            .collect();
        keys.sort_by_key(|key| key.place.start);
        keys
    }

    /// The table under a name that [`Self::keys`] gave.
    pub(super) fn named(&self, key: &Placed<String>) -> Option<Self> {
        let value = self.table.get(key.value.as_str())?;
        let mut section = self.as_section(&key.value, value)?;
        section.place = key.place.clone();
        Some(section)
    }

    /// The text under a name that [`Self::keys`] gave, turned into something.
    pub(super) fn parsed_named<T, E: ToString>(
        &self,
        key: &Placed<String>,
        write: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.table.get(key.value.as_str())?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong(&key.value, value, write);
            return None;
        };
        let text = Placed { value: text.to_owned(), place: value.span() };
        self.parse_placed(&key.value, text, write, parse)
    }

    /// The list of texts under a name that [`Self::keys`] gave.
    pub(super) fn named_list(&self, key: &Placed<String>, write: &str) -> Vec<Placed<String>> {
        match self.table.get(key.value.as_str()) {
            Some(value) => self.as_list(&key.value, value, write),
            None => Vec::new(),
        }
    }

    /// A list of texts, if it is there.
    pub(super) fn list(&self, key: &'static str, write: &str) -> Vec<Placed<String>> {
        self.find(key).map_or_else(Vec::new, |value| self.as_list(key, value, write))
    }

    /// Whether nothing stands under a key: it is absent, or its list has no items.
    pub(super) fn is_empty(&self, key: &str) -> bool {
        let value = self.table.get(key);
        value.is_none_or(|value| value.get_ref().as_array().is_some_and(|list| list.is_empty()))
    }

    fn as_list(&self, key: &str, value: &Spanned<DeValue<'_>>, write: &str) -> Vec<Placed<String>> {
        let Some(array) = value.get_ref().as_array() else {
            self.wrong(key, value, write);
            return Vec::new();
        };
        let mut list = Vec::new();
        for item in array.iter() {
            match item.get_ref().as_str() {
                Some(text) => list.push(Placed { value: text.to_owned(), place: item.span() }),
                None => self.wrong(key, item, write),
            }
        }
        list
    }

    /// A list of tables, if it is there.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Self> {
        let Some(value) = self.find(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong(key, value, "a list of tables, [[…]]");
            return Vec::new();
        };
        array
            .iter()
            .enumerate()
            .filter_map(|(at, item)| self.as_section(&format!("{key}[{at}]"), item))
            .collect()
    }

    /// The table under a key that may hold a word instead; none for a word.
    pub(super) fn text_or_table(&self, key: &'static str) -> Option<Self> {
        let value = self.find(key)?;
        value.get_ref().is_table().then(|| self.as_section(key, value)).flatten()
    }

    /// Lists of texts under names that are known only from the file; other keys than these and `beside` are
    /// faults. Each comes with its place.
    pub(super) fn lists_by_name<'n>(
        &self,
        names: impl Iterator<Item = &'n str> + Clone,
        beside: &[&'n str],
    ) -> Vec<(Range<usize>, Vec<Placed<String>>)> {
        for key in self.table.keys() {
            let name: &str = key.get_ref().as_ref();
            if !beside.contains(&name) && !names.clone().any(|known| known == name) {
                let write = match nearest(name, names.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => {
                        let list: Vec<&str> = names.clone().chain(beside.iter().copied()).collect();
                        format!("known here: {}", list.join(", "))
                    }
                };
                self.fault(&key.span(), name, "is not known".to_owned(), &write);
            }
        }
        let write = "a list of texts";
        let list = |name: &str| {
            let found = self.table.get(name);
            let place = found.map_or_else(|| self.place.clone(), Spanned::span);
            let list = found.map_or_else(Vec::new, |value| self.as_list(name, value, write));
            (place, list)
        };
        names.map(list).collect()
    }

    /// Where a key's value stands; the section's own place when it is absent.
    pub(super) fn place_of(&self, key: &str) -> Range<usize> {
        self.table.get(key).map_or_else(|| self.place.clone(), Spanned::span)
    }

    /// Names the keys that nobody asked for.
    pub(super) fn finish(&self) {
        if self.open {
            return;
        }
        let known = self.known.borrow();
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if known.contains(name) {
                continue;
            }
            let write = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    let list: Vec<&str> = known.iter().copied().collect();
                    format!("known here: {}", list.join(", "))
                }
            };
            self.fault(&key.span(), name, "is not known".to_owned(), &write);
        }
    }
}

/// `200ms`, `5s`, `10m`, `1h`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(millis)?))
}
