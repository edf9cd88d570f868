//! `events.ndjson`: a run's events, one a line, as they happen.

mod read;
mod recorder;

pub use read::{ReadError, Recording, parse, read};
pub use recorder::{Recorder, write};

/// The file's name in a run's folder.
pub const FILE_NAME: &str = "events.ndjson";
