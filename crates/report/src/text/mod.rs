//! Text for people: lines with roles instead of colours, durations, and strings made safe to print.

mod clean;
mod count;
mod line;
mod time;

pub use clean::{clean, one_line};
pub use count::count;
pub use line::{Line, Role};
pub(crate) use line::{paragraph, plain_text, widest};
pub use time::{at, duration};
