//! One stream of events to several sinks.

use std::io;

use events::Event;

/// Something that takes a run's events, one by one and in order.
pub trait Sink: Send {
    /// What it is, for messages: `events.ndjson`, `console`.
    fn name(&self) -> &str;

    /// Takes one event. After an error the sink gets no more events.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// Ends it; called once, also when the run was cut off. A sink that failed is not finished.
    fn finish(&mut self) -> io::Result<()>;

    /// Hears that another sink has failed, while the run goes on.
    fn trouble(&mut self, error: &SinkError) {
        let _ = error;
    }
}

/// A sink that could not do its work. The run itself is not touched by it.
#[derive(Debug, thiserror::Error)]
#[error("report {sink} is incomplete")]
pub struct SinkError {
    /// The sink's name.
    pub sink: String,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Hands each event to every sink.
///
/// A sink that fails (a full disk, a closed pipe) is left out from then on, since a run must not stop, nor leave its clusters
/// behind, because a report cannot be written. The other sinks hear of it at once, and [`Reporter::finish`] returns it.
#[derive(Default)]
pub struct Reporter {
    sinks: Vec<Box<dyn Sink>>,
    failed: Vec<SinkError>,
}

impl Reporter {
    /// Without sinks.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more sink. Sinks get each event in the order in which they were added: put the recording first.
    #[must_use]
    pub fn with(mut self, sink: impl Sink + 'static) -> Self {
        self.sinks.push(Box::new(sink));
        self
    }

    /// Hands one event to every sink that still works.
    pub fn event(&mut self, event: &Event) {
        self.each(|sink| sink.event(event));
    }

    /// Ends every sink that still works. Returns what went wrong with any of them, at any time.
    pub fn finish(mut self) -> Result<(), Vec<SinkError>> {
        self.each(|sink| sink.finish());
        if self.failed.is_empty() { Ok(()) } else { Err(self.failed) }
    }

    fn each(&mut self, mut act: impl FnMut(&mut dyn Sink) -> io::Result<()>) {
        let already = self.failed.len();
        self.sinks.retain_mut(|sink| match act(sink.as_mut()) {
            Ok(()) => true,
            Err(source) => {
                self.failed.push(SinkError { sink: sink.name().to_owned(), source });
                false
            }
        });
        for error in &self.failed[already..] {
            for sink in &mut self.sinks {
                sink.trouble(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use events::EventKind;

    use super::*;

    struct Probe {
        name: &'static str,
        fails_at: Option<u64>,
        log: Arc<Mutex<Vec<String>>>,
    }

    impl Probe {
        fn note(&self, text: String) {
            self.log.lock().unwrap().push(format!("{} {text}", self.name));
        }
    }

    impl Sink for Probe {
        fn name(&self) -> &str {
            self.name
        }

        fn event(&mut self, event: &Event) -> io::Result<()> {
            if self.fails_at == Some(event.seq) {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.note(event.seq.to_string());
            Ok(())
        }

        fn finish(&mut self) -> io::Result<()> {
            self.note("end".to_owned());
            Ok(())
        }

        fn trouble(&mut self, error: &SinkError) {
            self.note(format!("hears of {}", error.sink));
        }
    }

    #[test]
    fn a_sink_that_fails_does_not_stop_the_others() {
        let log = Arc::<Mutex<Vec<String>>>::default();
        let mut reporter = Reporter::new().with(Probe { name: "a", fails_at: Some(1), log: log.clone() }).with(Probe {
            name: "b",
            fails_at: None,
            log: log.clone(),
        });
        for seq in 0..3 {
            let wall = jiff::Timestamp::UNIX_EPOCH;
            reporter.event(&Event { seq, at_ms: 0, wall, scenario: None, kind: EventKind::Unknown });
        }
        let errors = reporter.finish().unwrap_err();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].to_string(), "report a is incomplete");
        assert_eq!(*log.lock().unwrap(), ["a 0", "b 0", "b 1", "b hears of a", "b 2", "b end"]);
    }
}
