//! One file, many runs: `each who leader | follower | third` puts each of the three in turn wherever `$who` stands.

use super::Scenario;
use super::parse::{ScenarioError, parse};

/// Runs of one file.
const RUNS: usize = 1_000;
/// Bytes of a file, and of one run's text.
const BYTES: usize = 1 << 20;

/// `each NAME A | B | C`.
struct Axis<'a> {
    line: usize,
    name: &'a str,
    words: Vec<&'a str>,
}

pub(super) fn parse_all(text: &str) -> Result<Vec<(String, Scenario)>, Vec<ScenarioError>> {
    if text.len() > BYTES {
        let what = format!("the file has more than {BYTES} bytes: write several files");
        return Err(vec![ScenarioError { line: 1, what }]);
    }
    let axes = axes(text)?;
    let runs = axes.iter().map(|axis| axis.words.len()).try_fold(1_usize, usize::checked_mul);
    let Some(runs) = runs.filter(|runs| *runs <= RUNS) else {
        let what = format!("these make more than {RUNS} runs: write several files");
        let line = axes.last().map_or(1, |axis| axis.line);
        return Err(vec![ScenarioError { line, what }]);
    };
    (0..runs).map(|run| one(text, &axes, run)).collect()
}

/// The text with one combination of words in it. Lines keep their numbers.
fn one(
    text: &str,
    axes: &[Axis<'_>],
    run: usize,
) -> Result<(String, Scenario), Vec<ScenarioError>> {
    let mut text: String = text
        .lines()
        .map(|line| if is_axis(line) { "\n".to_owned() } else { format!("{line}\n") })
        .collect();
    let mut left = run;
    let mut name = Vec::new();
    for axis in axes {
        let words = axis.words[left % axis.words.len()];
        left /= axis.words.len();
        text = text.replace(&format!("${}", axis.name), words);
        if text.len() > BYTES {
            let what =
                format!("with its words the file has more than {BYTES} bytes: write several files");
            return Err(vec![ScenarioError { line: axis.line, what }]);
        }
        name.push(format!("{}: {words}", axis.name));
    }
    Ok((name.join(", "), parse(&text)?))
}

fn is_axis(line: &str) -> bool {
    line.split_whitespace().next() == Some("each")
}

/// Whether a name stands in some line, or in an axis before its own, and not only in a remark.
fn uses(text: &str, own: usize, name: &str) -> bool {
    let said = |line: &str| line.split('#').next().unwrap_or_default().contains(name);
    let lines = text.lines().enumerate();
    lines.into_iter().any(|(at, line)| said(line) && (!is_axis(line) || at + 1 < own))
}

fn axes(text: &str) -> Result<Vec<Axis<'_>>, Vec<ScenarioError>> {
    let mut axes: Vec<Axis<'_>> = Vec::new();
    let mut errors = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| is_axis(line)) {
        let line_number = number + 1;
        let line = line.split('#').next().unwrap_or_default();
        let rest = line.trim().trim_start_matches("each").trim();
        let (name, words) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let words: Vec<&str> = words.split('|').map(str::trim).collect();
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase());
        let known =
            axes.iter().any(|axis| axis.name.starts_with(name) || name.starts_with(axis.name));
        let used = uses(text, line_number, &format!("${name}"));
        let what = if !plain || words.iter().any(|word| word.is_empty()) {
            format!("`{}`: write each NAME A | B | C, the name in small letters", line.trim())
        } else if known {
            format!("`{name}` begins like another name: choose one that does not")
        } else if used {
            axes.push(Axis { line: line_number, name, words });
            continue;
        } else {
            format!("`${name}` stands nowhere")
        };
        errors.push(ScenarioError { line: line_number, what });
    }
    if errors.is_empty() { Ok(axes) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_is_a_run_with_its_name() {
        let text = "each who leader | third\neach what crash | pause\nat 3s $what $who for 2s\nmust hold a leader\n";
        let all = parse_all(text).expect("four runs");
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "who: leader, what: crash",
                "who: third, what: crash",
                "who: leader, what: pause",
                "who: third, what: pause"
            ]
        );
        assert_eq!(all[3].1.text(&[]).lines().nth(1), Some("at 3s pause third for 2s"));
        assert_eq!(parse_all("must hold a leader\n").expect("one run").len(), 1);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, what) in [
            ("\neach who\nat 1s crash $who\n", 2, "write each NAME"),
            ("each who a | | b\nat 1s crash $who\n", 1, "write each NAME"),
            ("each who leader | third\nmust hold a leader\n", 1, "stands nowhere"),
            ("each a x | y\neach ab x\nat 1s $a $ab\n", 2, "begins like another"),
            ("each who leader | nobody\nat 1s crash $who\nmust hold a leader\n", 2, "`nobody`"),
        ] {
            let errors = parse_all(text).expect_err(text);
            assert_eq!((errors[0].line, errors.len()), (line, 1), "{text}: {errors:?}");
            assert!(errors[0].what.contains(what), "{errors:?}");
        }
    }

    #[test]
    fn a_file_has_so_many_runs_and_not_one_more() {
        let words = |count: usize| vec!["leader"; count].join(" | ");
        let file = |count: usize| {
            format!("each who {}\nat 1s crash $who\nmust hold a leader\n", words(count))
        };
        assert_eq!(parse_all(&file(RUNS)).expect("they fit").len(), RUNS);
        let errors = parse_all(&file(RUNS + 1)).expect_err("one too many");
        assert!(errors[0].what.contains("more than 1000 runs"));
    }
}
