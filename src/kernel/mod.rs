//! The pure kernel: what the cluster believes and what it does about it, as a function of its inputs.
//!
//! Floors, lowest first; a module imports only from a lower floor, and neighbours are strangers:
//! `domain` (F0) · `health lease zone consensus` (F1) · `policy switchover` (F2) · `ledger` (F3) · `controller` (F4).

pub mod domain;
pub mod mutants;

pub mod consensus;
pub mod health;
pub mod lease;
pub mod zone;

pub mod policy;
pub mod switchover;

pub mod ledger;

pub mod controller;
