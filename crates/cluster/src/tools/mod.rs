//! The one door through which other programs are run.
//!
//! Every run has a deadline with a name, a process group of its own (Ctrl-C at the terminal reaches us alone, and a deadline or a
//! drop ends the program with all its children), bounded output and a line in the cluster's `commands.log`.

mod door;
mod output;
mod process;
mod tool;
mod transcript;

pub use door::{Door, MARK};
pub use output::{Captured, Tail};
pub use process::{Input, Invocation, Running, ToolError};
pub use tool::{LookupError, Tool};
pub use transcript::{Transcript, quote};
