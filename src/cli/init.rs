//! `biplane init`: everything a new cluster needs, in one directory: the cluster file, a directory for each
//! member with its certificate, key and birth token, and what clients and gateways need.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::config::parse_cluster;
use crate::edge::identity::{Authority, IdentityError, new_token};
use crate::edge::storage::{BIRTH_TOKEN_FILE, birth_token};
use crate::kernel::domain::{MemberId, MemberName, SiteName};
use crate::kernel::ledger::{Cluster, Observer};

/// A member of the cluster to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMember {
    /// Its name.
    pub name: MemberName,
    /// Its Raft id.
    pub id: MemberId,
    /// Where it stands.
    pub site: SiteName,
    /// Where the other members reach it.
    pub member: SocketAddr,
    /// Where clients reach its API; a witness has none.
    pub api: Option<SocketAddr>,
    /// Where it answers DNS; a witness does not.
    pub dns: Option<SocketAddr>,
}

/// What to make.
#[derive(Clone, Debug)]
pub struct InitOptions {
    /// Members' certificates are good until the first moment of this day: year, month, day.
    pub certificates_until: (i32, u8, u8),
    /// Where. Must be empty or not there.
    pub dir: PathBuf,
    /// The cluster's name.
    pub cluster: MemberName,
    /// Its members.
    pub members: Vec<NewMember>,
    /// The whole cluster file, instead of the template.
    pub cluster_toml: Option<String>,
    /// 32 random bytes for the token, and 16 for each member's birth token.
    pub entropy: Vec<u8>,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitReport {
    /// Where.
    pub dir: PathBuf,
    /// What to type next.
    pub next: Vec<String>,
    /// What the checked cluster file warns of.
    pub warnings: Vec<String>,
}

/// Why nothing, or not everything, was made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is something already.
    #[error(
        "{0} is not empty: `init` never writes into a directory that holds anything. Name another one"
    )]
    NotEmpty(PathBuf),
    /// The cluster file is faulty.
    #[error("{0}")]
    Cluster(String),
    /// A file could not be written.
    #[error("{path}: {error}. What was written so far stays; remove {dir} before you try again")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
        /// The directory.
        dir: PathBuf,
    },
    /// A certificate could not be made.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// Where the gateway of `gateway.toml` tells of itself.
pub(super) const GATEWAY_ADMIN: &str = "127.0.0.1:7460";

/// What stands in the tokens file of a witness.
const NO_TOKENS: &str = "# A witness serves no API: nobody comes in here.\n";

/// Bytes of entropy for so many members.
pub const fn entropy_needed(members: usize) -> usize {
    64 + 16 * members
}

/// Makes the directory. The cluster file is checked first: a faulty one leaves nothing behind.
pub fn init(options: &InitOptions) -> Result<InitReport, InitError> {
    assert!(options.entropy.len() >= entropy_needed(options.members.len()), "enough entropy");
    let text = options.cluster_toml.clone().unwrap_or_else(|| template(options));
    let checked =
        parse_cluster("cluster.toml", &text).map_err(|f| InitError::Cluster(f.to_string()))?;
    let writer = Writer { dir: &options.dir };
    writer.claim()?;
    writer.public("cluster.toml", &text)?;
    let authority = Authority::create(options.cluster.as_str())?;
    writer.public("ca.crt", &authority.issued.certificate)?;
    writer.secret("ca.key", &authority.issued.key)?;
    let admin = write_token(&writer, "token", &options.entropy[..32])?;
    let gateway = write_token(&writer, "gateway.token", &options.entropy[32..64])?;
    let tokens = format!(
        "# NAME ROLE SHA256 [groups=A,B] [until=YYYY-MM-DD]; `biplane token create` makes more, without this file\n\
         admin admin {admin}\ngateway gateway {gateway}\n"
    );
    let births = options.entropy[64..].chunks_exact(16);
    for (member, birth) in options.members.iter().zip(births) {
        let birth = birth_token(birth, checked.cluster.members.keys().copied());
        let tokens = if member.api.is_some() { &tokens } else { NO_TOKENS };
        write_member(&writer, &authority, options, member, tokens, &birth)?;
    }
    for observer in checked.cluster.observers.values() {
        write_observer(&writer, &authority, options, observer)?;
    }
    write_clients(&writer, options, &checked.cluster)?;
    Ok(InitReport {
        dir: options.dir.clone(),
        next: next_commands(options, &checked.cluster),
        warnings: checked.warnings,
    })
}

/// Makes a token; gives its hash.
fn write_token(writer: &Writer<'_>, file: &str, entropy: &[u8]) -> Result<String, InitError> {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(entropy);
    let (token, hash) = new_token(bytes);
    writer.secret(file, &format!("{token}\n"))?;
    Ok(hash)
}

