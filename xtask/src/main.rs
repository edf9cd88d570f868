//! `cargo xtask`: the command line. It parses, picks and dispatches; what happens is in the crates.

#![expect(clippy::print_stderr, reason = "the one crate that speaks to a terminal")]

#[macro_use]
mod out;

mod cli;
mod cmd;
mod generated;
mod outcome;
mod project;
mod provider;
mod select;
mod signals;
mod versions;

use std::process::ExitCode;

use clap::Parser;

/// A simulated cluster makes and drops millions of small parts: a seventh of a run's CPU seconds is saved.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before the command line is read: its defaults come from there.
    if let Err(error) = ::versions::built_in() {
        eprintln!("error: {error}");
        return ExitCode::from(events::exit::BAD_INPUT);
    }
    let cli = cli::Cli::parse();
    match cmd::dispatch(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let (code, text) = outcome::explain(&error);
            eprint!("{text}");
            ExitCode::from(code)
        }
    }
}
