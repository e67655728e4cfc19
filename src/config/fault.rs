//! A fault in a file, and how it is shown.

use std::fmt;
use std::ops::Range;

use crate::kernel::domain::legible::one_line;

/// Faults that are shown as text; how many more there are is said.
const SHOWN: usize = 200;
/// Characters of a line that are shown; of a longer one, the part around the place.
const EXCERPT: usize = 160;
/// Characters of a sentence about a fault that are shown.
const WORDS: usize = 400;
/// Characters that stay before the place in a line that is cut.
const BEFORE: usize = 60;

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

/// A line and a column, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// All faults of one file, in the order of their places.
#[derive(Clone, PartialEq, Eq)]
pub struct Faults {
    file: String,
    text: String,
    /// Where each line begins, in bytes.
    lines: Vec<usize>,
    faults: Vec<Fault>,
    /// Faults that were found beyond those in the list.
    unlisted: usize,
}

impl Faults {
    pub(super) fn new(file: &str, text: &str, mut faults: Vec<Fault>, unlisted: usize) -> Self {
        faults.sort_by(|a, b| (a.place.start, &a.path).cmp(&(b.place.start, &b.path)));
        faults.dedup();
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { file: file.to_owned(), text: text.to_owned(), lines, faults, unlisted }
    }

    /// The faults; never empty.
    pub fn list(&self) -> &[Fault] {
        &self.faults
    }

    /// How many there are, those beyond the list too.
    pub fn count(&self) -> usize {
        self.faults.len() + self.unlisted
    }

    /// Where a fault of this file stands.
    pub fn position(&self, fault: &Fault) -> Position {
        let (line, before, _) = self.around(fault.place.start);
        Position { line, column: before.chars().count() + 1 }
    }

    /// The number of a byte's line, what stands in that line before it, and from it on.
    fn around(&self, byte: usize) -> (usize, &str, &str) {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        let line = self.lines.partition_point(|start| *start <= byte);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        let rest = &self.text[byte..];
        let rest = rest.split('\n').next().unwrap_or(rest);
        (line, &self.text[start..byte], rest.strip_suffix('\r').unwrap_or(rest))
    }

    fn write_fault(&self, f: &mut fmt::Formatter<'_>, fault: &Fault) -> fmt::Result {
        let (number, before, rest) = self.around(fault.place.start);
        let column = before.chars().count();
        let name = if fault.path.is_empty() {
            String::new()
        } else {
            format!("`{}`: ", told(&fault.path))
        };
        writeln!(
            f,
            "{}:{number}:{}: {name}{}",
            one_line(&self.file),
            column + 1,
            told(&fault.what)
        )?;
        let wide = self.text.get(fault.place.clone()).map_or(1, |part| {
            one_line(&part.chars().take(EXCERPT).collect::<String>()).chars().count()
        });
        let whole = rest.chars().count();
        let (before, rest) = excerpt(before, rest, column, whole);
        let carets = "^".repeat(wide.clamp(1, rest.chars().count().max(1)));
        let gutter = " ".repeat(number.to_string().len());
        writeln!(f, " {number} | {before}{rest}")?;
        writeln!(f, " {gutter} | {}{carets}", " ".repeat(before.chars().count()))?;
        if !fault.write.is_empty() {
            writeln!(f, " {gutter} = {}", told(&fault.write))?;
        }
        Ok(())
    }
}

/// Words about a file, which may repeat what stands in it: legible, and cut.
fn told(words: &str) -> String {
    // Each character is shown as at least one.
    let begin: String = words.chars().take(WORDS + 1).collect();
    let shown = one_line(&begin);
    let mut told: String = shown.chars().take(WORDS).collect();
    if shown.chars().nth(WORDS).is_some() {
        told.push('…');
    }
    told
}

