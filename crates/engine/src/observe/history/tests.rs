//! Versions of objects.

use std::sync::Arc;

use serde_json::json;
use tokio::time::Instant;

use super::{History, Pushed, Seen, Version};
use crate::observe::KindName;

fn node() -> KindName {
    KindName::new("v1", "Node")
}

fn push(history: &mut History, seen: Seen, version: &str) -> Option<Option<String>> {
    let object = Arc::new(json!({"metadata": {"name": "w", "resourceVersion": version}}));
    match history.push(&node(), Version { at: Instant::now(), seen, object }) {
        Pushed::Known => None,
        Pushed::New { before } => {
            Some(before.map(|object| object["metadata"]["resourceVersion"].as_str().unwrap_or("").to_owned()))
        }
    }
}

#[test]
fn keeps_every_version_once() {
    let mut history = History::default();
    assert_eq!(push(&mut history, Seen::Applied, "1"), Some(None));
    assert_eq!(push(&mut history, Seen::Applied, "1"), None, "a list repeats what is known");
    assert_eq!(push(&mut history, Seen::AfterGap, "1"), None);
    assert_eq!(push(&mut history, Seen::AfterGap, "5"), Some(Some("1".to_owned())));
    let seen: Vec<_> = history.of(&node(), "", "w").iter().map(|v| (v.version().to_owned(), v.seen)).collect();
    assert_eq!(seen, [("1".to_owned(), Seen::Applied), ("5".to_owned(), Seen::AfterGap)]);
}

#[test]
fn a_deletion_is_a_version_and_ends_a_life() {
    let mut history = History::default();
    push(&mut history, Seen::Applied, "1");
    assert_eq!(history.alive(&node()), [(String::new(), "w".to_owned())]);
    assert_eq!(push(&mut history, Seen::Deleted, "1"), Some(Some("1".to_owned())));
    assert!(history.alive(&node()).is_empty());
    assert_eq!(push(&mut history, Seen::Applied, "1"), Some(None), "what is created again has nothing before it");
    assert_eq!(history.of(&node(), "", "w").len(), 3);
}

#[test]
fn versions_that_are_not_told_are_all_kept() {
    let mut history = History::default();
    push(&mut history, Seen::Applied, "");
    assert!(push(&mut history, Seen::Applied, "").is_some());
}

#[test]
fn what_was_never_seen_has_no_versions() {
    let history = History::default();
    assert!(history.of(&node(), "", "w").is_empty());
    assert_eq!(history.kind(&node()).count() + history.kinds().count(), 0);
}
