//! `completions`.

use anyhow::Result;
use clap::CommandFactory;

use crate::cli::{Cli, Completions};

pub(crate) fn run(args: &Completions) -> Result<u8> {
    let mut command = Cli::command();
    clap_complete::generate(args.shell, &mut command, "xtask", &mut std::io::stdout());
    Ok(events::exit::PASSED)
}
