//! `biplane freeze | thaw | drain | undrain`: what automation may not do.

use std::time::Duration;

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::reach::Reach;
use super::render::duration;
use super::{Context, block_on, print, print_json};
use crate::edge::api::client::{Answer, ApiError};
use crate::edge::api::{DrainBody, FreezeBody};
use crate::kernel::domain::{GroupName, PlaneName};

/// Arguments of `freeze`.
#[derive(Clone, Debug, clap::Args)]
pub struct FreezeArgs {
    #[command(flatten)]
    whose: Whose,
    /// For how long, for example 30m or 8h [default: until `biplane thaw`]
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    span: Option<Duration>,
    /// Turn switchovers under way back, as far as their route has not changed; without it they go on
    #[arg(long)]
    abort: bool,
}

/// Arguments of `thaw`.
#[derive(Clone, Debug, clap::Args)]
pub struct ThawArgs {
    #[command(flatten)]
    whose: Whose,
}

/// Which groups, and why.
#[derive(Clone, Debug, clap::Args)]
struct Whose {
    /// The group
    #[arg(value_parser = GroupName::new, required_unless_present = "all")]
    group: Option<GroupName>,
    /// All groups that there are now
    #[arg(long, conflicts_with = "group")]
    all: bool,
    /// Why; kept in the log, and of a freeze shown by `status` while it lasts
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

impl Whose {
    fn path(&self) -> String {
        match &self.group {
            Some(group) => format!("/v1/groups/{group}/freeze"),
            None => "/v1/freeze".to_owned(),
        }
    }

    /// As it stands on the command line.
    fn argument(&self) -> &str {
        self.group.as_ref().map_or("--all", GroupName::as_str)
    }

    fn words(&self) -> String {
        match &self.group {
            Some(group) => format!("group {group} is"),
            None => "all groups that there are now are".to_owned(),
        }
    }
}

/// Arguments of `drain`.
#[derive(Clone, Debug, clap::Args)]
pub struct DrainArgs {
    /// The plane
    #[arg(value_parser = PlaneName::new)]
    plane: PlaneName,
    /// Why; shown by `status` while it lasts
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// For how long, for example 30m or 8h [default: until `biplane undrain`]
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    span: Option<Duration>,
}

/// Arguments of `undrain`.
#[derive(Clone, Debug, clap::Args)]
pub struct UndrainArgs {
    /// The plane
    #[arg(value_parser = PlaneName::new)]
    plane: PlaneName,
    /// Why; kept in the log
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// A time as people write it.
fn span(text: &str) -> Result<Duration, String> {
    let span = crate::config::duration(text).filter(|span| !span.is_zero());
    span.ok_or_else(|| format!("`{text}` is not a time: write for example 90s, 30m or 8h"))
}

fn in_ms(span: Option<Duration>) -> Option<u64> {
    span.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// `for 8 h`, or until somebody ends it.
fn until(span: Option<Duration>, end: &str) -> String {
    span.map_or_else(|| format!("until `{end}`"), |span| format!("for {}", duration(span)))
}

pub(super) fn freeze(args: FreezeArgs, context: &Context) -> Result<Exit, Failure> {
    let FreezeArgs { whose, span, abort } = args;
    let until = until(span, &format!("biplane thaw {}", whose.argument()));
    let told = format!("{} frozen: nothing moves by itself {until}\n", whose.words());
    let path = whose.path();
    let body = FreezeBody { on: true, reason: whose.reason, for_ms: in_ms(span), abort };
    set(&path, &body, &told, context)
}

pub(super) fn thaw(args: ThawArgs, context: &Context) -> Result<Exit, Failure> {
    let told = format!("{} thawed\n", args.whose.words());
    let path = args.whose.path();
    let body = FreezeBody { on: false, reason: args.whose.reason, for_ms: None, abort: false };
    set(&path, &body, &told, context)
}

pub(super) fn drain(args: DrainArgs, context: &Context) -> Result<Exit, Failure> {
    let DrainArgs { plane, reason, span } = args;
    let until = until(span, &format!("biplane undrain {plane}"));
    let told = format!("{plane} is drained: no group moves there, {until}, but by force\n");
    let body = DrainBody { on: true, reason, for_ms: in_ms(span) };
    set(&format!("/v1/planes/{plane}/drain"), &body, &told, context)
}

pub(super) fn undrain(args: UndrainArgs, context: &Context) -> Result<Exit, Failure> {
    let UndrainArgs { plane, reason } = args;
    let body = DrainBody { on: false, reason, for_ms: None };
    let told = format!("{plane} may be chosen again\n");
    set(&format!("/v1/planes/{plane}/drain"), &body, &told, context)
}

fn set<B: Serialize + Sync>(
    path: &str,
    body: &B,
    told: &str,
    context: &Context,
) -> Result<Exit, Failure> {
    let reach = Reach::open(&context.shared)?;
    let sent = block_on(reach.client.post_json::<_, ()>(path, body, None))?;
    let _: Answer<()> = sent.map_err(unsettled)?;
    if context.shared.json {
        print_json(body)?;
    } else {
        print(told);
    }
    Ok(Exit::Done)
}

fn unsettled(error: ApiError) -> Failure {
    let ApiError::UnknownOutcome { why, .. } = error else { return error.into() };
    Failure {
        exit: Exit::Unknown,
        what: format!("{why}: it may or may not have happened"),
        next: "`biplane status` shows freezes and drains; repeating the command does no harm"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_people_write_it() {
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(span("8h"), Ok(Duration::from_secs(8 * 3600)));
        for wrong in ["", "0s", "8", "h", "-1m"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
