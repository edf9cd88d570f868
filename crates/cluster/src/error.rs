//! Errors that say what they leave behind.

use std::fmt;

/// What exists after an operation that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leftovers {
    /// Nothing.
    Clear,
    /// This, and the command that removes it.
    Remaining {
        /// `kind cluster ipam-e2e-abc (3 containers)`.
        what: String,
        /// `cargo xtask clean`.
        remove: String,
    },
    /// Not known: the operation was cut off.
    Unknown {
        /// The command that finds and removes it.
        remove: String,
    },
}

/// An operation on a cluster that did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {object}: {cause}")]
pub struct ClusterError {
    /// What was being done: `create`, `load images into`, `helm upgrade`.
    pub operation: String,
    /// To what: `kind cluster ipam-e2e-abc`.
    pub object: String,
    /// Why it did not succeed, in one line.
    pub cause: String,
    /// The last lines of the program's own output, if one was run.
    pub output: Option<String>,
    /// What to do about it, if known.
    pub hint: Option<String>,
    /// What is left.
    pub leftovers: Leftovers,
}

impl fmt::Display for Leftovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clear => f.write_str("nothing was left behind"),
            Self::Remaining { what, remove } => write!(f, "left behind: {what}; `{remove}` removes it"),
            Self::Unknown { remove } => write!(f, "something may be left behind; `{remove}` removes it"),
        }
    }
}
