//! `schema`.

use anyhow::Result;

use crate::cli::Schema;
use crate::generated::Generated;

pub(crate) fn run(args: &Schema) -> Result<u8> {
    let generated = Generated {
        file: "scenarios/schema.json",
        text: scenario::schema::text(),
        source: "the scenario format",
        command: "cargo xtask schema --write",
    };
    generated.answer(args.check, args.write)
}
