//! The same crash tests over both stores, and what the file store does with foreign and garbled files.

mod crash;
mod files;
mod golden;
mod rot;
mod workload;
