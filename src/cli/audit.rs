//! `biplane audit head | export | verify`.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde::Serialize;

mod file;
mod judge;

use file::{FORMAT, Footer, Header, Out};
use judge::{Verified, judge};

use super::exit::{Exit, Failure};
use super::reach::Reach;
use super::{Context, block_on, print, print_json, say};
use crate::kernel::ledger::{Audit, AuditHead, AuditLine, AuditPage};
use crate::runtime::clock::Clock;

/// What to do with the audit trail.
#[derive(Debug, clap::Subcommand)]
pub enum AuditCommand {
    /// Print where the chain stands: note it down, and see later whether anything up to here was changed
    Head,
    /// Write the trail into a new file: every entry of the log as it was applied, chained
    Export {
        /// The file
        file: PathBuf,
        /// Begin with this entry
        #[arg(long, value_name = "INDEX", default_value_t = 0)]
        from: u64,
    },
    /// Check an exported file: that no byte of it was changed, nothing cut out, nothing cut off at either end
    Verify {
        /// The file
        file: PathBuf,
        /// A head that was noted down: it must be in the file
        #[arg(long, value_name = "HEAD")]
        head: Vec<String>,
    },
}

pub(super) fn run(command: AuditCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        AuditCommand::Head => {
            let reach = Reach::open(&context.shared)?;
            let head: AuditHead = block_on(reach.client.get_json("/v1/audit/head"))??;
            if context.shared.json {
                print_json(&head)?;
            } else {
                print(&format!("{}\n", head.head));
                say(&format!("biplane: {} entries, the last is {}", head.count, head.index));
            }
            Ok(Exit::Done)
        }
        AuditCommand::Export { file, from } => {
            let reach = Reach::open(&context.shared)?;
            let mut out = create(&file)?;
            let exported = block_on(export(&reach, &mut out, &file, from))?;
            if exported.is_err() {
                // Half of an export is none, and its name is to be free.
                let _ = std::fs::remove_file(&file);
            }
            let exported = exported?;
            if context.shared.json {
                print_json(&exported)?;
            } else {
                print(&exported.words(&file));
            }
            Ok(if exported.gaps.is_empty() { Exit::Done } else { Exit::Failed })
        }
        AuditCommand::Verify { file, head } => verify(&file, &head, context),
    }
}

/// What was exported.
#[derive(Debug, Default, Serialize)]
struct Exported {
    entries: u64,
    first: Option<u64>,
    last: Option<u64>,
    head: String,
    /// Where something is missing at every controller: after these entries.
    gaps: Vec<u64>,
    /// The head before the first entry: that of the log's beginning, or of what no archive holds any more.
    begins_after: Option<String>,
}

impl Exported {
    fn words(&self, file: &Path) -> String {
        let (first, last) = (self.first.unwrap_or_default(), self.last.unwrap_or_default());
        let mut text = format!(
            "{} entries, {first} to {last}, written to {}\nhead {}\n",
            self.entries,
            file.display(),
            self.head
        );
        let beginning = Audit::default().head;
        if self.begins_after.as_ref().is_some_and(|before| *before != beginning) {
            text.push_str(&format!("what was before entry {first} is not in it\n"));
        }
        for gap in &self.gaps {
            text.push_str(&format!("missing at every controller: what follows entry {gap}\n"));
        }
        text
    }
}

fn create(file: &Path) -> Result<Out, Failure> {
    let created = File::create_new(file).map_err(|error| {
        let next = "name a file that is not there yet and can be written";
        Failure::failed(format!("{}: {error}", file.display()), next)
    })?;
    Ok(Out::new(created))
}

