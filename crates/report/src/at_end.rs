//! Reports that are files, made when the run has ended.

use std::io;

use camino::Utf8PathBuf;
use events::Event;

use crate::files::replace;
use crate::{Fold, RunSummary, Sink, json, junit, markdown};

/// A report that is made from the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JUnit XML: one test case per scenario.
    Junit,
    /// JSON for programs, see [`crate::SUMMARY_FORMAT`].
    Json,
    /// Markdown for a CI job's summary page.
    Markdown,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Junit, Self::Json, Self::Markdown];

    /// The file's name in a run's folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Junit => "junit.xml",
            Self::Json => "summary.json",
            Self::Markdown => "summary.md",
        }
    }

    /// The report's text.
    ///
    /// # Errors
    /// A serialiser refuses the data; none is known that it would refuse.
    pub fn render(self, summary: &RunSummary) -> io::Result<String> {
        match self {
            Self::Junit => junit::render(summary),
            Self::Json => json::render(summary),
            Self::Markdown => Ok(markdown::render(summary)),
        }
    }
}

/// Writes one report when the run has ended, or was cut off. The file is replaced whole and is readable by its owner alone.
#[derive(Debug)]
pub struct AtEnd {
    format: Format,
    path: Utf8PathBuf,
    fold: Fold,
}

impl AtEnd {
    /// A report into a file.
    pub fn new(format: Format, path: impl Into<Utf8PathBuf>) -> Self {
        Self { format, path: path.into(), fold: Fold::default() }
    }
}

impl Sink for AtEnd {
    fn name(&self) -> &str {
        self.path.as_str()
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.fold.apply(event);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let text = self.format.render(&self.fold.summary())?;
        replace(&self.path, text.as_bytes())
    }
}