fn write_member(
    writer: &Writer<'_>,
    authority: &Authority,
    options: &InitOptions,
    member: &NewMember,
    tokens: &str,
    birth: &str,
) -> Result<(), InitError> {
    let (name, cluster) = (&member.name, options.cluster.as_str());
    let mut addresses: Vec<IpAddr> = member.api.iter().map(SocketAddr::ip).collect();
    addresses.push(member.member.ip());
    addresses.dedup();
    let issued =
        authority.issue_member(cluster, name.as_str(), &addresses, options.certificates_until)?;
    writer.dir(name.as_str())?;
    writer.dir(&format!("{name}/data"))?;
    writer.public(&format!("{name}/member.crt"), &issued.certificate)?;
    writer.secret(&format!("{name}/member.key"), &issued.key)?;
    writer.public(&format!("{name}/ca.crt"), &authority.issued.certificate)?;
    writer.secret(&format!("{name}/tokens"), tokens)?;
    writer.secret(&format!("{name}/data/{BIRTH_TOKEN_FILE}"), &format!("{birth}\n"))?;
    let node = format!(
        "# One member. Every key is explained in the commented example, config/node.toml.\n\
         member = \"{name}\"\ncluster = \"../cluster.toml\"\ndata_dir = \"data\"\nca = \"ca.crt\"\n\
         certificate = \"member.crt\"\nkey = \"member.key\"\ntokens = \"tokens\"\n"
    );
    writer.public(&format!("{name}/node.toml"), &node)
}

fn write_observer(
    writer: &Writer<'_>,
    authority: &Authority,
    options: &InitOptions,
    observer: &Observer,
) -> Result<(), InitError> {
    let (name, cluster) = (&observer.name, options.cluster.as_str());
    let issued = authority.issue_observer(cluster, name.as_str(), options.certificates_until)?;
    writer.dir(name.as_str())?;
    writer.public(&format!("{name}/observer.crt"), &issued.certificate)?;
    writer.secret(&format!("{name}/observer.key"), &issued.key)?;
    writer.public(&format!("{name}/ca.crt"), &authority.issued.certificate)?;
    let text = format!(
        "# One observer. Every key is explained in the commented example, config/observer.toml.\n\
         observer = \"{name}\"\ncluster = \"../cluster.toml\"\ndata_dir = \"data\"\nca = \"ca.crt\"\n\
         certificate = \"observer.crt\"\nkey = \"observer.key\"\n"
    );
    writer.public(&format!("{name}/observer.toml"), &text)
}

fn write_clients(
    writer: &Writer<'_>,
    options: &InitOptions,
    cluster: &Cluster,
) -> Result<(), InitError> {
    let controllers: Vec<String> =
        options.members.iter().filter_map(|member| Some(format!("\"{}\"", member.api?))).collect();
    let controllers = format!("controllers = [{}]", controllers.join(", "));
    let client = format!("{controllers}\nca = \"ca.crt\"\ntoken = \"token\"\n");
    writer.public("client.toml", &client)?;
    let mut gateway = format!(
        "# A gateway for every route of the cluster file. Every key: config/gateway.toml.\n\
         name = \"gateway-1\"           # each gateway its own\n\
         admin = \"{GATEWAY_ADMIN}\"    # each gateway of one host its own\n\
         {controllers}\nca = \"ca.crt\"\ntoken = \"gateway.token\"\n"
    );
    for (port, route) in (7480_u16..).zip(cluster.routes.keys()) {
        let address = cluster.routes[route]
            .front_door
            .as_ref()
            .map_or_else(|| format!("127.0.0.1:{port}"), ToString::to_string);
        let _ = write!(gateway, "\n[[listen]]\naddress = \"{address}\"\nroute = \"{route}\"\n");
    }
    if cluster.routes.is_empty() {
        gateway.push_str("# [[listen]]\n# address = \"0.0.0.0:80\"\n# route = \"NAME\"  # a route of the cluster file\n");
    }
    writer.public("gateway.toml", &gateway)
}

fn next_commands(options: &InitOptions, cluster: &Cluster) -> Vec<String> {
    let dir = options.dir.display();
    let mut names = options.members.iter().map(|member| member.name.as_str());
    let first = names.next().unwrap_or("a");
    let others: Vec<&str> = names.collect();
    let mut next = vec![
        format!("biplane config check {dir}/cluster.toml"),
        if others.is_empty() {
            format!("biplane node {dir}/{first}/node.toml")
        } else {
            let others = others.join(", ");
            format!(
                "biplane node {dir}/{first}/node.toml   # likewise {others}, each on its machine or in its terminal"
            )
        },
        format!("biplane --dir {dir} status"),
    ];
    let observer = |observer: &Observer| {
        format!(
            "biplane observer {dir}/{}/observer.toml   # where it is to look from",
            observer.name
        )
    };
    next.extend(cluster.observers.values().map(observer));
    next
}

