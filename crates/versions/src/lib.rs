//! The versions that this project knows (`kind/versions.yaml`), ranges of them, and what a text on the command line means.
//!
//! *Architecture invariant:* pure. The file is built in; what is here of each version is looked for elsewhere.

mod ask;
mod check;
mod file;
mod range;

pub use ask::{AskError, One, many, one, one_or_newer_patch};
pub use check::check;
pub use file::{Catalogue, Chart, Cilium, FileError, Kubernetes, Minor, Release};
pub use range::Range;

use std::sync::LazyLock;

/// Where the file is in the project.
pub const FILE: &str = "kind/versions.yaml";

static BUILT_IN: LazyLock<Result<Catalogue, FileError>> =
    LazyLock::new(|| Catalogue::parse(include_str!("../../../kind/versions.yaml")));

/// The file, as it was when this was built.
///
/// # Errors
/// When it cannot be read: a command says so before it does anything else.
pub fn built_in() -> Result<&'static Catalogue, &'static FileError> {
    BUILT_IN.as_ref()
}

/// The same, where it has been looked at already.
///
/// # Panics
/// When the file cannot be read.
pub fn known() -> &'static Catalogue {
    built_in().unwrap_or_else(|error| panic!("{error}"))
}