async fn export(reach: &Reach, out: &mut Out, file: &Path, from: u64) -> Result<Exported, Failure> {
    let head: AuditHead = reach.client.get_json("/v1/audit/head").await?;
    let status: crate::kernel::controller::Status = reach.client.get_json("/v1/status").await?;
    let full = |error: std::io::Error| {
        Failure::failed(format!("{}: {error}", file.display()), "see its disk")
    };
    let cluster = status.cluster;
    let header = Header { biplane_audit: FORMAT, cluster, exported_at: Clock.wall() };
    out.line(&header).map_err(full)?;
    let mut done = Exported { head: head.head.clone(), ..Exported::default() };
    let mut next = from;
    let mut before: Option<String> = None;
    while next <= head.index {
        let lines = fullest(reach, next, before.as_deref(), &head).await?;
        let Some(last) = lines.last() else { break };
        next = last.index + 1;
        for line in &lines {
            done.begins_after.get_or_insert_with(|| line.before.clone());
            if before.as_ref().is_some_and(|before| *before != line.before) {
                done.gaps.push(done.last.unwrap_or_default());
            }
            before = Some(line.head.clone());
            done.entries += 1;
            done.first.get_or_insert(line.index);
            done.last = Some(line.index);
            out.line(line).map_err(full)?;
        }
    }
    if before.as_ref().is_some_and(|last| *last != head.head) {
        done.gaps.push(done.last.unwrap_or_default());
    }
    let footer = Footer { end: head, entries: Some(done.entries), first: done.first };
    out.line(&footer).map_err(full)?;
    out.end().map_err(full)?;
    Ok(done)
}

/// The page that goes on without a gap, of whichever controller has it; else the one that reaches furthest.
async fn fullest(
    reach: &Reach,
    from: u64,
    before: Option<&str>,
    head: &AuditHead,
) -> Result<Vec<AuditLine>, Failure> {
    let mut best: Vec<AuditLine> = Vec::new();
    let mut refused = None;
    for client in reach.each() {
        match client.get_json::<AuditPage>(&format!("/v1/audit?from={from}")).await {
            Ok(page) => {
                let lines = sound_part(page.lines, before, head.index);
                if lines.len() > best.len() {
                    best = lines;
                }
                if !best.is_empty() && best.len() >= PAGE_ENOUGH {
                    return Ok(best);
                }
                if best.last().is_some_and(|last| last.index >= head.index) {
                    return Ok(best);
                }
            }
            Err(error) => refused = Some(error),
        }
    }
    if !best.is_empty() {
        return Ok(best);
    }
    // A gap at all of them: what comes after it, if anything does.
    for client in reach.each() {
        match client.get_json::<AuditPage>(&format!("/v1/audit?from={from}")).await {
            Ok(page) if !page.lines.is_empty() => {
                return Ok(sound_part(page.lines, None, head.index));
            }
            Ok(_) => {}
            Err(error) => refused = Some(error),
        }
    }
    refused.map_or(Ok(Vec::new()), |error| Err(error.into()))
}

/// So many lines without a gap are as good as more of another controller.
const PAGE_ENOUGH: usize = 100;

/// The lines that follow one another, and what was before them, up to an entry.
fn sound_part(lines: Vec<AuditLine>, before: Option<&str>, until: u64) -> Vec<AuditLine> {
    let mut part: Vec<AuditLine> = Vec::new();
    for line in lines {
        let last = part.last().map(|line| line.head.as_str()).or(before);
        if line.index > until || last.is_some_and(|last| last != line.before) {
            break;
        }
        part.push(line);
    }
    part
}

fn verify(file: &Path, noted: &[String], context: &Context) -> Result<Exit, Failure> {
    let opened = File::open(file).map_err(|error| {
        Failure::failed(format!("{}: {error}", file.display()), "name a file of `audit export`")
    })?;
    let verified = judge(BufReader::new(opened), noted);
    if context.shared.json {
        print_json(&verified)?;
    } else {
        let (first, last) = (verified.first.unwrap_or_default(), verified.last.unwrap_or_default());
        for fault in &verified.faults {
            print(&format!("{fault}\n"));
        }
        if verified.faults.is_empty() {
            let Verified { entries, head, .. } = &verified;
            print(&format!("sound: {entries} entries, {first} to {last}\nhead {head}\n"));
        }
    }
    if verified.faults.is_empty() {
        return Ok(Exit::Done);
    }
    Err(Failure::failed(
        format!("{} is not the log as it was applied", file.display()),
        "export it again, from the members, and compare; `biplane audit head` says where they stand",
    ))
}

#[cfg(test)]
mod tests;
