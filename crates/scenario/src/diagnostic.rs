//! What a reader is told about a problem.

use std::fmt::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use crate::codes::Severity;
use crate::problem::Problem;
use crate::tree::Span;

/// Longer lines are cut around the place in question.
const WIDTH: usize = 110;

/// One problem of a file, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// See [`crate::codes`].
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// The file.
    pub path: Utf8PathBuf,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The line in question; none for a file that is too large to look into.
    pub excerpt: Option<Excerpt>,
    /// One sentence, lower case, without a full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Other places that belong to the problem.
    pub related: Vec<Related>,
}

/// A line of the file, and the part of it that is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excerpt {
    /// The line, without its end; the part around the place in question of a long one.
    pub text: String,
    /// First character of the part, from 0.
    pub start: usize,
    /// Its length in characters, at least 1.
    pub length: usize,
}

/// Another place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Related {
    /// The file.
    pub path: Utf8PathBuf,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What is there.
    pub message: String,
}

impl Diagnostic {
    pub(crate) fn new(problem: Problem, path: &Utf8Path, text: &str) -> Self {
        let Problem { code, span, message, help, related, .. } = problem;
        Self {
            code: code.name,
            severity: code.severity,
            path: path.to_owned(),
            line: span.line,
            column: span.column,
            excerpt: excerpt(text, span),
            message,
            help,
            related: related
                .into_iter()
                .map(|(span, message)| Related { path: path.to_owned(), line: span.line, column: span.column, message })
                .collect(),
        }
    }

    /// `scenarios/x.yaml:12:3`.
    pub fn location(&self) -> String {
        place(&self.path, self.line, self.column)
    }

    /// The diagnostic as text in the manner of rustc, without colour, ending with a line break.
    pub fn render(&self) -> String {
        self.render_with(false)
    }

    /// The same with ANSI colours, for a terminal.
    pub fn render_coloured(&self) -> String {
        self.render_with(true)
    }

    fn render_with(&self, colour: bool) -> String {
        let paint = |code: &str, text: &str| {
            if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
        };
        let accent = match self.severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
        };
        let margin = " ".repeat(self.line.max(1).to_string().len());
        let bar = |line: &str| paint("1;34", line);
        let mut out = String::new();
        let head = paint(accent, &format!("{}[{}]", self.severity.as_str(), self.code));
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{head}{}", paint("1", &format!(": {}", self.message)));
        let _ = writeln!(out, "{margin}{} {}", bar("-->"), self.location());
        if let Some(excerpt) = &self.excerpt {
            let carets = format!("{}{}", " ".repeat(excerpt.start), paint(accent, &"^".repeat(excerpt.length)));
            let _ = writeln!(out, "{margin} {}", bar("|"));
            let _ = writeln!(out, "{} {}", bar(&format!("{} |", self.line)), excerpt.text);
            let _ = writeln!(out, "{margin} {} {carets}", bar("|"));
        }
        for related in &self.related {
            let _ = writeln!(
                out,
                "{margin} {} {}: {}",
                bar("="),
                place(&related.path, related.line, related.column),
                related.message
            );
        }
        if let Some(help) = &self.help {
            let _ = writeln!(out, "{margin} {} help: {help}", bar("="));
        }
        out
    }
}

fn place(path: &Utf8Path, line: usize, column: usize) -> String {
    format!("{path}:{line}:{column}")
}

fn excerpt(text: &str, span: Span) -> Option<Excerpt> {
    let begin = text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let line = text[begin..].lines().next()?;
    let characters: Vec<char> = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let start = span.column.saturating_sub(1).min(characters.len());
    let marked = text.get(span.start..span.end).unwrap_or_default();
    let length = marked.lines().next().unwrap_or_default().trim_end().chars().count();
    let length = length.clamp(1, characters.len().saturating_sub(start).max(1));
    // A long line is shown from its beginning where the place is near it, and else from a little before the place.
    let from = if start + length.min(WIDTH / 2) < WIDTH { 0 } else { start - WIDTH / 3 };
    let mut shown: String = characters[from..].iter().take(WIDTH).collect::<String>().trim_end().to_owned();
    if characters.len() - from > WIDTH {
        shown.push_str("...");
    }
    let (mut start, length) = (start - from, length.min(WIDTH - (start - from)).max(1));
    if from > 0 {
        shown.insert_str(0, "...");
        start += 3;
    }
    Some(Excerpt { text: shown, start, length })
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}[{}]: {}", self.location(), self.severity.as_str(), self.code, self.message)
    }
}