/// A cluster file to be edited: the members as given, two planes and one service as an example.
fn template(options: &InitOptions) -> String {
    let mut text = format!(
        "# The cluster file: the same on every member. Every key is explained in the commented example,\n\
         # config/cluster.toml. Edit planes, services, groups and zones before the first start: the first leader\n\
         # puts this file into the log.\ncluster = \"{}\"\n\n\
         [planes.east]\nsite = \"east\"\n[planes.west]\nsite = \"west\"\n\n",
        options.cluster
    );
    for member in &options.members {
        let NewMember { name, id, site, member, api, dns } = member;
        let _ =
            write!(text, "[members.{name}]\nid = {id}\nsite = \"{site}\"\nmember = \"{member}\"\n");
        for (key, address) in [("api", api), ("dns", dns)] {
            if let Some(address) = address {
                let _ = writeln!(text, "{key} = \"{address}\"");
            }
        }
    }
    text.push_str(
        "\n[services.web]\nendpoints = { east = \"127.0.0.11:7490\", west = \"127.0.0.12:7490\" }\n\
         [services.web.checks.page]\nkind = \"http\"\npath = \"/\"\n\n\
         [groups.web]\nservices = [\"web\"]\nmode = \"ask\"\n\n\
         [routes.web]\ngroup = \"web\"\nupstream = { east = \"127.0.0.11:7490\", west = \"127.0.0.12:7490\" }\n\n\
         # A name whose addresses follow the group; every member answers for the zone.\n\
         # [zones.\"example.test\"]\n# ttl = 5\n# name_servers = { \"ns1.example.test\" = [\"127.0.0.1\"] }\n\
         # mname = \"ns1.example.test\"\n# rname = \"hostmaster.example.test\"\n\
         # [zones.\"example.test\".names.\"www.example.test\"]\n# group = \"web\"\n\
         # east = [\"127.0.0.11\"]\n# west = [\"127.0.0.12\"]\n",
    );
    text
}

/// Writes below one directory; secrets are for the owner only.
struct Writer<'a> {
    dir: &'a Path,
}

impl Writer<'_> {
    fn fault(&self, path: PathBuf, error: io::Error) -> InitError {
        InitError::Write { path, error, dir: self.dir.to_owned() }
    }

    fn claim(&self) -> Result<(), InitError> {
        match fs::read_dir(self.dir) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(InitError::NotEmpty(self.dir.to_owned()));
                }
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = DirBuilder::new().mode(0o700).recursive(true).create(self.dir);
                made.map_err(|error| self.fault(self.dir.to_owned(), error))
            }
            Err(error) => Err(self.fault(self.dir.to_owned(), error)),
        }
    }

    fn dir(&self, name: &str) -> Result<(), InitError> {
        let path = self.dir.join(name);
        DirBuilder::new().mode(0o700).create(&path).map_err(|error| self.fault(path, error))
    }

    fn public(&self, name: &str, text: &str) -> Result<(), InitError> {
        self.write(name, text, 0o644)
    }

    fn secret(&self, name: &str, text: &str) -> Result<(), InitError> {
        self.write(name, text, 0o600)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> Result<(), InitError> {
        let path = self.dir.join(name);
        let written =
            OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).and_then(
                |mut file: File| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()),
            );
        written.map_err(|error| self.fault(path, error))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::{parse_client, parse_gateway, parse_node};

    fn options(dir: &Path) -> InitOptions {
        let member = |id: u16, name: &str, site: &str| NewMember {
            name: MemberName::new(name).unwrap(),
            id: MemberId(u64::from(id)),
            site: SiteName::new(site).unwrap(),
            member: SocketAddr::from(([127, 0, 0, 1], 7410 + id)),
            api: Some(SocketAddr::from(([127, 0, 0, 1], 7400 + id))),
            dns: Some(SocketAddr::from(([127, 0, 0, 1], 7420 + id))),
        };
        InitOptions {
            dir: dir.to_owned(),
            cluster: MemberName::new("shop").unwrap(),
            members: vec![member(1, "a", "east"), member(2, "b", "west"), member(3, "c", "third")],
            cluster_toml: None,
            entropy: (0..=255).collect(),
            certificates_until: (2099, 1, 1),
        }
    }

    #[test]
    fn what_init_writes_is_what_the_others_read() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("new");
        let report = init(&options(&dir)).unwrap();
        assert_eq!(report.next.len(), 3);
        let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
        for name in ["a", "b", "c"] {
            let file = dir.join(name).join("node.toml");
            let node = parse_node(&file, &read(&format!("{name}/node.toml"))).unwrap();
            assert!(node.certificate.exists() && node.key.exists() && node.tokens.exists());
            assert!(node.data_dir.join(BIRTH_TOKEN_FILE).exists());
        }
        assert_ne!(read("a/data/birth-token"), read("b/data/birth-token"));
        parse_client(&dir.join("client.toml"), &read("client.toml")).unwrap();
        parse_gateway(&dir.join("gateway.toml"), &read("gateway.toml")).unwrap();
        for secret in
            ["ca.key", "token", "gateway.token", "a/member.key", "b/tokens", "c/data/birth-token"]
        {
            let mode = fs::metadata(dir.join(secret)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{secret}");
        }
    }

    #[test]
    fn a_directory_that_holds_anything_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("mine"), "x").unwrap();
        assert!(matches!(init(&options(temp.path())), Err(InitError::NotEmpty(_))));
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_faulty_cluster_file_leaves_nothing_behind() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("new");
        let faulty = InitOptions { cluster_toml: Some("cluster = 1".to_owned()), ..options(&dir) };
        assert!(matches!(init(&faulty), Err(InitError::Cluster(_))));
        assert!(!dir.exists());
    }
}
