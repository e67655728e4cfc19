//! Leases (F1): the right of a plane to act for an exclusive group at an epoch, and why two planes never have it at once.
//!
//! A holder stops by itself `lease` after it *sent* the renewal that was granted last, on its own clock. The controllers grant only
//! what a quorum confirmed after the renewal arrived; once a fence is committed nothing more is granted, and whoever has waited W
//! on one clock since it *applied* that fence has outlasted every lease. No two clocks are ever compared. (Gray and Cheriton,
//! "Leases", SOSP 1989; here with the drift of clocks as a bound, and with words of those who stopped early.)
//!
//! `terms` says how long, `renewal` is what is sent, `tenure` is what the log says of a group, `grant` what a controller answers,
//! `notes` when it applied what is waited for, `hold` what a holder may do and when it must stop.

pub mod limits;

mod grant;
mod hold;
mod notes;
mod renewal;
mod tenure;
mod terms;

#[cfg(test)]
mod tests;

pub use grant::{Granting, GrantingFull};
pub use hold::{Hold, Order, Phase, Right};
pub use notes::Notes;
pub use renewal::{Answer, Holder, Refusal, Renewal, Run};
pub use tenure::{Fence, Proof, Registration, Standing, Tenure, TenureError};
pub use terms::{Pace, Terms, TermsError};
