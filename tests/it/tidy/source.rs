//! One source file, and what can be said of it alone.

use std::ops::Range;

/// Longest file.
const LINES: usize = 500;

/// Words that have no place below the glass floor, as whole tokens, each with its reason.
const BELOW_THE_GLASS: &[(&str, &str)] = &[
    ("tokio", "async runtimes live in edge and runtime"),
    ("async", "below the glass a wish is an Output, not a future"),
    ("await", "below the glass a wish is an Output, not a future"),
    ("Instant", "time is a Moment that is passed in"),
    ("SystemTime", "wall time is a WallTime that is passed in"),
    ("HashMap", "its order differs from run to run: BTreeMap"),
    ("HashSet", "its order differs from run to run: BTreeSet"),
    ("RandomState", "its order differs from run to run"),
    ("getrandom", "entropy comes in through an input"),
    ("rand", "entropy comes in through an input"),
    ("f32", "floats differ between machines: whole numbers"),
    ("f64", "floats differ between machines: whole numbers"),
    ("TcpStream", "sockets live in edge"),
    ("TcpListener", "sockets live in edge"),
    ("UdpSocket", "sockets live in edge"),
    ("thread_local", "state is a value"),
    ("println", "events are outputs"),
    ("eprintln", "events are outputs"),
];

/// The same as paths.
const PATHS_BELOW_THE_GLASS: &[&str] =
    &["std::fs", "std::thread", "std::process", "std::env", "std::io", "std::sync::Mutex"];

/// Traits that encoders speak, here over memory: no file, no socket.
const OVER_MEMORY: &[(&str, &str)] = &[("src/kernel/ledger/snapshot.rs", "std::io")];

/// File names that say nothing.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helper", "helpers", "manager", "misc"];

/// A Rust file.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Relative to the crate.
    pub(crate) path: String,
    text: String,
    /// The text with comments, strings and characters blanked out, line breaks kept.
    code: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: blank(text) }
    }

    /// As written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Code without comments and texts; the same length and lines as the file.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// `path:line` of a byte.
    pub(crate) fn at(&self, byte: usize) -> String {
        let line = self.code[..byte].bytes().filter(|b| *b == b'\n').count() + 1;
        format!("{}:{line}", self.path)
    }

    /// Whether this file or this byte of it is for tests only.
    fn is_test(&self, byte: usize) -> bool {
        self.is_test_file() || self.test_module().is_some_and(|tests| tests.contains(&byte))
    }

    fn is_test_file(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// From `#[cfg(test)]` before an inline module to the end: tests stand last.
    fn test_module(&self) -> Option<Range<usize>> {
        let at = self.code.find("#[cfg(test)]\nmod tests {")?;
        Some(at..self.code.len())
    }

    /// Whether a test module is followed by more code: it must stand last.
    fn code_after_tests(&self) -> Option<usize> {
        let tests = self.test_module()?;
        let end = self.code[tests.clone()].find("\n}\n")? + tests.start + 3;
        let rest = self.code[end..].find(|c: char| !c.is_whitespace())?;
        Some(end + rest)
    }

    /// Every identifier or keyword with its place.
    pub(crate) fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        words(&self.code)
    }

    pub(crate) fn glass_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (at, word) in self.words() {
            if let Some((_, why)) = BELOW_THE_GLASS.iter().find(|(bad, _)| *bad == word)
                && !self.is_test(at)
            {
                faults.push(format!("{}: `{word}` below the glass: {why}", self.at(at)));
            }
        }
        for path in PATHS_BELOW_THE_GLASS {
            if OVER_MEMORY.contains(&(self.path.as_str(), path)) {
                continue;
            }
            for (at, _) in self.code.match_indices(path) {
                if !self.is_test(at) {
                    faults.push(format!("{}: `{path}` below the glass", self.at(at)));
                }
            }
        }
        faults
    }

    pub(crate) fn shape_faults(&self) -> Vec<String> {
        let Self { path, text, .. } = self;
        let mut faults = Vec::new();
        let lines = text.lines().count();
        if lines > LINES {
            faults
                .push(format!("{path}: {lines} lines, at most {LINES}: split it by what it does"));
        }
        let name = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        if EMPTY_NAMES.contains(&name) {
            faults.push(format!("{path}: `{name}` says nothing: name what is in it"));
        }
        if !text.starts_with("//!") {
            faults.push(format!("{path}: must begin with `//!` and say what it is"));
        }
        for word in ["TODO", "FIXME", "XXX", "HACK"] {
            // This file names them as text.
            let marks = words(text).filter(|(_, found)| *found == word).map(|(at, _)| at);
            for at in marks.filter(|_| !path.ends_with("tidy/source.rs")) {
                faults.push(format!("{}: {word}: do it or leave it", self.at(at)));
            }
        }
        for call in ["todo!", "unimplemented!"] {
            for (at, _) in self.code.match_indices(call) {
                faults.push(format!("{}: {call}", self.at(at)));
            }
        }
        faults
            .extend(self.code_after_tests().map(|at| format!("{}: tests stand last", self.at(at))));
        faults
    }

    /// Names of the functions under `#[test]` or `#[tokio::test]`.
    pub(crate) fn test_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut pending = false;
        for line in self.code.lines().map(str::trim) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                pending = true;
            } else if pending && let Some((_, rest)) = line.split_once("fn ") {
                let end = rest.find(['(', '<']).unwrap_or(rest.len());
                names.push(rest[..end].to_owned());
                pending = false;
            }
        }
        names
    }
}

fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let start = rest + text[rest..].find(is_word)?;
        let end = text[start..].find(|c| !is_word(c)).map_or(text.len(), |end| start + end);
        rest = end;
        Some((start, &text[start..end]))
    })
}

/// Blanks out comments, strings and characters, byte for byte.
pub(crate) fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = skipped(bytes, at);
        if end == at {
            at += 1;
            continue;
        }
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(out).expect("whole characters were blanked")
}

/// Where the comment, string or character that begins at `at` ends; `at` itself if none begins there.
fn skipped(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        return at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
    }
    if rest.starts_with(b"/*") {
        return block_comment(bytes, at);
    }
    let before = at.checked_sub(1).map(|i| bytes[i]);
    let in_word = before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !in_word && let Some(end) = raw_string(bytes, at) {
        return end;
    }
    match rest[0] {
        b'"' => quoted(bytes, at, b'"'),
        b'\'' if is_character(rest) => quoted(bytes, at, b'\''),
        _ => at,
    }
}

fn block_comment(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut i) = (0, at);
    while i < bytes.len() {
        if bytes[i..].starts_with(b"/*") {
            (depth, i) = (depth + 1, i + 2);
        } else if bytes[i..].starts_with(b"*/") {
            (depth, i) = (depth - 1, i + 2);
            if depth == 0 {
                return i;
            }
        } else {
            i += 1;
        }
    }
    bytes.len()
}

fn raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let rest = rest.strip_prefix(b"b").unwrap_or(rest);
    let rest = rest.strip_prefix(b"r")?;
    let hashes = rest.iter().take_while(|b| **b == b'#').count();
    let body = rest[hashes..].strip_prefix(b"\"")?;
    let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let end = body.windows(close.len()).position(|window| window == close)?;
    Some(bytes.len() - body.len() + end + close.len())
}

/// A quote that opens a character, not a lifetime.
fn is_character(rest: &[u8]) -> bool {
    let text = std::str::from_utf8(rest).unwrap_or_default();
    let mut chars = text.chars().skip(1);
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}

fn quoted(bytes: &[u8], at: usize, quote: u8) -> usize {
    let mut i = at + 1;
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => i += 2,
            b if b == quote => return i + 1,
            _ => i += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(text: &str) -> Source {
        Source::new("src/kernel/policy/x.rs", text)
    }

    #[test]
    fn comments_and_texts_are_no_code() {
        let text =
            "a // HashMap\n/* f64 /* x */ y */ b \"async \\\" f32\" 'c' '\\'' r#\"tokio\"# &'a c";
        let code = blank(text);
        let left: Vec<&str> = words(&code).map(|(_, word)| word).collect();
        assert_eq!(left, ["a", "b", "a", "c"]);
        assert_eq!(code.len(), text.len());
    }

    #[test]
    fn each_banned_word_is_found_below_the_glass() {
        for bad in [
            "use std::time::Instant;",
            "use tokio::sync::watch;",
            "async fn f() {}",
            "let x: f64 = 1.0;",
            "use std::collections::HashMap;",
            "std::fs::read(path)",
            "std::thread::spawn(f)",
            "let s = std::net::UdpSocket::bind(a);",
        ] {
            assert_eq!(kernel(bad).glass_faults().len(), 1, "{bad}");
        }
    }

    #[test]
    fn words_that_only_contain_a_banned_one_are_fine() {
        let text = "struct Instantly; let rand_seed = 1; // f64\nuse std::time::Duration;";
        assert_eq!(kernel(text).glass_faults(), Vec::<String>::new());
    }

    #[test]
    fn tests_below_the_glass_may_do_what_they_like_and_stand_last() {
        let text = "//! x\n#[cfg(test)]\nmod tests {\n    use std::collections::HashMap;\n}\n";
        assert_eq!(kernel(text).glass_faults(), Vec::<String>::new());
        assert_eq!(kernel(text).shape_faults(), Vec::<String>::new());
        let more = format!("{text}fn f() {{}}\n");
        assert!(kernel(&more).shape_faults()[0].contains("tests stand last"));
    }

    #[test]
    fn long_nameless_and_unfinished_files_are_found() {
        let long = format!("//! x\n{}", "\n".repeat(500));
        let cases = [
            (Source::new("src/edge/a.rs", &long), "501 lines"),
            (Source::new("src/edge/utils.rs", "//! x\n"), "says nothing"),
            (Source::new("src/edge/a.rs", "fn f() {}\n"), "must begin with"),
            (Source::new("src/edge/a.rs", "//! x\n// TODO: y\n"), "src/edge/a.rs:2: TODO"),
            (Source::new("src/edge/a.rs", "//! x\nfn f() { todo!() }\n"), "todo!"),
        ];
        for (source, said) in cases {
            let faults = source.shape_faults();
            assert!(faults.len() == 1 && faults[0].contains(said), "{said}: {faults:?}");
        }
    }

    #[test]
    fn tests_are_known_by_name() {
        let text = "#[test]\nfn a_is_b() {}\n\n#[tokio::test(flavor = \"x\")]\nasync fn c_is_d() {}\nfn e() {}\n";
        assert_eq!(kernel(text).test_names(), ["a_is_b", "c_is_d"]);
    }
}
