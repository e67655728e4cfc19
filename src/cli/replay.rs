//! `biplane replay`.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::render::{Table, printable};
use super::{Context, print, print_json};
use crate::edge::journal::End;
use crate::kernel::domain::WallTime;
use crate::twin::{Outcome, Report, SegmentReport, Told, replay};

/// Arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct ReplayArgs {
    /// A node's data directory, or the journal in it; the node may be running
    #[arg(value_name = "DIR")]
    journal: PathBuf,
    /// Print what the node's kernel told then: an incident, read again
    #[arg(long)]
    tell: bool,
}

pub(super) fn run(args: &ReplayArgs, context: &Context) -> Result<Exit, Failure> {
    let json = context.shared.json;
    let mut told = Vec::new();
    let mut tell = |one: Told<'_>| {
        if args.tell && json {
            told.push(told_json(&one));
        } else if args.tell {
            print(&told_line(&one));
        }
    };
    let report = quietly(|| replay(&args.journal, &mut tell));
    let dir = args.journal.display();
    let report = report.map_err(|error| {
        Failure::failed(
            format!("{dir}: {error}"),
            "name a node's data directory (`data_dir` in node.toml) as a user who may read it",
        )
    })?;
    if report.segments.is_empty() {
        return Err(Failure::failed(
            format!("there is no journal in {dir}"),
            "a node writes one unless `journal_mib` in its node.toml is 0; name its data directory",
        ));
    }
    if json {
        let mut value = serde_json::to_value(&report).map_err(|error| Failure {
            exit: Exit::Bug,
            ..Failure::failed(error.to_string(), "")
        })?;
        value["same"] = Value::Bool(report.is_good());
        if args.tell {
            value["told"] = Value::Array(told);
        }
        print_json(&value)?;
    } else {
        print(&text(&report));
    }
    Ok(if report.is_good() { Exit::Done } else { Exit::Failed })
}

/// A kernel that panicked then panics again: that is part of the report, not a bug of this command.
fn quietly<T>(act: impl FnOnce() -> T) -> T {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let done = act();
    std::panic::set_hook(hook);
    done
}

fn told_line(told: &Told<'_>) -> String {
    let Told { member, at, input, event } = told;
    let group = event.group.as_ref().map_or_else(String::new, |group| format!("{group}: "));
    let text = printable(&event.text);
    format!("{at}  member {member}  input {input:<8}  {:<10}  {group}{text}\n", event.kind)
}

fn told_json(told: &Told<'_>) -> Value {
    let Told { member, at, input, event } = told;
    json!({
        "member": member, "at": at, "input": input, "kind": event.kind, "group": event.group, "text": event.text,
    })
}

fn text(report: &Report) -> String {
    let mut table = Table::new(&["segment", "from", "to", "inputs", "starts with", "ends", ""]);
    let mut notes = String::new();
    for segment in &report.segments {
        table.row([
            segment.file.trim_end_matches(".journal").to_owned(),
            time(segment.from),
            time(segment.to),
            segment.inputs.to_string(),
            if segment.from_start { "the process".to_owned() } else { "a kernel".to_owned() },
            end(segment).to_owned(),
            outcome(segment).to_owned(),
        ]);
        for note in notes_of(segment) {
            notes +=
                &format!("{}: {}\n", segment.file.trim_end_matches(".journal"), printable(&note));
        }
    }
    let gap = if notes.is_empty() { "" } else { "\n" };
    format!("{}\n{notes}{gap}{}\n", table.render(), sentence(report))
}

fn time(at: WallTime) -> String {
    if at == WallTime::default() { "–".to_owned() } else { at.to_string() }
}

const fn end(segment: &SegmentReport) -> &'static str {
    match (&segment.end, &segment.outcome) {
        (Some(End::Continued), _) => "continued",
        (Some(End::Gap), _) => "gap",
        (Some(End::Stopped), _) => "stopped",
        (Some(End::Panicked), _) => "panicked",
        (None, Outcome::Same) => "open",
        (None, _) => "–",
    }
}

const fn outcome(segment: &SegmentReport) -> &'static str {
    match segment.outcome {
        Outcome::Same => "same",
        Outcome::Differs => "DIFFERS",
        Outcome::Unreadable => "UNREADABLE",
        Outcome::Gone => "gone",
    }
}

fn notes_of(segment: &SegmentReport) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(gap) = &segment.gap {
        notes.push(format!("{} inputs are missing before it: {}", gap.inputs, gap.why));
    }
    if let Some(build) = &segment.other_build {
        notes.push(format!("written by another build ({build})"));
    }
    notes.extend(segment.trouble.clone());
    if let Some(difference) = &segment.difference {
        notes.push(difference.to_string());
    }
    notes
}

/// What it all means.
fn sentence(report: &Report) -> String {
    let of = |outcome| report.segments.iter().filter(move |segment| segment.outcome == outcome);
    let inputs: u64 = report.segments.iter().map(|segment| segment.inputs).sum();
    let segments = report.segments.len();
    let (differ, unreadable) = (of(Outcome::Differs).count(), of(Outcome::Unreadable).count());
    let gaps = report.segments.iter().filter(|segment| segment.gap.is_some()).count();
    let gaps = if gaps == 0 {
        String::new()
    } else {
        format!(" {gaps} gaps: what was missing is not judged.")
    };
    if differ == 0 && unreadable == 0 {
        return format!(
            "{inputs} inputs in {segments} segments gave the same outputs again.{gaps}"
        );
    }
    let mut said = Vec::new();
    if differ > 0 {
        let other = of(Outcome::Differs).all(|segment| segment.other_build.is_some());
        said.push(if other {
            format!(
                "{differ} of {segments} segments differ, and all of those were written by another build, which may do \
                 otherwise: replay them with that one."
            )
        } else {
            format!(
                "{differ} of {segments} segments differ: with the build that wrote them that must not be. Keep the \
                 journal and report it."
            )
        });
    }
    if unreadable > 0 {
        said.push(format!("{unreadable} of {segments} segments cannot be read to their end."));
    }
    said.join(" ") + &gaps
}
