//! Bounds of leases.

/// The most by which a clock may be allowed to run wrong, in millionths: more is no bound on a clock.
pub const DRIFT_PPM: u32 = 100_000;
/// Processes registered for one group, and those that were and are waited for.
pub const REGISTERED: usize = 1_000;
/// Renewals that wait for their answers at one controller.
pub const RENEWALS: usize = 10_000;
/// Renewals of one holder for one group whose answers may still come.
pub const RENEWALS_SENT: usize = 16;
