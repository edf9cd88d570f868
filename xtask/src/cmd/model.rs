//! `model`: the operator's half of the model, alone.

use std::io::Read as _;

use anyhow::{Context, Result};

use crate::cli::Model;
use crate::outcome::BadInput;

pub(crate) fn run(args: &Model) -> Result<u8> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("read histories from standard input")?;
    let version = args.cilium.to_string();
    let outcomes = ipam::model::run_json(&text, &version).map_err(|error| BadInput(error.to_string()))?;
    say!("{outcomes}");
    Ok(events::exit::PASSED)
}
