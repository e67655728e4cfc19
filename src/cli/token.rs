//! `biplane token` and `biplane certificate`: who may come in.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::reach::{self, Reach};
use super::render::Table;
use super::{Context, block_on, print, print_json, say};
use crate::edge::api::client::{Answer, ApiError};
use crate::edge::api::{NewToken, TokenShown};
use crate::edge::identity::{Authority, new_token};
use crate::kernel::domain::{AccessRole, GroupName, MemberName, PrincipalName, WallTime};
use crate::runtime::clock::Clock;

const DAY_MS: u64 = 86_400_000;

/// Commands on tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it, once; the cluster keeps its hash
    Create {
        /// Whose: stands in every record that it makes
        #[arg(value_parser = PrincipalName::new)]
        name: PrincipalName,
        /// viewer, gateway, operator or admin
        #[arg(long, value_name = "ROLE")]
        role: AccessRole,
        /// It may act on this group only; may be given more than once [default: all groups]
        #[arg(long = "group", value_name = "GROUP", value_parser = GroupName::new)]
        groups: Vec<GroupName>,
        /// It is good for so many days
        #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
        days: u16,
    },
    /// List the tokens that the cluster knows, revoked ones too
    List,
    /// End a token, and whatever else goes by its name, at every node
    Revoke {
        /// Whose
        #[arg(value_parser = PrincipalName::new)]
        name: PrincipalName,
    },
}

/// Arguments of `biplane certificate`.
#[derive(Clone, Debug, clap::Args)]
pub struct CertificateArgs {
    /// Whose: stands in every record that it makes
    #[arg(value_parser = PrincipalName::new)]
    name: PrincipalName,
    /// viewer, gateway, operator or admin
    #[arg(long, value_name = "ROLE", required_unless_present = "observer")]
    role: Option<AccessRole>,
    /// Make the certificate of an observer of this name, which lets in nobody at the API
    #[arg(long, conflicts_with = "role")]
    observer: bool,
    /// The cluster's name
    #[arg(long, value_name = "NAME", value_parser = MemberName::new)]
    cluster: MemberName,
    /// The directory that holds ca.crt and ca.key, as `biplane init` made them
    #[arg(long, value_name = "DIR", default_value = ".")]
    authority: PathBuf,
    /// It is good for so many days
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
}

/// What `--json` prints of a new token.
#[derive(Debug, Serialize)]
struct Made<'a> {
    name: &'a PrincipalName,
    role: AccessRole,
    token: &'a str,
    expires: WallTime,
}

pub(super) fn run(command: TokenCommand, context: &Context) -> Result<Exit, Failure> {
    let reach = Reach::open(&context.shared)?;
    match command {
        TokenCommand::Create { name, role, groups, days } => {
            let (token, hash) = new_token(Clock.entropy());
            let expires = in_days(days);
            let groups = groups.into_iter().collect();
            let body = NewToken { name, role, groups, hash, expires: Some(expires) };
            let sent = block_on(reach.client.post_json::<_, ()>("/v1/tokens", &body, None))?;
            let _: Answer<()> = sent.map_err(unsettled)?;
            if context.shared.json {
                print_json(&Made { name: &body.name, role, token: &token, expires })?;
            } else {
                print(&format!("{token}\n"));
                say(&format!(
                    "the token of {}, good until {expires}; it is shown this once",
                    body.name
                ));
            }
        }
        TokenCommand::List => {
            let tokens: BTreeMap<PrincipalName, TokenShown> =
                block_on(reach.client.get_json("/v1/tokens"))??;
            if context.shared.json {
                print_json(&tokens)?;
            } else {
                print(&listed(&tokens));
            }
        }
        TokenCommand::Revoke { name } => {
            let tokens: BTreeMap<PrincipalName, TokenShown> =
                block_on(reach.client.get_json("/v1/tokens"))??;
            block_on(reach.client.delete(&format!("/v1/tokens/{name}")))?.map_err(unsettled)?;
            if context.shared.json {
                print_json(&serde_json::json!({ "revoked": name }))?;
            } else {
                print(&format!(
                    "{name} is revoked: no token and no certificate of this name is let in any more\n"
                ));
                if !tokens.contains_key(&name) {
                    say(
                        "biplane: no token of that name stood in the log; if none of the members' files and no certificate \
                         has it, it was a slip of the pen",
                    );
                }
            }
        }
    }
    Ok(Exit::Done)
}

