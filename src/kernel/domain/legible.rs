//! Text of others, fit for people's eyes: what would steer a terminal or reverse a line is shown, not done.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character is no sign but does something to the signs around it, or cannot be seen: controls, line and
/// paragraph separators, and all format characters (general categories Cc, Zl, Zp and Cf of Unicode 16).
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
            | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

/// Lines as they are; but for line feeds and tabs, what [`steers`] stands there as JSON writes it: `\u202e`. So the same
/// does for JSON, whose strings alone can hold such characters, and means the same afterwards.
pub fn lines(text: &str) -> Cow<'_, str> {
    let kept = |c: char| !steers(c) || matches!(c, '\n' | '\t');
    if text.chars().all(kept) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if kept(c) { shown.push(c) } else { push_escaped(&mut shown, c) }
    }
    Cow::Owned(shown)
}

/// The same as one line: line breaks and tabs become blanks.
pub fn one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => shown.push(' '),
            c if steers(c) => push_escaped(&mut shown, c),
            c => shown.push(c),
        }
    }
    shown
}

fn push_escaped(shown: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a `String` cannot fail.
        let _ = write!(shown, "\\u{unit:04x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_shown_and_everything_else_stays() {
        let plain = "größer → \"a\\b\" 日本\n\tx";
        assert!(matches!(lines(plain), Cow::Borrowed(same) if same == plain));
        assert_eq!(one_line("a\r\n\tb"), "a   b");
        for (steering, shown) in [
            ("\u{1b}[31m", "\\u001b[31m"),
            ("\u{202e}", "\\u202e"),
            ("\u{9b}", "\\u009b"),
            ("\u{7f}\u{0}", "\\u007f\\u0000"),
            ("\u{2066}\u{2028}\u{feff}\u{200b}\u{ad}", "\\u2066\\u2028\\ufeff\\u200b\\u00ad"),
            ("\u{e0041}", "\\udb40\\udc41"),
        ] {
            assert_eq!(one_line(&format!("a{steering}b")), format!("a{shown}b"));
            assert_eq!(lines(&format!("a{steering}\nb")), format!("a{shown}\nb"));
        }
        assert_eq!(lines("a\rb"), "a\\u000db", "a line is not written over");
    }

    #[test]
    fn json_means_the_same_afterwards() {
        let value = serde_json::json!({ "a\u{202e}": ["\u{7f}\u{e0041}\u{1b}", "x\ny"] });
        let text = serde_json::to_string_pretty(&value).expect("text keys");
        let shown = lines(&text);
        assert!(shown.chars().all(|c| c == '\n' || !steers(c)), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), value);
    }
}
