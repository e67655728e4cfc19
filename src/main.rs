//! The one binary: everything it can do is in [`biplane::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    biplane::cli::main(std::env::args_os())
}
