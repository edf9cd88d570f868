//! `events.ndjson`, written and read back.

use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use events::{Event, EventKind};

use super::sample::{every_outcome, hostile, one_passed};
use crate::Sink;
use crate::ndjson::{ReadError, Recorder, Recording, parse, read};

struct Folder {
    _folder: tempfile::TempDir,
    path: Utf8PathBuf,
}

fn folder() -> Folder {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    Folder { _folder: folder, path }
}

fn text_of(events: &[Event]) -> Vec<u8> {
    events.iter().flat_map(|event| serde_json::to_vec(event).unwrap().into_iter().chain([b'\n'])).collect()
}

fn parsed(content: &[u8]) -> Result<Recording, ReadError> {
    parse(Utf8Path::new("events.ndjson"), content)
}

#[test]
fn each_event_is_in_the_file_before_the_next_and_comes_back_as_it_was() {
    let folder = folder();
    let path = folder.path.join("run/events.ndjson");
    let events = every_outcome();
    let mut recorder = Recorder::create(&path).unwrap();
    for (index, event) in events.iter().enumerate() {
        recorder.event(event).unwrap();
        let read = read(&path).unwrap();
        assert_eq!(read.events.len(), index + 1);
        assert_eq!(read.truncation, None);
    }
    recorder.finish().unwrap();
    assert_eq!(read(&path).unwrap().events, events);
    assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_older_recording_is_replaced_with_its_mode() {
    let folder = folder();
    let path = folder.path.join("events.ndjson");
    fs_err::write(&path, "x".repeat(100_000)).unwrap();
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut recorder = Recorder::create(&path).unwrap();
    let events = one_passed();
    recorder.event(&events[0]).unwrap();
    assert_eq!(read(&path).unwrap().events, events[..1]);
    assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_format_is_what_it_was() {
    insta::assert_binary_snapshot!("format_1.ndjson", text_of(&every_outcome()));
}

#[test]
fn one_line_per_event_whatever_is_in_it() {
    let events = hostile();
    let content = text_of(&events);
    assert_eq!(content.iter().filter(|byte| **byte == b'\n').count(), events.len());
    assert_eq!(parsed(&content).unwrap().events, events);
}

#[test]
fn a_file_cut_at_any_byte_is_read_as_far_as_it_goes() {
    let events = &one_passed()[..4];
    let content = text_of(events);
    for length in 0..content.len() {
        let recording = parsed(&content[..length]).unwrap();
        let ends = content[..length].iter().filter(|byte| **byte == b'\n').count();
        // A last line that is whole but for its end counts.
        assert!([ends, ends + 1].contains(&recording.events.len()), "{length} bytes");
        assert_eq!(recording.events, events[..recording.events.len()], "{length} bytes");
        let half = length == 0 || content[length - 1] != b'\n' && recording.events.len() == ends;
        assert_eq!(recording.truncation.is_some(), half, "{length} bytes");
    }
}

#[test]
fn what_a_newer_version_added_is_unknown_and_what_it_changed_is_refused() {
    let mut lines: Vec<String> =
        String::from_utf8(text_of(&one_passed())).unwrap().lines().map(str::to_owned).collect();
    lines[2] = lines[2].replace(r#""phase":"create""#, r#""phase":"upgrade""#);
    lines[3] = lines[3].replace(r#""event":"phase_ended""#, r#""event":"metered","watts":3"#);
    lines[4] = lines[4].replacen('{', r#"{"extra":1,"#, 1);
    let recording = parsed(lines.join("\n").as_bytes()).unwrap();
    assert_eq!(recording.events[2].kind, EventKind::Unknown);
    assert_eq!(recording.events[3].kind, EventKind::Unknown);
    assert!(matches!(recording.events[4].kind, EventKind::PhaseStarted { .. }));

    lines[0] = r#"{"event":"run_started","format":2,"tool":"9.0.0","all":"else differs"}"#.to_owned();
    let error = parsed(lines.join("\n").as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "events.ndjson has format 2 (tool version 9.0.0), this version reads up to 1: use a newer version"
    );
}

#[test]
fn what_is_not_a_recording_is_refused_with_its_line() {
    let events = one_passed();
    let error = parsed(&text_of(&events[1..])).unwrap_err();
    assert!(matches!(error, ReadError::NotARecording { .. }), "{error}");
    let error = parsed(b"name: fresh-cluster-pool\nsteps: []\n").unwrap_err();
    assert!(matches!(error, ReadError::NotARecording { .. }), "{error}");

    let mut content = text_of(&events[..2]);
    content.extend(b"\xff\xfe\n");
    content.extend(text_of(&events[2..]));
    let error = parsed(&content).unwrap_err();
    assert_eq!(error.to_string(), "events.ndjson:3 is not an event");

    let mut missing = events.clone();
    missing.remove(2);
    let error = parsed(&text_of(&missing)).unwrap_err();
    assert_eq!(error.to_string(), "events.ndjson:3 has event 3 where 2 belongs: lines are missing or out of order");

    let error = read(Utf8Path::new("no/such/events.ndjson")).unwrap_err();
    assert_eq!(error.to_string(), "reading recording no/such/events.ndjson");
}
