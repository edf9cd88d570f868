//! Reading a recording back, also of a run that was killed or of another version of this tool.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use events::{Event, EventKind, FORMAT};
use serde::Deserialize;

/// A recording as far as it goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Recording {
    /// The events, in order. Those that a newer version of this tool has added are [`EventKind::Unknown`].
    pub events: Vec<Event>,
    /// What is missing at the end of the file, if the writer was killed inside a line.
    pub truncation: Option<String>,
}

/// Why a recording cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("reading recording {path}")]
    Io {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The first event is not the beginning of a run.
    #[error("{path} is not the recording of a run: line 1 is not a run_started event")]
    NotARecording {
        /// The file.
        path: Utf8PathBuf,
    },
    /// A newer version of this tool wrote it in a form that this one does not know.
    #[error("{path} has format {found} (tool version {tool}), this version reads up to {FORMAT}: use a newer version")]
    NewerFormat {
        /// The file.
        path: Utf8PathBuf,
        /// The file's format.
        found: u64,
        /// The version that wrote it.
        tool: String,
    },
    /// A line other than the last is no event.
    #[error("{path}:{line} is not an event")]
    Line {
        /// The file.
        path: Utf8PathBuf,
        /// From 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Lines are missing or out of order.
    #[error("{path}:{line} has event {found} where {expected} belongs: lines are missing or out of order")]
    Sequence {
        /// The file.
        path: Utf8PathBuf,
        /// From 1.
        line: usize,
        /// The event's number.
        found: u64,
        /// The number that belongs there.
        expected: u64,
    },
}

/// Reads a recording.
///
/// A half last line is left out and noted. Events, fields and words that this version does not know are tolerated as long as
/// the format is not newer. Anything else that is wrong is an error, since a report from half the events would be a false one.
pub fn read(path: &Utf8Path) -> Result<Recording, ReadError> {
    let content = fs_err::read(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    parse(path, &content)
}

/// Reads a recording from memory; the path is for messages.
pub fn parse(path: &Utf8Path, content: &[u8]) -> Result<Recording, ReadError> {
    let mut recording = Recording { events: Vec::new(), truncation: None };
    if content.is_empty() {
        recording.truncation =
            Some("the recording is empty: the run ended before its first event was written".to_owned());
        return Ok(recording);
    }
    let mut lines = content.split_inclusive(|byte| *byte == b'\n').enumerate().peekable();
    while let Some((index, text)) = lines.next() {
        let line = index + 1;
        let whole = text.ends_with(b"\n");
        let last = lines.peek().is_none();
        if index == 0 && whole {
            check_head(path, text)?;
        }
        match event(text) {
            // A line without its end may be valid JSON by chance only if it is whole; the writer ends every line.
            Ok(event) => {
                let expected = recording.events.len() as u64;
                if event.seq != expected {
                    return Err(ReadError::Sequence { path: path.to_owned(), line, found: event.seq, expected });
                }
                recording.events.push(event);
            }
            Err(_) if last && !whole => {
                let bytes = text.len();
                let note = format!("line {line} ends after {bytes} bytes: the run was killed while writing it");
                recording.truncation = Some(note);
            }
            Err(source) => return Err(ReadError::Line { path: path.to_owned(), line, source }),
        }
    }
    match recording.events.first().map(|event| &event.kind) {
        None | Some(EventKind::RunStarted { .. }) => Ok(recording),
        Some(_) => Err(ReadError::NotARecording { path: path.to_owned() }),
    }
}

/// What every version of the format has in its first line.
#[derive(Deserialize)]
struct Head {
    event: String,
    format: u64,
    #[serde(default)]
    tool: String,
}

/// Looks at the first line before anything else is taken from the file: in a newer format even that may hold no event of ours.
fn check_head(path: &Utf8Path, text: &[u8]) -> Result<(), ReadError> {
    match serde_json::from_slice::<Head>(text) {
        Ok(head) if head.event != "run_started" => Err(ReadError::NotARecording { path: path.to_owned() }),
        Ok(head) if head.format > u64::from(FORMAT) => {
            Err(ReadError::NewerFormat { path: path.to_owned(), found: head.format, tool: head.tool })
        }
        Ok(_) => Ok(()),
        Err(_) => Err(ReadError::NotARecording { path: path.to_owned() }),
    }
}

/// What every event has, whatever it is about.
#[derive(Deserialize)]
struct Envelope {
    seq: u64,
    at_ms: u64,
    wall: jiff::Timestamp,
    scenario: Option<String>,
    event: String,
}

/// One event. One with a word that this version does not know (another phase, another outcome) is an unknown event, like
/// one of an unknown kind; the event that begins a run is always needed in full.
fn event(text: &[u8]) -> Result<Event, serde_json::Error> {
    serde_json::from_slice::<Event>(text).or_else(|error| match serde_json::from_slice::<Envelope>(text) {
        Ok(Envelope { seq, at_ms, wall, scenario, event }) if event != "run_started" => {
            Ok(Event { seq, at_ms, wall, scenario, kind: EventKind::Unknown })
        }
        Ok(_) | Err(_) => Err(error),
    })
}
