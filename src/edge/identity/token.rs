//! Tokens of clients: shown once, kept as hashes.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::IdentityError;

/// What a token starts with, so that people and scanners know one.
const PREFIX: &str = "bp_";
/// Most tokens that a file may hold.
const TOKENS_MAX: usize = 10_000;

/// One line of the tokens file: `NAME ROLE SHA256`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEntry {
    /// Who: stands in every record that it makes.
    pub name: String,
    /// `admin`: may do all. The only one that this version knows.
    pub role: String,
    /// Hex of SHA-256 of the token.
    pub hash: String,
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
            let words: Vec<&str> = line.split_whitespace().collect();
            let [name, role, hash] = words[..] else {
                return Err(format!("line {}: write NAME ROLE SHA256", number + 1));
            };
            let sound = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
            let n = number + 1;
            if role != "admin" {
                return Err(format!(
                    "line {n}: this version knows one role, admin, which may do all; a token of role `{role}` would \
                     not be held to less"
                ));
            }
            if !sound {
                return Err(format!(
                    "line {n}: the hash is 64 hex digits, the SHA-256 of the token"
                ));
            }
            entries.push(TokenEntry {
                name: name.to_owned(),
                role: role.to_owned(),
                hash: hash.to_ascii_lowercase(),
            });
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

    /// Who shows this token; nobody for an unknown one. Takes the same time wherever it differs.
    pub fn check(&self, presented: &str) -> Option<String> {
        let hash = token_hash(presented);
        let mut who = None;
        for entry in &self.entries {
            let pairs = entry.hash.bytes().zip(hash.bytes());
            let differs = pairs.fold(0, |differs, (a, b)| differs | (a ^ b));
            if differs == 0 {
                who = Some(entry.name.clone());
            }
        }
        who
    }
}
