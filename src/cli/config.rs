//! `biplane config`: look at files, and change the configuration of a running cluster.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::Value;

use super::exit::{Exit, Failure};
use super::reach::{self, Reach};
use super::render::{self, Table};
use super::{Context, block_on, config_check, print, print_exactly, print_json, say, written};
use crate::config::parse_cluster;
use crate::edge::api::client::{Answer, ApiError};
use crate::edge::api::{ConfigBody, ConfigWish, ConfiguredBody};
use crate::kernel::controller::ConfigPlan;
use crate::kernel::ledger::Change;

/// Commands on configurations.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read files and tell every fault with its place; the kind of a file follows from its name
    Check {
        /// cluster.toml, node.toml, observer.toml, gateway.toml or client.toml, by name or by the start of it
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print the cluster file that is in force, or an earlier one
    Show {
        /// Of this number [default: the one in force]
        #[arg(long, value_name = "N")]
        version: Option<u64>,
        /// List the configurations that are kept instead
        #[arg(long, conflicts_with = "version")]
        list: bool,
    },
    /// Say what a cluster file would change; nothing is changed
    Diff {
        /// The cluster file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put a cluster file in force, at every node at once; no route moves by it
    Apply(ApplyArgs),
}

/// Arguments of `config apply`.
#[derive(Clone, Debug, clap::Args)]
pub struct ApplyArgs {
    /// The cluster file
    #[arg(value_name = "FILE", required_unless_present = "kept")]
    file: Option<PathBuf>,
    /// Put the kept configuration with this number back instead of a file
    #[arg(long, value_name = "N", conflicts_with = "file")]
    kept: Option<u64>,
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
    /// Refuse if another configuration than this is in force
    #[arg(long, value_name = "N")]
    version: Option<u64>,
    /// Why; kept with the configuration
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

pub(super) fn run(command: ConfigCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Check { files } => config_check::run(&files, context),
        ConfigCommand::Show { version, list } => show(version, list, context),
        ConfigCommand::Diff { file } => {
            let args = ApplyArgs {
                file: Some(file),
                kept: None,
                dry_run: true,
                version: None,
                reason: String::new(),
            };
            apply(args, context)
        }
        ConfigCommand::Apply(args) => apply(args, context),
    }
}

fn show(version: Option<u64>, list: bool, context: &Context) -> Result<Exit, Failure> {
    let reach = Reach::open(&context.shared)?;
    let body: ConfigBody = block_on(kept(&reach, version))??;
    if context.shared.json {
        print_json(&body)?;
    } else if list {
        print(&listed(&body));
    } else {
        let number = body.version;
        print_exactly(&text_of(body)?);
        // Of an earlier one it would always be refused.
        if version.is_none() {
            say(&format!(
                "biplane: configuration {number}; `config apply --version {number}` refuses if another is in force by then"
            ));
        }
    }
    Ok(Exit::Done)
}

async fn kept(reach: &Reach, version: Option<u64>) -> Result<ConfigBody, ApiError> {
    let path = version.map_or_else(|| "/v1/config".to_owned(), |n| format!("/v1/config/{n}"));
    reach.client.get_json(&path).await
}

/// The text, or why there is none.
fn text_of(body: ConfigBody) -> Result<String, Failure> {
    body.text.ok_or_else(|| {
        Failure::failed(
            format!("the text of configuration {} is not known to the cluster yet", body.version),
            "a leader whose cluster.toml says the same logs it by itself: see that every member runs this version, \
             and `biplane status` for a file that differs",
        )
    })
}

fn listed(body: &ConfigBody) -> String {
    let mut table = Table::new(&["VERSION", "IN FORCE", "BY", "WHEN", "REASON"]);
    for (number, origin) in &body.kept {
        let in_force = render::yes_no(*number == body.version);
        table.row([
            number.to_string(),
            in_force.to_owned(),
            origin.by.clone(),
            origin.at.to_string(),
            origin.reason.clone(),
        ]);
    }
    table.render()
}

fn apply(args: ApplyArgs, context: &Context) -> Result<Exit, Failure> {
    let own = args.file.as_deref().map(read_checked).transpose()?;
    let reach = Reach::open(&context.shared)?;
    block_on(apply_to(own, args, context, &reach))?
}

/// The text of a sound cluster file. Faults are told here, where the file is.
fn read_checked(file: &Path) -> Result<String, Failure> {
    let text = reach::read(file)?;
    parse_cluster(&file.display().to_string(), &text)?;
    Ok(text)
}

async fn apply_to(
    own: Option<String>,
    args: ApplyArgs,
    context: &Context,
    reach: &Reach,
) -> Result<Exit, Failure> {
    let text = match own {
        Some(text) => text,
        None => text_of(kept(reach, args.kept).await?)?,
    };
    let base = match args.version {
        Some(version) => version,
        None => kept(reach, None).await?.version,
    };
    let mut wish = ConfigWish { text, reason: args.reason, dry_run: true };
    let condition = base.to_string();
    let plan: Answer<ConfigPlan> =
        reach.client.put_json_over("/v1/config", &wish, &condition).await?;
    let plan = plan.body;
    let json = context.shared.json;
    if args.dry_run {
        if json {
            print_json(&plan)?;
        } else {
            print(&planned(&plan));
        }
        return Ok(if plan.obstacle.is_none() { Exit::Done } else { Exit::Failed });
    }
    // Of what is in force the end says enough.
    if !json && !plan.in_force {
        print(&planned(&plan));
    }
    wish.dry_run = false;
    let answer: Answer<ConfiguredBody> =
        reach.client.put_json_over("/v1/config", &wish, &condition).await.map_err(unsettled)?;
    if json {
        print_json(&answer.body)?;
    } else {
        print(&done(&answer.body, plan.in_force));
    }
    Ok(Exit::Done)
}

fn unsettled(error: ApiError) -> Failure {
    let ApiError::UnknownOutcome { why, .. } = error else { return error.into() };
    Failure {
        exit: Exit::Unknown,
        what: format!("{why}: the configuration may or may not be in force"),
        next: "see `biplane config show --list`; repeating the command does no harm".to_owned(),
    }
}

/// `before`: whether it was in force before it was asked for.
fn done(body: &ConfiguredBody, before: bool) -> String {
    let ConfiguredBody { version, changed } = body;
    let already = if *changed && !before { "" } else { " already: nothing is changed" };
    format!(
        "configuration {version} is in force{already}. Copy it to cluster.toml of every node, for its next start: \
         until then that node's `biplane status` says that its file differs\n"
    )
}

fn planned(plan: &ConfigPlan) -> String {
    let mut text = String::new();
    if plan.in_force {
        text.push_str(&format!("it is configuration {}, which is in force\n", plan.version));
    } else if plan.changes.is_empty() {
        text.push_str(&format!("no setting of configuration {} changes\n", plan.version));
    } else {
        text.push_str(&format!("against configuration {}:\n", plan.version));
    }
    for change in &plan.changes {
        for line in lines(change) {
            text.push_str(&format!("  {}\n", render::printable(&line)));
        }
    }
    if plan.all > plan.changes.len() {
        text.push_str(&format!("  and {} more\n", plan.all - plan.changes.len()));
    }
    if let Some(obstacle) = &plan.obstacle {
        text.push_str(&format!("it would be refused now: {}\n", render::printable(obstacle)));
    }
    text
}

/// A change in the words of the file; a table that is new comes with its keys.
fn lines(change: &Change) -> Vec<String> {
    let Change { path, was, is, added, removed } = change;
    let one = |line: String| vec![line];
    match (was, is) {
        _ if !added.is_empty() || !removed.is_empty() => {
            let gone = removed.iter().map(|value| format!("- {}", written::value(value)));
            let new = added.iter().map(|value| format!("+ {}", written::value(value)));
            let elements: Vec<String> = gone.chain(new).collect();
            one(format!("~ {path}: {}", elements.join(", ")))
        }
        (Some(was), Some(is)) => {
            one(format!("~ {path}: {} → {}", written::value(was), written::value(is)))
        }
        (None, Some(Value::Object(table))) => {
            let keys = written::lines(table).into_iter().map(|line| format!("    {line}"));
            std::iter::once(format!("+ {path}")).chain(keys).collect()
        }
        (None, Some(is)) => one(format!("+ {path}: {}", written::value(is))),
        (Some(Value::Object(_)), None) => one(format!("- {path}")),
        (Some(was), None) => one(format!("- {path}: {}", written::value(was))),
        (None, None) => one(format!("~ {path}: the same in another order")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(path: &str, was: Option<Value>, is: Option<Value>) -> Change {
        Change { path: path.to_owned(), was, is, ..Change::default() }
    }

    fn plan(changes: Vec<Change>) -> ConfigPlan {
        let all = changes.len();
        ConfigPlan { version: 3, changes, all, in_force: false, obstacle: None }
    }

    #[test]
    fn a_plan_is_told_line_by_line_in_the_words_of_the_file() {
        let home = |was, is| change("groups.shop.home", was, is);
        let services = Change {
            added: vec![json!("pay")],
            removed: vec![json!("cart")],
            ..change(
                "groups.shop.services",
                Some(json!(["web", "cart"])),
                Some(json!(["web", "pay"])),
            )
        };
        let blog = json!({ "home": "west", "budget": { "switches": 3, "window": "1h" } });
        let told = ConfigPlan {
            all: 11,
            obstacle: Some("not now".to_owned()),
            ..plan(vec![
                home(Some(json!("east")), Some(json!("west"))),
                home(None, Some(json!("west"))),
                home(Some(json!("east")), None),
                services,
                change("groups.blog", None, Some(blog.clone())),
                change("groups.old", Some(blog), None),
                change("timing.tick", Some(json!("50ms")), Some(json!("1s"))),
                change("services.x.checks.y.args", Some(json!(["-v"])), Some(json!([]))),
                change("planes", None, None),
            ])
        };
        let expected = [
            "against configuration 3:",
            "  ~ groups.shop.home: \"east\" → \"west\"",
            "  + groups.shop.home: \"west\"",
            "  - groups.shop.home: \"east\"",
            "  ~ groups.shop.services: - \"cart\", + \"pay\"",
            "  + groups.blog",
            "      budget = { switches = 3, window = \"1h\" }",
            "      home = \"west\"",
            "  - groups.old",
            "  ~ timing.tick: \"50ms\" → \"1s\"",
            "  ~ services.x.checks.y.args: [\"-v\"] → []",
            "  ~ planes: the same in another order",
            "  and 2 more",
            "it would be refused now: not now",
            "",
        ];
        assert_eq!(planned(&told), expected.join("\n"));
        assert_eq!(planned(&plan(Vec::new())), "no setting of configuration 3 changes\n");
    }

    #[test]
    fn what_is_in_force_is_said_to_be_and_nothing_else() {
        let same = ConfigPlan { in_force: true, ..plan(Vec::new()) };
        assert_eq!(planned(&same), "it is configuration 3, which is in force\n");
        let words = |changed, before| done(&ConfiguredBody { version: 3, changed }, before);
        assert!(words(true, false).starts_with("configuration 3 is in force. Copy it"));
        for (changed, before) in [(false, true), (true, true), (false, false)] {
            let said = words(changed, before);
            assert!(said.starts_with("configuration 3 is in force already: nothing is"), "{said}");
        }
    }
}
