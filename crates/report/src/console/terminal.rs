//! Progress lines on a terminal.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};

use crate::render::LiveView;
use crate::text::Line;

/// The spinner turns, and the elapsed time with it, also when no event comes.
const TICK: Duration = Duration::from_millis(100);

/// Often enough for a spinner, seldom enough for a slow connection.
const DRAWS_A_SECOND: u8 = 20;

/// Draws a [`LiveView`]. The elapsed time is real time: it shows that something goes on; what a step took is in the lines.
pub(super) struct Terminal {
    screen: Arc<dyn TermLike>,
    bars: MultiProgress,
    colour: bool,
    scenarios: BTreeMap<String, Bars>,
    overall: Option<ProgressBar>,
}

struct Bars {
    head: ProgressBar,
    waiting: Option<ProgressBar>,
    stretch: u64,
}

impl Terminal {
    pub(super) fn new(screen: Arc<dyn TermLike>, colour: bool) -> Self {
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(Infallible(screen.clone())), DRAWS_A_SECOND);
        let bars = MultiProgress::with_draw_target(target);
        Self { screen, bars, colour, scenarios: BTreeMap::new(), overall: None }
    }

    /// Prints lines above the progress lines.
    ///
    /// Not by indicatif's own `println`, which fills each line with blanks up to the terminal's width: they come along when a
    /// command is copied, and break every line when the window gets narrower.
    pub(super) fn print(&self, lines: &[Line]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        self.bars.suspend(|| {
            lines.iter().try_for_each(|line| self.screen.write_line(self.painted(line).trim_end()))?;
            self.screen.flush()
        })
    }

    /// Takes away what is no longer true, before lines are printed.
    pub(super) fn retire(&mut self, view: &LiveView) {
        let gone: Vec<String> =
            self.scenarios.keys().filter(|name| !view.running().contains_key(*name)).cloned().collect();
        for name in gone {
            if let Some(bars) = self.scenarios.remove(&name) {
                self.drop_bar(bars.waiting);
                self.drop_bar(Some(bars.head));
            }
        }
        if view.overall().is_none() {
            let overall = self.overall.take();
            self.drop_bar(overall);
        }
    }

    /// Shows what goes on.
    pub(super) fn show(&mut self, view: &LiveView) {
        for (name, scenario) in view.running() {
            let head = self.painted(&view.line(name, scenario));
            let waiting = scenario.waiting().map(|line| self.painted(&line));
            let bars = match self.scenarios.remove(name) {
                Some(bars) => bars,
                None => self.begin(scenario.stretch()),
            };
            let bars = self.update(bars, scenario.stretch(), head, waiting);
            self.scenarios.insert(name.clone(), bars);
        }
        if let Some(line) = view.overall() {
            let text = self.painted(&line);
            let bar = self.overall.get_or_insert_with(|| {
                self.bars.add(ProgressBar::no_length().with_style(text_style("        {wide_msg}")))
            });
            bar.set_message(text);
        }
    }

    /// Takes all progress lines away.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        for bars in std::mem::take(&mut self.scenarios).into_values() {
            self.drop_bar(bars.waiting);
            self.drop_bar(Some(bars.head));
        }
        let overall = self.overall.take();
        self.drop_bar(overall);
        self.bars.clear()
    }

    fn begin(&self, stretch: u64) -> Bars {
        let bar = ProgressBar::no_length().with_style(head_style());
        let head = match &self.overall {
            Some(overall) => self.bars.insert_before(overall, bar),
            None => self.bars.add(bar),
        };
        head.enable_steady_tick(TICK);
        Bars { head, waiting: None, stretch }
    }

    fn update(&self, mut bars: Bars, stretch: u64, head: String, waiting: Option<String>) -> Bars {
        if bars.stretch != stretch {
            bars.stretch = stretch;
            bars.head.reset_elapsed();
        }
        bars.head.set_message(head);
        match (waiting, &bars.waiting) {
            (Some(text), Some(bar)) => bar.set_message(text),
            (Some(text), None) => {
                let bar = ProgressBar::no_length().with_style(text_style("        {wide_msg}"));
                let bar = self.bars.insert_after(&bars.head, bar);
                bar.set_message(text);
                bars.waiting = Some(bar);
            }
            (None, _) => {
                let bar = bars.waiting.take();
                self.drop_bar(bar);
            }
        }
        bars
    }

    fn drop_bar(&self, bar: Option<ProgressBar>) {
        if let Some(bar) = bar {
            bar.disable_steady_tick();
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }

    fn painted(&self, line: &Line) -> String {
        if self.colour { line.coloured() } else { line.text() }
    }
}

fn head_style() -> ProgressStyle {
    text_style("{spinner} {took:>5} {wide_msg}").with_key("took", |state: &ProgressState, out: &mut dyn Write| {
        // Whole seconds: tenths that a person cannot read only make the line restless.
        let seconds = state.elapsed().as_secs();
        let _ = match seconds {
            0..60 => write!(out, "{seconds}s"),
            _ => write!(out, "{}:{:02}", seconds / 60, seconds % 60),
        };
    })
}

/// The templates are constants of this file; one that does not parse falls back to indicatif's own.
fn text_style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// A terminal whose progress lines are drawn or not, but never an error: indicatif panics on one when lines are printed in
/// between, and a terminal that was closed must not end a run before it has cleaned up. Lines do report errors.
#[derive(Debug)]
struct Infallible(Arc<dyn TermLike>);

impl Infallible {
    fn attempt(&self, act: impl FnOnce(&dyn TermLike) -> io::Result<()>) -> io::Result<()> {
        let _ = act(self.0.as_ref());
        Ok(())
    }
}

impl TermLike for Infallible {
    fn width(&self) -> u16 {
        self.0.width()
    }

    fn height(&self) -> u16 {
        self.0.height()
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.attempt(|screen| screen.move_cursor_up(n))
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.attempt(|screen| screen.move_cursor_down(n))
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.attempt(|screen| screen.move_cursor_right(n))
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.attempt(|screen| screen.move_cursor_left(n))
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.attempt(|screen| screen.write_line(text))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.attempt(|screen| screen.write_str(text))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.attempt(|screen| screen.clear_line())
    }

    fn flush(&self) -> io::Result<()> {
        self.attempt(|screen| screen.flush())
    }
}
