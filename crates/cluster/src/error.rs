//! Errors that say what they leave behind.

use std::fmt;

use crate::ledger::LedgerError;
use crate::tools::ToolError;

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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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

/// An error before it is known which cluster it belongs to and what it leaves: what the parts of this crate pass around.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) operation: String,
    pub(crate) cause: String,
    pub(crate) output: Option<String>,
    pub(crate) hint: Option<String>,
}

impl Fault {
    pub(crate) fn new(operation: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { operation: operation.into(), cause: cause.into(), output: None, hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn tool(operation: impl Into<String>, error: &ToolError) -> Self {
        let hint = match error {
            ToolError::Lookup(lookup) => Some(lookup.fix()),
            error => known(error),
        };
        Self { operation: operation.into(), cause: error.cause(), output: error.output().map(str::to_owned), hint }
    }

    pub(crate) fn ledger(error: &LedgerError) -> Self {
        Self::new(error.operation, format!("ledger {}: {}", error.path, error.cause))
    }

    pub(crate) fn on(self, object: impl Into<String>, leftovers: Leftovers) -> ClusterError {
        ClusterError {
            operation: self.operation,
            object: object.into(),
            cause: self.cause,
            output: self.output,
            hint: self.hint,
            leftovers,
        }
    }
}

/// What to do about errors that programs are known to print.
fn known(error: &ToolError) -> Option<String> {
    const KNOWN: &[(&str, &str)] = &[
        ("cannot connect to the docker daemon", "start Docker, or set DOCKER_HOST; `cargo xtask doctor` checks it"),
        (
            "permission denied while trying to connect",
            "let your user use Docker (group docker), or run rootless Docker",
        ),
        (
            "non-overlapping ipv4 address pool",
            "Docker has no subnet left: `docker network prune` removes unused networks",
        ),
        ("all predefined address pools have been fully subnetted", "`docker network prune` removes unused networks"),
        (
            "no space left on device",
            "free disk space where Docker keeps its data; `docker system df` shows what takes it",
        ),
        (
            "too many open files",
            "raise fs.inotify.max_user_instances and max_user_watches; `cargo xtask doctor` says to what",
        ),
        ("pull access denied", "the image is not in Docker and cannot be pulled: load it, or name another one"),
        (
            "no such host",
            "a registry cannot be reached: load the image into Docker, or set IPAM_E2E_REGISTRY_MIRROR or a proxy",
        ),
    ];
    KNOWN.iter().find(|(text, _)| error.says(text)).map(|(_, hint)| (*hint).to_owned())
}