pub(super) fn in_days(days: u16) -> WallTime {
    WallTime(Clock.wall().0.saturating_add(u64::from(days) * DAY_MS))
}

fn unsettled(error: ApiError) -> Failure {
    let ApiError::UnknownOutcome { why, .. } = error else { return error.into() };
    Failure {
        exit: Exit::Unknown,
        what: format!("{why}: it may or may not have happened"),
        next: "`biplane token list` tells; a token whose making is unknown is best revoked"
            .to_owned(),
    }
}

fn listed(tokens: &BTreeMap<PrincipalName, TokenShown>) -> String {
    let mut table = Table::new(&["NAME", "ROLE", "GROUPS", "UNTIL", "MADE BY", "REVOKED"]);
    for (name, token) in tokens {
        let groups: Vec<&str> = token.groups.iter().map(GroupName::as_str).collect();
        let revoked = token.revoked.as_ref();
        table.row([
            name.to_string(),
            token.role.to_string(),
            if groups.is_empty() { "all".to_owned() } else { groups.join(", ") },
            token.expires.map_or_else(|| "no end".to_owned(), |until| until.to_string()),
            token.made.by.clone(),
            revoked
                .map_or_else(|| "no".to_owned(), |done| format!("by {} at {}", done.by, done.at)),
        ]);
    }
    if table.is_empty() {
        return "the cluster knows no tokens but those in the nodes' own files\n".to_owned();
    }
    table.render()
}

/// Makes NAME.crt and NAME.key in this directory. No controller is asked.
pub(super) fn certificate(args: &CertificateArgs, context: &Context) -> Result<Exit, Failure> {
    let CertificateArgs { name, role, observer: _, cluster, authority, days } = args;
    let certificate = reach::read(&authority.join("ca.crt"))?;
    let key = reach::read(&authority.join("ca.key"))?;
    let failed =
        |error: crate::edge::identity::IdentityError| Failure::failed(error.to_string(), "");
    let authority = Authority::open(&certificate, &key).map_err(failed)?;
    let until = day_of(in_days(*days));
    let issued = match role {
        Some(role) => authority.issue_client(cluster.as_str(), name, *role, until),
        None => {
            // As in the cluster file: what is no name there would be nobody's certificate.
            let name = MemberName::new(name.as_str()).map_err(|error| {
                Failure::usage(error.to_string(), "see `biplane certificate --help`")
            })?;
            authority.issue_observer(cluster.as_str(), name.as_str(), until)
        }
    };
    let issued = issued.map_err(failed)?;
    let files = [
        (format!("{name}.crt"), issued.certificate, 0o644),
        (format!("{name}.key"), issued.key, 0o600),
    ];
    for (file, text, mode) in &files {
        write_new(Path::new(file), text, *mode)?;
    }
    if context.shared.json {
        return print_json(&serde_json::json!({ "certificate": files[0].0, "key": files[1].0 }))
            .map(|()| Exit::Done);
    }
    let place = match role {
        Some(_) => "client.toml, instead of token",
        None => "observer.toml",
    };
    print(&format!(
        "made {name}.crt and {name}.key, good until {:04}-{:02}-{:02}\nin {place}:\n  \
         certificate = \"{name}.crt\"\n  key = \"{name}.key\"\n",
        until.0, until.1, until.2
    ));
    Ok(Exit::Done)
}

/// Year, month and day of a time in UTC.
pub(super) fn day_of(at: WallTime) -> (i32, u8, u8) {
    let text = at.to_string();
    let number =
        |part: std::ops::Range<usize>| text.get(part).and_then(|part| part.parse::<u16>().ok());
    let small = |part| number(part).and_then(|n| u8::try_from(n).ok()).unwrap_or(1);
    (number(0..4).map_or(9999, i32::from), small(5..7), small(8..10))
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let made = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    made.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(|error| {
            Failure::failed(
                format!("{}: {error}", path.display()),
                "move what is there away, or choose another name",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_day() {
        let at = WallTime::of_date("2027-03-09").unwrap();
        assert_eq!(day_of(at), (2027, 3, 9));
    }
}
