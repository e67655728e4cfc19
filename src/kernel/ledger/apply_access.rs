//! Tokens, at apply: who may come in is agreed like everything else, so that a revocation holds at every node.

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::command::{RequestKey, TokenChange};
use super::events::EventKind;
use super::limits;
use super::outcome::{Applied, Outcome, RefusalReason, Refused};
use super::state::{Entry, Ledger};
use crate::kernel::domain::{AccessRole, GroupName, PrincipalName, WallTime};

/// The ruleset from which on tokens stand in the log.
pub const TOKENS_SINCE: u32 = 2;

/// The ruleset from which on a token that has expired gives up its place.
const EXPIRED_GO_SINCE: u32 = 3;

/// Who did something, and when by the wall clock of the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Done {
    /// Who.
    pub by: String,
    /// When.
    pub at: WallTime,
}

/// A token, without the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenState {
    /// What it may do.
    pub role: AccessRole,
    /// The groups that it may act on; all when empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<GroupName>,
    /// Hex of SHA-256 of the token; empty where only the name was revoked.
    pub hash: String,
    /// It is good until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<WallTime>,
    /// Who made it.
    pub made: Done,
    /// Who revoked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Done>,
}

impl Ledger {
    pub(super) fn token(
        &mut self,
        entry: &mut Entry,
        request: RequestKey,
        by: String,
        name: PrincipalName,
        change: TokenChange,
    ) {
        if self.ruleset() < TOKENS_SINCE {
            let reason = RefusalReason::Unknown("unknown variant `token`".to_owned());
            return entry.applied.push(Applied::Refused(Refused::Command, reason));
        }
        if let Some(outcome) = self.settled.outcome(&request).cloned() {
            return entry.applied.push(Applied::Settled(request, outcome));
        }
        let text = match &change {
            TokenChange::Create { role, .. } => format!("token of {name} made, {role}, by {by}"),
            TokenChange::Revoke {} => format!("{name} revoked, by {by}"),
        };
        let made = Done { by, at: self.wall };
        let outcome = match change {
            TokenChange::Create { role, groups, hash, expires } => {
                let token = TokenState { role, groups, hash, expires, made, revoked: None };
                self.create_token(entry, name, token)
            }
            TokenChange::Revoke {} => self.revoke_token(name, made),
        };
        if outcome.is_ok() {
            self.tell(entry, EventKind::Token, None, text);
        }
        let outcome = outcome.map_or_else(Outcome::Refused, |()| Outcome::Done {});
        self.settle(entry, request, outcome);
    }

    fn create_token(
        &mut self,
        entry: &mut Entry,
        name: PrincipalName,
        token: TokenState,
    ) -> Result<(), RefusalReason> {
        let unknown = token.groups.iter().find(|group| !self.groups.contains_key(*group));
        if let Some(unknown) = unknown {
            return Err(RefusalReason::NoSuchGroup(unknown.clone()));
        }
        if token.role == AccessRole::Admin && !token.groups.is_empty() {
            return Err(RefusalReason::NoScope);
        }
        match self.tokens.get(&name) {
            // A request whose answer was lost, sent again.
            Some(known) if known.hash == token.hash && known.revoked.is_none() => return Ok(()),
            Some(_) => return Err(RefusalReason::NameTaken(name)),
            None => {}
        }
        if self.count_tokens(|token| !token.hash.is_empty()) >= limits::TOKENS {
            self.drop_expired(entry, &name)?;
        }
        Arc::make_mut(&mut self.tokens).insert(name, Arc::new(token));
        Ok(())
    }

    /// Makes room for another: the token that expired first goes, and its name is free again. A name that was revoked
    /// stays, or a certificate of that name would be let in again. Expired is what the log's wall clock says, with
    /// some time to spare: it is the furthest that any leader's clock said, and other members go by their own.
    fn drop_expired(
        &mut self,
        entry: &mut Entry,
        for_whom: &PrincipalName,
    ) -> Result<(), RefusalReason> {
        let spare = u64::try_from(limits::EXPIRED_FOR.as_millis()).unwrap_or(u64::MAX);
        let over = |(name, token): (&PrincipalName, &Arc<TokenState>)| {
            let expires = token.expires.filter(|_| token.revoked.is_none())?;
            let over = expires.0.saturating_add(spare) <= self.wall.0;
            over.then(|| (expires, name.clone()))
        };
        let known = self.ruleset() >= EXPIRED_GO_SINCE;
        let first = self.tokens.iter().filter_map(over).min().filter(|_| known);
        let Some((expired, name)) = first else { return Err(RefusalReason::TooManyTokens) };
        Arc::make_mut(&mut self.tokens).remove(&name);
        let text = format!(
            "token of {name}, expired since {expired}, dropped: its place is needed for {for_whom}"
        );
        self.tell(entry, EventKind::Token, None, text);
        Ok(())
    }

    fn count_tokens(&self, which: impl Fn(&TokenState) -> bool) -> usize {
        self.tokens.values().filter(|token| which(token)).count()
    }

    /// A name that has no token in the log may have one in a file, or a certificate: it is revoked all the same.
    fn revoke_token(&mut self, name: PrincipalName, done: Done) -> Result<(), RefusalReason> {
        if done.by == name.as_str() {
            return Err(RefusalReason::Oneself);
        }
        // They have room of their own: tokens that were made must never keep a stolen certificate from being shut out.
        let full = || self.count_tokens(|token| token.hash.is_empty()) >= limits::TOKENS;
        if !self.tokens.contains_key(&name) && full() {
            return Err(RefusalReason::TooManyTokens);
        }
        let tokens = Arc::make_mut(&mut self.tokens);
        let token = tokens.entry(name).or_insert_with(|| {
            Arc::new(TokenState {
                role: AccessRole::Viewer,
                groups: BTreeSet::new(),
                hash: String::new(),
                expires: None,
                made: done.clone(),
                revoked: None,
            })
        });
        Arc::make_mut(token).revoked.get_or_insert(done);
        Ok(())
    }
}
