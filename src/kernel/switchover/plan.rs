//! What a switchover of a `shared` group will do, in words: nothing is left to choose at execution time.

/// The steps of a planned switchover.
pub const PLANNED_STEPS: &[&str] = &[
    "precheck: a majority of observers, asked anew, see every critical service up on the target",
    "route: change the group's route at a new epoch; DNS and gateways follow",
    "verify: ask every DNS server, every gateway and the front door for the new epoch",
];

/// The steps of a forced one.
pub const FORCED_STEPS: &[&str] = &[
    "route: change the group's route at a new epoch; DNS and gateways follow, old connections are cut",
    "verify: ask every DNS server, every gateway and the front door for the new epoch",
];

/// The steps of an automatic one.
pub const AUTOMATIC_STEPS: &[&str] = FORCED_STEPS;

/// What a forced switchover skips, as its record lists it.
pub const FORCED_SKIPS: &[&str] =
    &["target verdict", "drain of the target", "flap limit of the target"];
