//! Configuration, startup, shutdown, commands.

pub mod demo;

/// Runs the command of this process.
pub fn run() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
