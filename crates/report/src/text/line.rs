//! A line of a report as pieces with a role each, so that one rendering serves a terminal, a log file and XML.

use owo_colors::{OwoColorize, Style};

use super::clean;

/// What a piece of text is for; how it looks is decided where it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Running text.
    Plain,
    /// The subject of the line.
    Strong,
    /// What can be passed over.
    Faint,
    /// It went well.
    Good,
    /// It did not.
    Bad,
    /// Something to know.
    Warn,
    /// Something to type.
    Command,
}

impl Role {
    fn look(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Good => Style::new().green(),
            Self::Bad => Style::new().red().bold(),
            Self::Warn => Style::new().yellow(),
            Self::Command => Style::new().cyan(),
        }
    }
}

/// One line. Nothing in it can control a terminal: pieces are cleaned as they are added, and never hold a line end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    pieces: Vec<(Role, String)>,
}

impl Line {
    /// An empty line.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line of running text.
    pub fn plain(text: &str) -> Self {
        Self::new().with(Role::Plain, text)
    }

    /// With one more piece.
    #[must_use]
    pub fn with(mut self, role: Role, text: &str) -> Self {
        let text = clean(text);
        if !text.is_empty() {
            self.pieces.push((role, text.replace('\n', " ")));
        }
        self
    }

    /// With blanks up to that column, and one blank at least if there is anything before.
    #[must_use]
    pub fn column(self, column: usize) -> Self {
        let width = self.width();
        let blanks = if width == 0 { column } else { column.saturating_sub(width).max(1) };
        self.with(Role::Plain, &" ".repeat(blanks))
    }

    /// With another line's pieces.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.pieces.extend(other.pieces);
        self
    }

    /// How many columns it takes.
    pub fn width(&self) -> usize {
        self.pieces.iter().map(|(_, text)| console::measure_text_width(text)).sum()
    }

    /// Without colours.
    pub fn text(&self) -> String {
        let text: String = self.pieces.iter().map(|(_, text)| text.as_str()).collect();
        text.trim_end().to_owned()
    }

    /// With colours.
    pub fn coloured(&self) -> String {
        self.pieces
            .iter()
            .map(|(role, text)| match role {
                Role::Plain => text.clone(),
                _ if text.trim().is_empty() => text.clone(),
                role => text.style(role.look()).to_string(),
            })
            .collect()
    }
}

/// Lines of a text that may have several, each with the same role.
pub(crate) fn paragraph(role: Role, text: &str) -> Vec<Line> {
    clean(text).lines().map(|line| Line::new().with(role, line.trim_end())).collect()
}

/// Lines without colours, each with its end.
pub(crate) fn plain_text(lines: &[Line]) -> String {
    lines.iter().map(|line| line.text() + "\n").collect()
}

/// The width of the widest text.
pub(crate) fn widest<'a>(texts: impl IntoIterator<Item = &'a str>) -> usize {
    texts.into_iter().map(console::measure_text_width).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_colours_say_the_same() {
        let line = Line::new().with(Role::Bad, "FAIL").column(6).with(Role::Strong, "x").with(Role::Plain, " y\nz ");
        assert_eq!(line.text(), "FAIL  x y z");
        assert_eq!(console::strip_ansi_codes(&line.coloured()).trim_end(), line.text());
        assert!(line.coloured().starts_with("\u{1b}["));
    }

    #[test]
    fn what_a_cluster_says_cannot_colour_a_line() {
        let line = Line::plain("a\u{1b}[31mb\u{7}");
        assert_eq!(line.coloured(), "ab\\u{7}");
    }

    #[test]
    fn columns_count_what_is_seen() {
        let line = Line::plain("日本").column(6).with(Role::Plain, "x");
        assert_eq!(line.text(), "日本  x");
        assert_eq!(Line::plain("longer").column(2).with(Role::Plain, "x").text(), "longer x");
    }
}
