//! What is said of somebody's own cluster, to people and to programs.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::super::search::Searched;
use super::super::{SimulateArgs, shell_word};
use crate::cli::exit::{Exit, Failure};
use crate::cli::render::printable;
use crate::sim::adopt::Adopted;
use crate::sim::trial::{Advice, Change, Exam, Examiner, Finding, Ran, Trial, ordinary};

/// What is printed as JSON.
#[derive(Serialize)]
pub(super) struct Report {
    cluster: String,
    pub(super) passed: bool,
    warnings: Vec<String>,
    not_simulated: Vec<String>,
    ordinary: Vec<OrdinaryJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search: Option<serde_json::Value>,
    trials: Vec<TrialJson>,
    findings: Vec<FindingJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rerun: Option<RerunJson>,
}

#[derive(Serialize)]
struct OrdinaryJson {
    what: &'static str,
    assumed: String,
}

#[derive(Serialize)]
struct TrialJson {
    trial: &'static str,
    seeds: u64,
    complaints: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<&'static str>,
}

#[derive(Serialize)]
struct FindingJson {
    trial: &'static str,
    what: String,
    seeds: Vec<u64>,
    story: String,
    advice: Vec<ChangeJson>,
    /// Whether what is advised here, or was before, cures it.
    cured: bool,
}

#[derive(Serialize)]
struct ChangeJson {
    key: String,
    now: String,
    write: String,
}

#[derive(Serialize)]
struct RerunJson {
    changes: Vec<ChangeJson>,
    seeds: u64,
    found: Vec<String>,
}

impl From<&Change> for ChangeJson {
    fn from(change: &Change) -> Self {
        let Change { key, before, after } = change.clone();
        Self { key, now: before, write: after }
    }
}

impl Report {
    pub(super) fn new(file: &Path, adopted: &Adopted, warnings: &[String]) -> Self {
        let ordinary = ordinary().into_iter().map(|(what, assumed)| OrdinaryJson { what, assumed });
        Self {
            cluster: file.display().to_string(),
            passed: true,
            warnings: warnings.to_vec(),
            not_simulated: adopted.left_out.clone(),
            ordinary: ordinary.collect(),
            search: None,
            trials: Vec::new(),
            findings: Vec::new(),
            rerun: None,
        }
    }

    pub(super) fn searched(
        &mut self,
        searched: &Searched,
        args: &SimulateArgs,
    ) -> Result<(), Failure> {
        let json = serde_json::to_value(searched.json(args));
        let bug = |error: serde_json::Error| Failure {
            exit: Exit::Bug,
            ..Failure::failed(error.to_string(), "")
        };
        self.search = Some(json.map_err(bug)?);
        self.passed &= searched.passed();
        Ok(())
    }

    pub(super) fn tried(&mut self, file: &Path, examiner: &Examiner<'_>, exam: &Exam) {
        let seeds = count(examiner);
        self.passed &= exam.findings.is_empty();
        self.trials = exam
            .tried
            .iter()
            .map(|(trial, result)| TrialJson {
                trial: trial.name(),
                seeds: if result.is_ok() { seeds } else { 0 },
                complaints: result.unwrap_or(0),
                left_out: result.err(),
            })
            .collect();
        self.findings = exam
            .findings
            .iter()
            .map(|finding| FindingJson {
                trial: finding.trial.name(),
                what: finding.complaint.to_string(),
                seeds: finding.had.clone(),
                story: look(file, finding),
                advice: match &finding.advice {
                    Advice::Set(changes, _) => changes.iter().map(ChangeJson::from).collect(),
                    Advice::Earlier | Advice::Nothing(_) => Vec::new(),
                },
                cured: !matches!(finding.advice, Advice::Nothing(_)),
            })
            .collect();
        self.rerun = exam.rerun.as_ref().map(|rerun| RerunJson {
            changes: rerun.changes.iter().map(ChangeJson::from).collect(),
            seeds,
            found: rerun.found.iter().map(ToString::to_string).collect(),
        });
    }
}

fn count(examiner: &Examiner<'_>) -> u64 {
    examiner.seeds.end() - examiner.seeds.start() + 1
}

