//! Consensus over three members in one loop, without a clock: disks and network are queues.

mod cluster;
mod hostile;
mod plain;
mod starting;
mod wild;
mod wire;
