//! The simulator (F7): the same kernel, in a world of one seed. Single thread, one queue, virtual time; fake
//! network, disks, clocks, planes, gateway and clients; oracles that see the truth.
//!
//! `world` is the machine, `swarm` draws runs from seeds, `scenario` reads runs from text, `campaign` runs many
//! seeds and counts what was seen, `picture` shows one run; `adopt` takes somebody's own cluster in, and `trial` says what
//! can go wrong with its timers.

pub mod action;
pub mod adopt;
pub mod campaign;
pub mod client;
pub mod clock;
pub mod cluster;
pub mod counts;
pub mod cuts;
pub mod disk;
pub mod frame;
pub mod gateway;
mod hashed;
pub mod network;
pub mod oracle;
pub mod picture;
pub mod plane;
pub mod queue;
pub mod rest;
pub mod rng;
pub mod scenario;
pub mod shrink;
pub mod swarm;
pub mod trace;
pub mod trial;
pub mod users;
pub mod ways;
pub mod world;
