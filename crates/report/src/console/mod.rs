//! The run on a terminal, or in a log file.

mod look;
mod terminal;

use std::io::{self, Write};
use std::sync::Arc;

use events::Event;
use indicatif::TermLike;

use crate::render::{LiveView, Narrator};
use crate::text::{Line, Role};
use crate::{Sink, SinkError};
use terminal::Terminal;

pub use look::{Look, Surroundings};

/// Writes a run as it goes: lines that stay, and on a terminal one or two progress lines per running scenario below them.
pub struct Console {
    narrator: Narrator,
    screen: Screen,
    colour: bool,
}

enum Screen {
    Plain(Box<dyn Write + Send>),
    Live { view: LiveView, terminal: Terminal },
}

impl Console {
    /// On standard output.
    pub fn stdout(look: Look) -> Self {
        if look.live {
            Self::live(Arc::new(console::Term::stdout()), look.colour)
        } else {
            Self::plain(io::stdout(), look.colour)
        }
    }

    /// As plain lines, flushed after each event.
    pub fn plain(writer: impl Write + Send + 'static, colour: bool) -> Self {
        Self { narrator: Narrator::new(true), screen: Screen::Plain(Box::new(writer)), colour }
    }

    /// With progress lines on a terminal.
    pub fn live(screen: Arc<dyn TermLike>, colour: bool) -> Self {
        let screen = Screen::Live { view: LiveView::default(), terminal: Terminal::new(screen, colour) };
        Self { narrator: Narrator::new(false), screen, colour }
    }

    fn write(&mut self, lines: &[Line]) -> io::Result<()> {
        match &mut self.screen {
            Screen::Plain(_) if lines.is_empty() => Ok(()),
            Screen::Plain(writer) => {
                let painted = lines.iter().map(|line| if self.colour { line.coloured() } else { line.text() });
                let text: String = painted.map(|line| line + "\n").collect();
                writer.write_all(text.as_bytes())?;
                writer.flush()
            }
            Screen::Live { terminal, .. } => terminal.print(lines),
        }
    }
}

impl Sink for Console {
    fn name(&self) -> &str {
        "console"
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        let lines = self.narrator.event(event);
        if let Screen::Live { view, terminal } = &mut self.screen {
            view.apply(event);
            terminal.retire(view);
        }
        self.write(&lines)?;
        if let Screen::Live { view, terminal } = &mut self.screen {
            terminal.show(view);
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if let Screen::Live { terminal, .. } = &mut self.screen {
            terminal.clear()?;
        }
        let lines = self.narrator.finish();
        self.write(&lines)
    }

    fn trouble(&mut self, error: &SinkError) {
        let text = format!("{error}: {}", error.source);
        // The error is returned at the end of the run in any case.
        let _ = self.write(&[Line::new().with(Role::Warn, " warn  ").with(Role::Plain, &text)]);
    }
}
