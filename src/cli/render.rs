//! Text for people: tables and durations. Pure.

use std::time::Duration;

use crate::kernel::domain::legible::one_line;

/// A table with a head, left-aligned, two blanks between columns, no trailing blanks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads.
    pub(super) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|cell| (*cell).to_owned()).collect()] }
    }

    /// Adds a row. Line breaks in a cell become blanks.
    pub(super) fn row<I>(&mut self, cells: I)
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let flat = |cell: I::Item| printable(&cell.into());
        self.rows.push(cells.into_iter().map(flat).collect());
    }

    /// Whether there is nothing below the head.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() <= 1
    }

    /// The table as lines, each ended by a line feed.
    pub(super) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let pad = width - cell.chars().count();
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', pad + 2));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// What a controller sent or a file holds, as one line: it must not steer a terminal, nor look like two lines.
pub(super) fn printable(text: &str) -> String {
    one_line(text)
}

/// A duration as people say it: `0 ms`, `85 ms`, `1.2 s`, `45 s`, `2 min 5 s`, `3 h 20 min`, `2 d 4 h`.
pub(super) fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let secs = duration.as_secs();
    match secs {
        0 => format!("{millis} ms"),
        1..10 => format!("{secs}.{} s", millis / 100 % 10),
        10..60 => format!("{secs} s"),
        60..3600 => two(secs / 60, "min", secs % 60, "s"),
        3600..86_400 => two(secs / 3600, "h", secs / 60 % 60, "min"),
        _ => two(secs / 86_400, "d", secs / 3600 % 24, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        return format!("{large} {large_unit}");
    }
    format!("{large} {large_unit} {small} {small_unit}")
}

/// Milliseconds, as [`duration`].
pub(super) fn millis(millis: u64) -> String {
    duration(Duration::from_millis(millis))
}

/// `yes` or `no`.
pub(super) const fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["NAME", "PLANE"]);
        table.row(["shop", "east"]);
        table.row(["backoffice", "größer"]);
        table.row(["x", ""]);
        let text = "NAME        PLANE\nshop        east\nbackoffice  größer\nx\n";
        assert_eq!(table.render(), text);
    }

    #[test]
    fn what_a_controller_sends_cannot_move_the_cursor() {
        let mut table = Table::new(&["A"]);
        table.row(["a\u{1b}[2Jb\r\nc\u{202e}"]);
        assert_eq!(table.render(), "A\na\\u001b[2Jb  c\\u202e\n");
    }

    #[test]
    fn a_row_may_be_shorter_or_longer_than_the_head() {
        let mut table = Table::new(&["A", "B"]);
        table.row(["1"]);
        table.row(["1", "2", "3"]);
        assert_eq!(table.render(), "A  B\n1\n1  2  3\n");
    }

    #[test]
    fn durations_read_as_people_say_them() {
        let cases = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1.0 s"),
            (9_999, "9.9 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (125_000, "2 min 5 s"),
            (3_600_000, "1 h"),
            (12_000_000, "3 h 20 min"),
            (187_200_000, "2 d 4 h"),
        ];
        for (given, text) in cases {
            assert_eq!(millis(given), text);
        }
    }
}
