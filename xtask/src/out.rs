//! Standard output, whose reader may leave: `cargo xtask e2e | head` must still clean up and end with its own exit code.

use std::fmt::Arguments;
use std::io::Write as _;

/// Writes text; nobody is left to be told that nobody reads.
pub(crate) fn put(text: Arguments<'_>) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_fmt(text).and_then(|()| stdout.flush());
}

/// As `print!`, but not surprised by a closed pipe.
macro_rules! put {
    ($($text:tt)*) => { $crate::out::put(format_args!($($text)*)) };
}

/// As `println!`, but not surprised by a closed pipe.
macro_rules! say {
    ($($text:tt)*) => { $crate::out::put(format_args!("{}\n", format_args!($($text)*))) };
}