/// The command that shows the first run in which it was found.
fn look(file: &Path, finding: &Finding) -> String {
    let seed = finding.had.first().copied().unwrap_or(1);
    let (file, trial) = (shell_word(&file.display().to_string()), finding.trial.name());
    format!("biplane simulate --cluster {file} --trial {trial} --seeds {seed}..{seed} --story")
}

/// Before anything is run: whose cluster it is, what of it has no part, and what is assumed.
pub(super) fn head(file: &Path, adopted: &Adopted, warnings: &[String]) -> String {
    let cluster = &adopted.cluster;
    let counted =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let mut text = format!(
        "{}: {}, {}, {}\n",
        printable(&file.display().to_string()),
        counted(cluster.members.len(), "member"),
        counted(cluster.services.len(), "service"),
        counted(cluster.groups.len(), "group")
    );
    for warning in warnings {
        let _ = writeln!(text, "  warning: {warning}");
    }
    text.push_str("not simulated:\n");
    for line in &adopted.left_out {
        let _ = writeln!(text, "  {line}");
    }
    text.push_str("what trials take for ordinary:\n");
    for (what, assumed) in ordinary() {
        let _ = writeln!(text, "  {what:<20} {assumed}");
    }
    text.push('\n');
    text
}

/// What the trials found, and last what to write and that it helps.
pub(super) fn exam(file: &Path, examiner: &Examiner<'_>, exam: &Exam) -> String {
    let seeds = count(examiner);
    let mut text = String::from("\n");
    for (trial, result) in &exam.tried {
        let name = trial.name();
        let _ = match result {
            Ok(0) => writeln!(text, "trial {name}: {seeds} seeds, nothing found"),
            Ok(count) => writeln!(text, "trial {name}: {seeds} seeds, {count} found"),
            Err(why) => writeln!(text, "trial {name}: left out, {why}"),
        };
    }
    for finding in &exam.findings {
        let Finding { complaint, had, advice, .. } = finding;
        let _ = writeln!(text, "\n{complaint}: {} of {seeds} seeds", had.len());
        let _ = writeln!(text, "  look at it: {}", look(file, finding));
        text.push_str(&advised(advice));
    }
    let Some(rerun) = &exam.rerun else { return text };
    let written: Vec<String> =
        rerun.changes.iter().map(|change| format!("{} = {}", change.key, change.after)).collect();
    let _ = write!(text, "\nwith {}: {seeds} seeds, ", written.join(", "));
    if rerun.found.is_empty() {
        text.push_str("nothing found\n");
    } else {
        text.push_str("and this is still found:\n");
        for complaint in &rerun.found {
            let _ = writeln!(text, "  {complaint}");
        }
    }
    text
}

fn advised(advice: &Advice) -> String {
    let mut text = String::new();
    match advice {
        Advice::Set(changes, lowers) => {
            let verb = if *lowers { "lower" } else { "raise" };
            for (change, verb) in
                changes.iter().zip([verb].into_iter().chain(std::iter::repeat("and with it")))
            {
                let Change { key, before, after } = change;
                let _ = writeln!(text, "  {verb} {key}: it is {before}, write {after}");
            }
        }
        Advice::Earlier => text.push_str("  what is advised above cures this too\n"),
        Advice::Nothing(tried) if tried.is_empty() => {
            text.push_str("  no setting may do that: report it with this command and the file\n");
        }
        Advice::Nothing(tried) => {
            let _ =
                writeln!(text, "  no single setting cures it; tried up to {}", tried.join(", "));
        }
    }
    text
}

/// One run of a trial.
pub(super) fn story(trial: Trial, seed: u64, ran: &Ran) -> String {
    let mut text = format!("trial {}, seed {seed}\n", trial.name());
    for line in &ran.story {
        let _ = writeln!(text, "  {line}");
    }
    for complaint in &ran.complaints {
        let _ = writeln!(text, "  {complaint}");
    }
    if let Some(violation) = &ran.violation {
        let _ = writeln!(text, "  {}: {}", violation.oracle, violation.what);
    }
    text
}
