//! The one binary: everything it can do is in [`biplane::cli`].

use std::process::ExitCode;

/// glibc keeps what each thread has freed apart: a node with 10,000 services stood at half as much again (decision
/// 0008).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    biplane::cli::main(std::env::args_os())
}
