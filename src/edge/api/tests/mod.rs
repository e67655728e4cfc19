//! The API over real sockets.

mod access;
mod bounds;
mod client;
mod commands;
mod config;
mod events;
pub(super) mod fixture;
mod hostile;
mod largest;
mod reads;
mod watching;
mod wire;
