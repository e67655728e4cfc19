//! The rules of `docs/alerts.yml`. The file has one shape: each expression and each `for` stands on one line.

use super::path;

/// Its path below the crate's directory.
const FILE: &str = "docs/alerts.yml";

/// A rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) expr: String,
    pub(super) severity: String,
    pub(super) wait: String,
    /// All of it.
    pub(super) text: String,
}

/// A series that an expression names, with the labels that it must have.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
}

/// The file.
pub(super) fn text() -> String {
    std::fs::read_to_string(path(FILE)).unwrap()
}

/// Every rule, in order.
pub(super) fn rules() -> Vec<Rule> {
    text().split("      - alert: ").skip(1).map(Rule::of).collect()
}

/// The same file for impatient tests: this line takes the place of each line with a `for` that is longer.
pub(super) fn hurried(wait: &str) -> String {
    let line = |line: &str| match line.split_once("for: ") {
        Some((indent, time)) if indent.trim().is_empty() && time != "0s" => {
            format!("{indent}for: {wait}\n")
        }
        _ => format!("{line}\n"),
    };
    text().lines().map(line).collect()
}

impl Rule {
    fn of(text: &str) -> Self {
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(key));
            line.unwrap_or_default().trim().to_owned()
        };
        let severity = value("labels: { severity:").trim_end_matches(" }").to_owned();
        Self {
            name: text.lines().next().unwrap_or_default().trim().to_owned(),
            expr: value("expr:"),
            severity,
            wait: value("for:"),
            text: text.to_owned(),
        }
    }

    /// Every series of Biplane in its expression.
    pub(super) fn series(&self) -> Vec<Series> {
        let starts = self.expr.match_indices("biplane_").map(|(at, _)| &self.expr[at..]);
        starts.map(Series::of).collect()
    }
}

impl Series {
    fn of(text: &str) -> Self {
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        let inside = rest.strip_prefix('{').and_then(|rest| rest.split('}').next());
        let matchers = inside.unwrap_or_default().split(',').filter(|part| !part.is_empty());
        let label = |matcher: &str| {
            let (label, value) = matcher.split_once('=').expect("label=\"value\"");
            (label.trim().to_owned(), value.trim_matches('"').to_owned())
        };
        Self { name: name.to_owned(), labels: matchers.map(label).collect() }
    }
}
