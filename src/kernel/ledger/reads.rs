//! What others may see of the state.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::apply_access::TokenState;
use super::apply_alarm::Alarms;
use super::apply_ask::Ask;
use super::apply_config::KeptConfig;
use super::audit::Audit;
use super::cluster::Cluster;
use super::events::Events;
use super::state::{GroupState, Ledger, ObserverState, Question};
use super::timers::Placed;
use crate::kernel::domain::{
    AskId, GroupName, LedgerTime, MemberId, PlaneName, PrincipalName, QuestionId, Route,
    ServiceName, SwitchoverId, WallTime,
};
use crate::kernel::switchover::Switchover;

impl Ledger {
    /// Raft index of the last applied entry.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Raft term of the last applied entry.
    pub const fn term(&self) -> u64 {
        self.term
    }

    /// Ledger time.
    pub const fn time(&self) -> LedgerTime {
        self.time
    }

    /// The latest wall clock that a leader logged.
    pub const fn wall(&self) -> WallTime {
        self.wall
    }

    /// The settings in force.
    pub const fn config(&self) -> Option<&Arc<Cluster>> {
        self.config.as_ref()
    }

    /// Their number.
    pub const fn config_version(&self) -> u64 {
        self.config_version
    }

    /// Texts of the newest configurations, by number; the one in force may lack.
    pub fn configs(&self) -> &BTreeMap<u64, Arc<KeptConfig>> {
        &self.configs
    }

    /// Tokens by name, revoked ones among them.
    pub const fn tokens(&self) -> &Arc<BTreeMap<PrincipalName, Arc<TokenState>>> {
        &self.tokens
    }

    /// Questions to people, by id.
    pub const fn asks(&self) -> &Arc<BTreeMap<AskId, Arc<Ask>>> {
        &self.asks
    }

    /// What stands against the cluster.
    pub const fn alarms_kept(&self) -> &Arc<Alarms> {
        &self.alarms
    }

    /// Who drained the planes, and until when.
    pub const fn drains(&self) -> &BTreeMap<PlaneName, Placed> {
        &self.drains
    }

    /// What happened, the newest of it.
    pub const fn events(&self) -> &Arc<Events> {
        &self.events
    }

    /// Index of the entry that last changed a route or the configuration.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Routes by group.
    pub const fn routes(&self) -> &Arc<BTreeMap<GroupName, Route>> {
        &self.routes
    }

    /// Groups by name.
    pub fn groups(&self) -> &BTreeMap<GroupName, GroupState> {
        &self.groups
    }

    /// Observers by member.
    pub const fn observers(&self) -> &BTreeMap<MemberId, ObserverState> {
        &self.observers
    }

    /// Questions, open and recently closed.
    pub const fn questions(&self) -> &BTreeMap<QuestionId, Question> {
        &self.questions
    }

    /// Switchovers by id.
    pub fn switchovers(&self) -> &BTreeMap<SwitchoverId, Arc<Switchover>> {
        &self.switchovers
    }

    /// Drained planes, each with the reason.
    pub const fn drained(&self) -> &BTreeMap<PlaneName, String> {
        &self.drained
    }

    /// Serials by zone.
    pub const fn serials(&self) -> &BTreeMap<String, u32> {
        &self.serials
    }

    /// How many outcomes of requests are kept.
    pub fn outcomes_kept(&self) -> usize {
        self.settled.len()
    }

    /// The audit chain's end.
    pub const fn audit(&self) -> &Audit {
        &self.audit
    }

    /// The group that a service belongs to.
    pub fn group_of(&self, service: &ServiceName) -> Option<&GroupName> {
        self.group_of.get(service)
    }
}
