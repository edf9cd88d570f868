//! Commands as they are written.

use serde::Deserialize;

/// Commands that follow one another.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chapter {
    pub(crate) commands: Vec<Command>,
}

/// One command line, run by a shell.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Command {
    pub(crate) run: String,
    /// Repeats the command until its output matches: what controllers take their time for.
    pub(crate) until: Option<String>,
    /// Rules of `normal.yaml` that are not for all commands.
    #[serde(default)]
    pub(crate) free: Vec<String>,
    /// It only makes ready what others look at.
    #[serde(default)]
    pub(crate) unseen: bool,
}

impl Chapter {
    /// The commands whose output is compared.
    pub(crate) fn compared(&self) -> impl Iterator<Item = &str> {
        self.commands.iter().filter(|command| !command.unseen).map(|command| command.run.as_str())
    }
}
