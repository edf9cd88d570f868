//! `adopt`.

use anyhow::{Context as _, Result};
use cluster::existing::{Context, MARK_LABEL, adopt};

use crate::cli::Adopt;

pub(crate) fn run(args: &Adopt) -> Result<u8> {
    let context = Context { name: args.context.clone(), kubeconfig: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let adoption = runtime.block_on(adopt(&context, args.yes))?;
    let word = if adoption.already { "is already" } else { "is now" };
    say!("{} ({}, {} nodes) {word} marked {MARK_LABEL}=true", args.context, adoption.server, adoption.nodes.len());
    if !adoption.in_use.is_empty() {
        say!("it has pods in: {}", adoption.in_use.join(", "));
    }
    say!("use it: cargo xtask e2e --cluster existing --context {}", args.context);
    Ok(events::exit::PASSED)
}
