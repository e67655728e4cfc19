//! A fault in a file, and how it is shown.

use std::fmt;
use std::ops::Range;

/// One fault: where, what is wrong, what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Bytes of the file.
    pub place: Range<usize>,
    /// The key's path, for example `groups.shop.mode`; empty for the whole file.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What to write instead; may be empty.
    pub write: String,
}

/// All faults of one file, in the order of their places.
#[derive(Clone, PartialEq, Eq)]
pub struct Faults {
    file: String,
    text: String,
    faults: Vec<Fault>,
}

impl Faults {
    pub(super) fn new(file: &str, text: &str, mut faults: Vec<Fault>) -> Self {
        faults.sort_by(|a, b| (a.place.start, &a.path).cmp(&(b.place.start, &b.path)));
        faults.dedup();
        Self { file: file.to_owned(), text: text.to_owned(), faults }
    }

    /// The faults.
    pub fn list(&self) -> &[Fault] {
        &self.faults
    }

    /// Line and column of a byte, both from 1; columns count characters.
    fn position(&self, byte: usize) -> (usize, usize, &str) {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        let before = &self.text[..byte];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[start..].lines().next().unwrap_or("");
        (before.matches('\n').count() + 1, before[start..].chars().count() + 1, line)
    }

    fn write_fault(&self, f: &mut fmt::Formatter<'_>, fault: &Fault) -> fmt::Result {
        let (number, column, line) = self.position(fault.place.start);
        let name =
            if fault.path.is_empty() { String::new() } else { format!("`{}`: ", fault.path) };
        writeln!(f, "{}:{number}:{column}: {name}{}", self.file, fault.what)?;
        let gutter = " ".repeat(number.to_string().len());
        let left = line.chars().count().saturating_sub(column - 1).max(1);
        let wide = self.text.get(fault.place.clone()).map_or(1, |part| part.chars().count());
        let carets = "^".repeat(wide.clamp(1, left));
        writeln!(f, " {number} | {line}")?;
        writeln!(f, " {gutter} | {}{carets}", " ".repeat(column - 1))?;
        if !fault.write.is_empty() {
            writeln!(f, " {gutter} = {}", fault.write)?;
        }
        Ok(())
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            self.write_fault(f, fault)?;
        }
        let count = self.faults.len();
        write!(f, "{}: {count} fault{}", self.file, if count == 1 { "" } else { "s" })
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Faults {}
