//! The ledger (F3): what the cluster has agreed, as a fold of commands.

mod cluster;

pub use cluster::{
    Budget, Cluster, FlapLimit, GatewayRoute, Group, Member, Mode, OnSwitch, OutWhen, Plane,
    Policy, Role, Timing, WhenBothDown,
};