/// The parts of a line before and from a place, cut to what fits, and legible: a file must not steer the terminal that
/// shows its faults.
fn excerpt(before: &str, rest: &str, column: usize, whole: usize) -> (String, String) {
    if column + whole <= EXCERPT {
        return (one_line(before), one_line(rest));
    }
    let kept = |text: &str, skip: usize, take: usize| -> String {
        one_line(&text.chars().skip(skip).take(take).collect::<String>())
    };
    let before = if column > BEFORE {
        format!("…{}", kept(before, column - BEFORE, BEFORE))
    } else {
        one_line(before)
    };
    let room = EXCERPT - column.min(BEFORE + 1);
    if whole > room {
        (before, format!("{}…", kept(rest, 0, room - 1)))
    } else {
        (before, one_line(rest))
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in self.faults.iter().take(SHOWN) {
            self.write_fault(f, fault)?;
        }
        let count = self.count();
        write!(f, "{}: {count} fault{}", self.file, if count == 1 { "" } else { "s" })?;
        if count > SHOWN { write!(f, ", the first {SHOWN} are shown") } else { Ok(()) }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::domain::legible::steers;

    fn shown(text: &str, place: Range<usize>) -> String {
        let fault =
            Fault { place, path: String::new(), what: "wrong".to_owned(), write: String::new() };
        Faults::new("f", text, vec![fault], 0).to_string()
    }

    #[test]
    fn carets_stand_under_the_place_in_characters() {
        let text = "first\nä\tü = 1\r\n";
        assert_eq!(shown(text, 11..14), "f:2:4: wrong\n 2 | ä ü = 1\n   |    ^^^\nf: 1 fault");
        let end = shown("a = [", 5..5);
        assert_eq!(end, "f:1:6: wrong\n 1 | a = [\n   |      ^\nf: 1 fault");
        assert!(shown("", 0..0).starts_with("f:1:1: wrong\n 1 | \n   | ^\n"));
    }

    #[test]
    fn a_place_of_many_lines_is_underlined_in_its_first() {
        let lines = shown("a = [\n 1,\n]\n", 4..11);
        assert!(lines.contains("\n 1 | a = [\n   |     ^\n"), "{lines}");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}here{}", "x".repeat(5_000), "y".repeat(5_000));
        let lines = shown(&text, 5_000..5_004);
        let width = lines.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(width <= EXCERPT + 5, "{width}");
        let caret = lines.lines().nth(2).unwrap().find('^').unwrap();
        let line: String = lines.lines().nth(1).unwrap().chars().skip(caret).take(4).collect();
        assert_eq!(line, "here");
    }

    #[test]
    fn a_file_cannot_steer_the_terminal() {
        let line = "a = \"x\u{202e}y\" \u{1b}[31m\n";
        let told = shown(line, 4..11);
        assert!(told.contains(" 1 | a = \"x\\u202ey\" \\u001b[31m\n"), "{told}");
        assert!(told.contains("\n   |     ^^^^^^^^^^\n"), "as wide as what is shown: {told}");
        let fault = Fault {
            place: 0..1,
            path: "\u{1b}".repeat(3),
            what: "\u{7}x".repeat(3_000),
            write: "\u{9b}".to_owned(),
        };
        let shown = Faults::new("f", "a = 1\n", vec![fault], 0).to_string();
        assert!(shown.chars().all(|c| c == '\n' || !steers(c)), "{shown:?}");
        assert!(shown.chars().count() < 2 * WORDS, "{shown:?}");
    }

    #[test]
    fn many_faults_are_counted_and_the_first_are_shown() {
        let fault = |at: usize| Fault {
            place: at..at + 1,
            path: String::new(),
            what: "wrong".to_owned(),
            write: String::new(),
        };
        let faults = Faults::new("f", &"x\n".repeat(400), (0..300).map(fault).collect(), 7);
        let text = faults.to_string();
        assert!(text.ends_with("f: 307 faults, the first 200 are shown"), "{text}");
        assert_eq!(text.matches("wrong").count(), 200);
    }
}
