//! `clean`.

use anyhow::{Context, Result};
use cluster::Sweep;

use crate::cli::Clean;
use crate::provider;

pub(crate) fn run(args: &Clean) -> Result<u8> {
    let settings = provider::settings(&args.sources)?;
    let sweep = if args.kept { Sweep::KeptToo } else { Sweep::Remnants };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let report = runtime.block_on(cluster::clean(settings, sweep))?;
    for name in &report.removed {
        say!("removed {name}");
    }
    for kept in &report.kept {
        say!("kept {}: {}", kept.name, kept.reason);
    }
    for error in &report.failed {
        eprintln!("error: {error}");
    }
    if report.removed.is_empty() && report.failed.is_empty() {
        say!("nothing to remove");
    }
    Ok(if report.failed.is_empty() { events::exit::PASSED } else { events::exit::ERROR })
}
