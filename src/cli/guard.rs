//! `biplane freeze | thaw | drain | undrain`: what automation may not do.

use super::exit::{Exit, Failure};
use super::reach::Reach;
use super::{Context, block_on, print, print_json};
use crate::edge::api::OnOffBody;
use crate::edge::api::client::{Answer, ApiError};
use crate::kernel::domain::{GroupName, PlaneName};

/// Arguments of `freeze` and `thaw`.
#[derive(Clone, Debug, clap::Args)]
pub struct FreezeArgs {
    /// The group
    #[arg(value_parser = GroupName::new, required_unless_present = "all")]
    group: Option<GroupName>,
    /// All groups
    #[arg(long, conflicts_with = "group")]
    all: bool,
    /// Why; shown by `status` while it lasts
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// Arguments of `drain` and `undrain`.
#[derive(Clone, Debug, clap::Args)]
pub struct DrainArgs {
    /// The plane
    #[arg(value_parser = PlaneName::new)]
    plane: PlaneName,
    /// Why; shown by `status` while it lasts
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

pub(super) fn freeze(args: FreezeArgs, on: bool, context: &Context) -> Result<Exit, Failure> {
    let (path, what) = match &args.group {
        Some(group) => (format!("/v1/groups/{group}/freeze"), format!("group {group} is")),
        None => ("/v1/freeze".to_owned(), "all groups are".to_owned()),
    };
    let told = if on {
        format!("{what} frozen: nothing moves by itself until `biplane thaw`\n")
    } else {
        format!("{what} thawed\n")
    };
    set(&path, OnOffBody { on, reason: args.reason }, &told, context)
}

pub(super) fn drain(args: DrainArgs, on: bool, context: &Context) -> Result<Exit, Failure> {
    let DrainArgs { plane, reason } = args;
    let told = if on {
        format!(
            "{plane} is drained: no group moves there, until `biplane undrain {plane}`, but by force\n"
        )
    } else {
        format!("{plane} may be chosen again\n")
    };
    set(&format!("/v1/planes/{plane}/drain"), OnOffBody { on, reason }, &told, context)
}

fn set(path: &str, body: OnOffBody, told: &str, context: &Context) -> Result<Exit, Failure> {
    let reach = Reach::open(&context.shared)?;
    let sent = block_on(reach.client.post_json::<_, ()>(path, &body, None))?;
    let _: Answer<()> = sent.map_err(unsettled)?;
    if context.shared.json {
        print_json(&body)?;
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
