//! The API over real sockets.

mod access;
mod bounds;
mod client;
mod commands;
mod config;
mod events;
mod fixture;
mod hostile;
mod reads;
mod watching;
mod wire;
