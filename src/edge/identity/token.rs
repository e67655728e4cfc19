//! Tokens of clients: shown once, kept as hashes.

use std::collections::BTreeSet;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::IdentityError;
use crate::kernel::domain::{
    AccessRole, GroupName, NoSuchRole, Principal, PrincipalName, WallTime,
};

/// What a token starts with, so that people and scanners know one.
const PREFIX: &str = "bp_";
/// Most tokens that a file may hold.
pub(super) const TOKENS_MAX: usize = 10_000;

/// One line of the tokens file: `NAME ROLE SHA256`, then `groups=A,B` and `until=YYYY-MM-DD` as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEntry {
    /// Who it lets in, and for what.
    pub principal: Principal,
    /// Hex of SHA-256 of the token.
    pub hash: String,
    /// It is good until then.
    pub expires: Option<WallTime>,
}

/// The tokens that may use the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    entries: Vec<TokenEntry>,
}

/// A token made of 32 bytes of entropy, and its hash.
pub fn new_token(entropy: [u8; 32]) -> (String, String) {
    let token = format!("{PREFIX}{}", hex(&entropy));
    let hash = token_hash(&token);
    (token, hash)
}

/// Hex of SHA-256 of a token. The tokens are random, so a fast hash is enough.
pub fn token_hash(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Tokens {
    /// Reads a tokens file. Lines that are empty or start with `#` are passed over.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        let fault = |why: String| IdentityError::File { file: path.display().to_string(), why };
        let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
        Self::parse(&text).map_err(fault)
    }

    /// Reads the text of a tokens file; the error names the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut entries = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let n = number + 1;
            entries.push(read_line(line).map_err(|why| format!("line {n}: {why}"))?);
            if entries.len() > TOKENS_MAX {
                return Err(format!("more than {TOKENS_MAX} tokens"));
            }
        }
        if entries.is_empty() {
            return Err(
                "it holds no token, so nobody could use this node's API: write NAME admin SHA256"
                    .to_owned(),
            );
        }
        Ok(Self { entries })
    }

    /// Who shows this token at this time, or why that is nobody. Takes the same time wherever it differs.
    pub fn check(&self, presented: &str, now: WallTime) -> Result<Principal, String> {
        let hash = token_hash(presented);
        let mut found = None;
        for entry in &self.entries {
            let pairs = entry.hash.bytes().zip(hash.bytes());
            let differs = pairs.fold(0, |differs, (a, b)| differs | (a ^ b));
            if differs == 0 {
                found = Some(entry);
            }
        }
        let entry = found.ok_or("the token is not known here")?;
        match entry.expires.filter(|until| *until <= now) {
            Some(until) => Err(format!(
                "the token of `{}` has expired: it was good until {until}",
                entry.principal.name
            )),
            None => Ok(entry.principal.clone()),
        }
    }
}

fn read_line(line: &str) -> Result<TokenEntry, String> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(role), Some(hash)) = (words.next(), words.next(), words.next()) else {
        return Err("write NAME ROLE SHA256".to_owned());
    };
    let name = PrincipalName::new(name).map_err(|error| error.to_string())?;
    let role: AccessRole = role.parse().map_err(|error: NoSuchRole| error.to_string())?;
    if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err("the hash is 64 hex digits, the SHA-256 of the token".to_owned());
    }
    let mut entry = TokenEntry {
        principal: Principal { name, role, groups: BTreeSet::new() },
        hash: hash.to_ascii_lowercase(),
        expires: None,
    };
    for word in words {
        match word.split_once('=') {
            Some(("groups", groups)) if role != AccessRole::Admin => {
                let names = groups.split(',').map(GroupName::new);
                entry.principal.groups =
                    names.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
            }
            Some(("groups", _)) => {
                return Err("an admin may do all: there is no admin of some groups".to_owned());
            }
            Some(("until", date)) => {
                let until = WallTime::of_date(date);
                entry.expires = Some(until.ok_or_else(|| {
                    format!(
                        "`{date}` is not a day: write until=YYYY-MM-DD, its first moment in UTC"
                    )
                })?);
            }
            _ => return Err(format!("`{word}` is not groups=A,B or until=YYYY-MM-DD")),
        }
    }
    Ok(entry)
}
