//! Writing a recording.

use std::io::{self, Write};

use camino::Utf8Path;
use events::Event;
use fs_err::os::unix::fs::OpenOptionsExt;

use crate::Sink;
use crate::files::folder_of;

/// Writes each event as it happens, so that a run which is killed can still be reported: an event is in the file before the
/// next one is taken. The file is readable by its owner alone (mode 0600).
#[derive(Debug)]
pub struct Recorder {
    file: fs_err::File,
    line: Vec<u8>,
}

impl Recorder {
    /// Begins a recording. Makes the folder where it is missing; an older recording of the same name is removed, not written
    /// over, so that whoever still has it open keeps it, and so that its mode does not survive.
    pub fn create(path: &Utf8Path) -> io::Result<Self> {
        fs_err::create_dir_all(folder_of(path))?;
        match fs_err::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let file = fs_err::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Self { file, line: Vec::new() })
    }
}

/// Writes the recording of a run that is over, as a [`Recorder`] would have written it.
///
/// # Errors
/// When the file cannot be made or written.
pub fn write(path: &Utf8Path, events: &[Event]) -> io::Result<()> {
    let mut lines = Vec::new();
    events.iter().try_for_each(|event| append(&mut lines, event))?;
    Recorder::create(path)?.file.write_all(&lines)
}

/// An event as the file has it: a line.
fn append(lines: &mut Vec<u8>, event: &Event) -> io::Result<()> {
    serde_json::to_writer(&mut *lines, event)?;
    lines.push(b'\n');
    Ok(())
}

impl Sink for Recorder {
    fn name(&self) -> &str {
        super::FILE_NAME
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.line.clear();
        append(&mut self.line, event)?;
        // One write per line and no buffer of ours: a kill between two events loses nothing.
        self.file.write_all(&self.line)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }
}
