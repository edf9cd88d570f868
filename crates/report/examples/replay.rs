//! Replays a recording on the terminal: `cargo run -p report --example replay -- events.ndjson [SPEED]`.
//!
//! SPEED is how many times faster than recorded (20 unless given); no pause is longer than two seconds.

use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use camino::Utf8PathBuf;
use report::{Console, Look, Reporter, Surroundings, ndjson};

#[expect(clippy::print_stderr, reason = "an example has no other way to say what is wrong")]
fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next().map(Utf8PathBuf::from) else {
        eprintln!("usage: replay EVENTS.ndjson [SPEED]");
        return ExitCode::from(report::exit::BAD_INPUT);
    };
    let speed = arguments.next().and_then(|speed| speed.parse().ok()).unwrap_or(20_u64).max(1);
    let recording = match ndjson::read(&path) {
        Ok(recording) => recording,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(report::exit::BAD_INPUT);
        }
    };
    // A channel that nobody sends on: waiting for it is a pause.
    let (_sender, pause) = channel::<()>();
    let mut reporter = Reporter::new().with(Console::stdout(Look::suiting(&Surroundings::of_stdout())));
    let mut at_ms = 0;
    for event in &recording.events {
        let gap = Duration::from_millis(event.at_ms.saturating_sub(at_ms) / speed).min(Duration::from_secs(2));
        at_ms = event.at_ms;
        if pause.recv_timeout(gap) == Err(RecvTimeoutError::Disconnected) {
            break;
        }
        reporter.event(event);
    }
    let finished = reporter.finish();
    if let Some(truncation) = recording.truncation {
        eprintln!("note: {truncation}");
    }
    if finished.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(report::exit::ERROR) }
}
