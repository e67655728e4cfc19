//! The API over real sockets.

mod client;
mod commands;
mod fixture;
mod hostile;
mod reads;
mod watching;
