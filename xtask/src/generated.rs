//! Files of the project that are made from others: printed, written, or compared with what is committed.

use anyhow::{Context, Result};

use crate::project;

/// Such a file.
pub(crate) struct Generated {
    /// Below the project's folder.
    pub(crate) file: &'static str,
    /// What must be in it.
    pub(crate) text: String,
    /// What it is made from.
    pub(crate) source: &'static str,
    /// What brings it up to date.
    pub(crate) command: &'static str,
}

impl Generated {
    /// Compares, writes, or else prints; answers the exit code.
    pub(crate) fn answer(&self, check: bool, write: bool) -> Result<u8> {
        let path = project::short_root().join(self.file);
        if write {
            fs_err::write(&path, &self.text).with_context(|| format!("write {path}"))?;
            return Ok(events::exit::PASSED);
        }
        if !check {
            put!("{}", self.text);
            return Ok(events::exit::PASSED);
        }
        let committed = fs_err::read_to_string(&path).unwrap_or_default();
        if committed == self.text {
            say!("{path} is up to date");
            return Ok(events::exit::PASSED);
        }
        let line = committed.lines().zip(self.text.lines()).take_while(|(a, b)| a == b).count() + 1;
        eprintln!("error: {path}:{line} differs from {}\n  help: `{}` brings it up to date", self.source, self.command);
        Ok(events::exit::BAD_INPUT)
    }
}
