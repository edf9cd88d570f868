//! `summary.json`: what a run came to, for programs.

use std::io;

use serde::Serialize;

use crate::RunSummary;

/// Version of `summary.json`, in its field `format`. Fields may be added within a version; none goes or changes its meaning.
pub const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    #[serde(flatten)]
    summary: &'a RunSummary,
}

pub(crate) fn render(summary: &RunSummary) -> io::Result<String> {
    let mut text = serde_json::to_string_pretty(&Document { format: FORMAT, summary })?;
    text.push('\n');
    Ok(text)
}
