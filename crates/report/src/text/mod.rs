//! Text for people: lines with roles instead of colours, durations, and strings made safe to print.

mod clean;
mod line;
mod time;

pub use clean::{clean, one_line};
pub use line::{Line, Role};
pub(crate) use line::{paragraph, plain_text, widest};
pub use time::{at, duration};
