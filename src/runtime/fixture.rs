//! Views for the tests of the runtime.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kernel::controller::View;
use crate::kernel::domain::MemberId;
use crate::kernel::ledger::Ledger;

/// What member 1 shows in a fresh cluster.
pub(super) fn view(leader: Option<u64>) -> View {
    View {
        member: MemberId(1),
        applied: 0,
        term: 1,
        leader: leader.map(MemberId),
        in_quorum: true,
        cluster: None,
        routes: Arc::new(BTreeMap::new()),
        zones: Arc::new(BTreeMap::new()),
        ledger: Arc::new(Ledger::default()),
        gateways: BTreeMap::new(),
        prober: None,
        warnings: Vec::new(),
    }
}
