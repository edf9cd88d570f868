//! Errors that end the process, with their exit codes.

use anyhow::Error;

/// Input that cannot be used: exit code 2.
#[derive(Debug)]
pub(crate) struct BadInput(pub(crate) String);

impl std::fmt::Display for BadInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadInput {}

/// Nothing matched the selection: exit code 4.
#[derive(Debug)]
pub(crate) struct NothingSelected(pub(crate) String);

impl std::fmt::Display for NothingSelected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NothingSelected {}

/// The exit code of an error, and its text: each cause once, a provider's output, hint and leftovers beneath it.
pub(crate) fn explain(error: &Error) -> (u8, String) {
    use std::fmt::Write as _;
    let code = if error.is::<BadInput>() {
        events::exit::BAD_INPUT
    } else if error.is::<NothingSelected>() {
        events::exit::NOTHING_SELECTED
    } else {
        events::exit::ERROR
    };
    let mut text = String::new();
    let mut last = String::new();
    for (depth, cause) in error.chain().enumerate() {
        let one = cause.to_string();
        if last.contains(&one) {
            continue;
        }
        let _ = match depth {
            0 => writeln!(text, "error: {one}"),
            _ => writeln!(text, "  because {one}"),
        };
        last = one;
    }
    if let Some(error) = error.downcast_ref::<cluster::ClusterError>() {
        for line in error.output.iter().flat_map(|output| output.lines()) {
            let _ = writeln!(text, "  | {line}");
        }
        if let Some(hint) = &error.hint {
            let _ = writeln!(text, "  help: {hint}");
        }
        let _ = writeln!(text, "  {}", error.leftovers);
    }
    (code, text)
}
