//! Arguments → command → exit code; the commands are in [`culver::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    culver::cli::run()
}
