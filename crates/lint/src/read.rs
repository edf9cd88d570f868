//! Texts and objects to settings.

mod cluster;
mod config_map;
mod values;

pub use cluster::{Objects, dump, live};
pub use config_map::config_map;
pub use values::values;
pub(crate) use values::{places, rendered};

use crate::chart::UnknownChart;
use crate::document::SyntaxError;

/// Why there are no settings to look at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Not YAML.
    #[error("{name}:{}:{}: not YAML: {}", .error.line, .error.column, .error.message)]
    Syntax {
        /// The file.
        name: String,
        /// Where and why.
        error: SyntaxError,
    },
    /// YAML of another kind.
    #[error("{name}:{line}: {message}")]
    Shape {
        /// The file.
        name: String,
        /// From 1.
        line: usize,
        /// What it is and what it should be.
        message: String,
    },
    /// A version without a model.
    #[error(transparent)]
    Release(#[from] ipam::UnknownRelease),
    /// A version without key data.
    #[error(transparent)]
    Chart(#[from] UnknownChart),
}
