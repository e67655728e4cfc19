//! Hostile input to whole living processes, through their sockets: afterwards they serve as before, and nothing grew.

mod api;
mod descriptors;
mod dns;
mod gateway;
mod health;
mod member;
pub(crate) mod wire;
