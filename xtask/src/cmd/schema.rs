//! `schema`.

use anyhow::{Context, Result};

use crate::cli::Schema;
use crate::project;

pub(crate) fn run(args: &Schema) -> Result<u8> {
    let text = scenario::schema::text();
    let path = project::short_root().join("scenarios/schema.json");
    if args.write {
        fs_err::write(&path, &text).context("write the schema")?;
        return Ok(events::exit::PASSED);
    }
    if !args.check {
        put!("{text}");
        return Ok(events::exit::PASSED);
    }
    let committed = fs_err::read_to_string(&path).unwrap_or_default();
    if committed == text {
        say!("{path} is up to date");
        return Ok(events::exit::PASSED);
    }
    let line = committed.lines().zip(text.lines()).take_while(|(a, b)| a == b).count() + 1;
    eprintln!(
        "error: {path}:{line} differs from the scenario format\n  help: `cargo xtask schema --write` brings it up to date"
    );
    Ok(events::exit::BAD_INPUT)
}
