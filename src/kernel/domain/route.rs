//! Where a group's users are sent.

use serde::{Deserialize, Serialize};

use super::{Epoch, PlaneName};

/// The route of a group: the plane that serves it, as of an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The plane that users are sent to.
    pub plane: PlaneName,
    /// Raised by every change of `plane`.
    pub epoch: Epoch,
}
