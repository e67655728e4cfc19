//! Who may do what: roles of clients, and how far a role reaches.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GroupName, PrincipalName};

/// What a client may do.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum AccessRole {
    /// Read everything but tokens.
    Viewer,
    /// Follow the routes, and tell what a gateway sees.
    Gateway,
    /// What a viewer may; switch, freeze, drain.
    Operator,
    /// Everything: the configuration and tokens, too.
    Admin,
}

impl AccessRole {
    /// Every role, the least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Gateway, Self::Operator, Self::Admin];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Gateway => "gateway",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for AccessRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// No role has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role: write viewer, gateway, operator or admin")]
pub struct NoSuchRole(pub String);

impl FromStr for AccessRole {
    type Err = NoSuchRole;

    fn from_str(text: &str) -> Result<Self, NoSuchRole> {
        let named = Self::ALL.into_iter().find(|role| role.as_str() == text);
        named.ok_or_else(|| NoSuchRole(text.to_owned()))
    }
}

/// A client that was let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// Who: stands in every record that it makes.
    pub name: PrincipalName,
    /// What it may do.
    pub role: AccessRole,
    /// The groups that it may act on; all when empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<GroupName>,
}

impl Principal {
    /// Whether it may act on this group, as far as its scope goes.
    pub fn reaches(&self, group: &GroupName) -> bool {
        self.groups.is_empty() || self.groups.contains(group)
    }
}
