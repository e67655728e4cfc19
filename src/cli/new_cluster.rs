//! `biplane init`: from arguments to what [`init`] makes.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure};
use super::init::{InitError, InitOptions, InitReport, NewMember, entropy_needed, init};
use super::token::{day_of, in_days};
use super::{Context, print, reach};
use crate::config::parse_cluster;
use crate::kernel::domain::{MemberId, MemberName, SiteName};
use crate::runtime::clock::Clock;

/// Arguments of `biplane init`.
#[derive(Debug, clap::Args)]
pub struct InitArgs {
    /// Where to write; must be empty or not there
    dir: PathBuf,
    /// The members: NAME or NAME=ADDRESS, with commas; without addresses all run on this
    /// machine; addresses have no port (ports of your own: --cluster-file)
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "a,b,c")]
    members: Vec<String>,
    /// Their sites, in the same order
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "east,west,third")]
    sites: Vec<String>,
    /// The cluster's name
    #[arg(long, value_name = "NAME", default_value = "biplane")]
    cluster: String,
    /// The cluster file to use instead of a template; it says who the members are
    #[arg(long, value_name = "FILE", conflicts_with_all = ["members", "sites", "cluster"])]
    cluster_file: Option<PathBuf>,
    /// Members' certificates are good for so many days; `status` tells when they end
    #[arg(long, value_name = "N", default_value_t = 3650, value_parser = clap::value_parser!(u16).range(1..=36_500))]
    certificate_days: u16,
}

pub(super) fn run(args: InitArgs, context: &Context) -> Result<Exit, Failure> {
    let options = match &args.cluster_file {
        Some(file) => of_file(args.dir.clone(), file, args.certificate_days)?,
        None => of_arguments(args)?,
    };
    let report = init(&options).map_err(|error| refused(&error))?;
    show(&report, context);
    Ok(Exit::Done)
}

/// The members, and everything else, as a cluster file says.
fn of_file(dir: PathBuf, file: &Path, days: u16) -> Result<InitOptions, Failure> {
    let text = reach::read(file)?;
    let checked = parse_cluster(&file.display().to_string(), &text)?;
    let members = checked.cluster.members.values().map(|member| NewMember {
        name: member.name.clone(),
        id: member.id,
        site: member.site.clone(),
        member: member.member_address,
        api: member.api_address,
        dns: member.dns_address,
    });
    let members: Vec<NewMember> = members.collect();
    let entropy = entropy(entropy_needed(members.len()));
    let cluster = checked.cluster.name.clone();
    let certificates_until = day_of(in_days(days));
    Ok(InitOptions { dir, cluster, members, cluster_toml: Some(text), entropy, certificates_until })
}

fn of_arguments(args: InitArgs) -> Result<InitOptions, Failure> {
    let InitArgs { dir, members, sites, cluster, cluster_file: _, certificate_days } = args;
    let bad = |what: String| Failure::usage(what, "see `biplane init --help`");
    let cluster = MemberName::new(&cluster).map_err(|error| bad(error.to_string()))?;
    for (at, member) in members.iter().enumerate() {
        let name = |member: &str| member.split('=').next().unwrap_or_default().to_owned();
        if members[..at].iter().any(|other| name(other) == name(member)) {
            return Err(bad(format!("member `{}` is named twice", name(member))));
        }
    }
    if members.len().is_multiple_of(2) {
        let count = members.len();
        return Err(bad(format!(
            "{count} members: a majority needs an odd number, three in production"
        )));
    }
    if sites.len() < members.len() {
        let what = format!("{} members and only {} sites", members.len(), sites.len());
        return Err(bad(what));
    }
    let members = members
        .iter()
        .zip(&sites)
        .zip(1_u16..)
        .map(|((member, site), number)| new_member(member, site, number).map_err(bad))
        .collect::<Result<Vec<_>, _>>()?;
    let entropy = entropy(entropy_needed(members.len()));
    let certificates_until = day_of(in_days(certificate_days));
    Ok(InitOptions { dir, cluster, members, cluster_toml: None, entropy, certificates_until })
}

/// So many random bytes.
pub(super) fn entropy(bytes: usize) -> Vec<u8> {
    let mut entropy = Vec::new();
    while entropy.len() < bytes {
        entropy.extend(Clock.entropy());
    }
    entropy
}

fn refused(error: &InitError) -> Failure {
    Failure::failed(error.to_string(), "")
}

/// `NAME`: on this machine, at ports of its own. `NAME=ADDRESS`: at the default ports.
fn new_member(text: &str, site: &str, number: u16) -> Result<NewMember, String> {
    let (name, address) = text.split_once('=').map_or((text, None), |(n, a)| (n, Some(a)));
    let at = |ip: IpAddr, port: u16| SocketAddr::new(ip, port);
    let (member, api, dns) = match address {
        Some(address) => {
            let ip: IpAddr = address.parse().map_err(|_| no_address(address))?;
            (at(ip, 7410), at(ip, 7400), at(ip, 53))
        }
        None => {
            let ip = IpAddr::from([127, 0, 0, 1]);
            (at(ip, 7410 + number), at(ip, 7400 + number), at(ip, 7420 + number))
        }
    };
    Ok(NewMember {
        name: MemberName::new(name).map_err(|error| error.to_string())?,
        id: MemberId(u64::from(number)),
        site: SiteName::new(site).map_err(|error| error.to_string())?,
        member,
        api: Some(api),
        dns: Some(dns),
    })
}

fn no_address(text: &str) -> String {
    if text.parse::<SocketAddr>().is_ok() {
        return format!(
            "`{text}` has a port: write the address alone. Ports of your own stand in a cluster file: \
             `biplane init DIR --cluster-file FILE`"
        );
    }
    format!("`{text}` is not an IP address")
}

fn show(report: &InitReport, context: &Context) {
    if context.shared.json {
        let json = serde_json::json!({
            "dir": report.dir, "next": report.next, "warnings": report.warnings,
        });
        return print(&format!("{json}\n"));
    }
    let mut text = format!("made {}\n", report.dir.display());
    for warning in &report.warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    let dir = report.dir.display();
    text.push_str(&format!(
        "\nnext: edit {dir}/cluster.toml (planes, services, groups, routes), then\n"
    ));
    for command in &report.next {
        text.push_str(&format!("  {command}\n"));
    }
    text.push_str(&format!("a gateway, where one is wanted: biplane gateway {dir}/gateway.toml\n"));
    print(&text);
}
