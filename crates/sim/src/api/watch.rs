//! Watches: changes as a stream of JSON lines, until the client, its timeout or a fault ends it.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until};

use super::dispatch::Call;
use super::faults::Signals;
use super::list::selection;
use super::respond::{self, Form};
use super::table::{Printer, partial};
use super::{events, fields};
use crate::store::{Cause, Change, ChangeKind, Resource, Selection, Status, Store, Stored, Subscription};

/// A watch that nobody limits ends by itself after this long; the real server picks 30 to 60 minutes.
const LONGEST: Duration = Duration::from_secs(45 * 60);

/// Begins a watch.
pub(super) fn watch(call: &Call<'_>) -> Result<Response, Status> {
    let form = respond::form(call.headers)?;
    check_options(call)?;
    let selection = selection(call)?;
    let timeout = call.query.number("timeoutSeconds")?.and_then(|s| u64::try_from(s).ok()).filter(|s| *s > 0);
    let initial = call.query.flag("sendInitialEvents") && call.query.has("sendInitialEvents");
    let version = version(call)?;
    let store = &call.api.store;
    let resource = call.place.resource;
    let namespace = call.place.namespace.clone();
    let signals = call.api.faults.signals();
    let mut queue = VecDeque::new();
    let bookmarks = call.query.flag("allowWatchBookmarks");
    let writer = Writer {
        resource,
        form,
        new_events: call.place.new_events,
        store: store.clone(),
        printer: fields::printer(call),
        headers: true,
    };
    let mut watcher = Watcher {
        namespace,
        selection,
        writer,
        queue: VecDeque::new(),
        last: version.unwrap_or_default(),
        signals,
        bookmarks: call.api.bookmarks.filter(|_| bookmarks),
        next_bookmark: None,
        deadline: Instant::now() + timeout.map_or(LONGEST, Duration::from_secs),
        ended: false,
        subscription: None,
    };
    let from_now = initial || version.is_none_or(|v| v == 0);
    // A version from the future is a watch that waits for it: the store's next changes are all that there can be.
    let from_now = from_now || version.is_some_and(|v| v > store.revision());
    if from_now {
        let namespace = Some(watcher.namespace.as_str()).filter(|n| !n.is_empty());
        let (objects, revision, subscription) = store.list_and_watch(resource, namespace);
        watcher.subscription = Some(subscription);
        let wanted = version.is_none_or(|v| v <= revision) && (!call.query.has("sendInitialEvents") || initial);
        if wanted {
            queue.extend(objects.into_iter().filter(|o| watcher.selection.matches(&o.meta)));
        }
        watcher.last = watcher.last.max(revision);
        for object in queue {
            let line = watcher.writer.line("ADDED", &object);
            watcher.queue.push_back(line);
        }
        if initial && bookmarks {
            let line = watcher.writer.bookmark(watcher.last, true);
            watcher.queue.push_back(line);
        }
    } else {
        match store.watch_since(resource, watcher.last) {
            Ok(subscription) => watcher.subscription = Some(subscription),
            // Too late: said in the stream, as a watch that had begun would hear it.
            Err(status) => watcher.fail(&status),
        }
    }
    watcher.arm();
    let body = stream::unfold(watcher, |mut watcher| async move {
        match watcher.next().await {
            Next::Line(line) => Some((Ok(line), watcher)),
            Next::End => None,
            Next::Cut => Some((Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)), watcher)),
        }
    });
    let content_type = match form {
        Form::Object => "application/json",
        Form::Table => "application/json;as=Table;g=meta.k8s.io;v=v1",
        Form::Metadata => "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    };
    Ok(respond::bytes(200, content_type, Body::from_stream(body)))
}

fn version(call: &Call<'_>) -> Result<Option<u64>, Status> {
    match call.query.text("resourceVersion") {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            Status::new(
                500,
                "",
                format!(
                    "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
                ),
            )
        }),
    }
}

fn check_options(call: &Call<'_>) -> Result<(), Status> {
    let query = call.query;
    let rule = query.text("resourceVersionMatch");
    let mut causes = Vec::new();
    if query.has("sendInitialEvents") {
        if rule != "NotOlderThan" {
            let detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            causes.push(Cause::forbidden("resourceVersionMatch", detail));
        }
    } else if !rule.is_empty() {
        let detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
        causes.push(Cause::forbidden("resourceVersionMatch", detail));
    }
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid_kind("meta.k8s.io", "ListOptions", "", &causes)) }
}

enum Next {
    Line(Bytes),
    End,
    Cut,
}

struct Watcher {
    namespace: String,
    selection: Selection,
    writer: Writer,
    queue: VecDeque<Bytes>,
    /// The last revision that the client has heard of.
    last: u64,
    signals: Receiver<Signals>,
    bookmarks: Option<Duration>,
    next_bookmark: Option<Instant>,
    deadline: Instant,
    ended: bool,
    subscription: Option<Subscription>,
}

impl Watcher {
    fn arm(&mut self) {
        self.next_bookmark = self.bookmarks.map(|every| Instant::now() + every);
    }

    fn fail(&mut self, status: &Status) {
        let line = json!({"type": "ERROR", "object": status.to_value()});
        self.queue.push_back(line_of(&line));
        self.ended = true;
    }

    async fn next(&mut self) -> Next {
        loop {
            if let Some(line) = self.queue.pop_front() {
                return Next::Line(line);
            }
            if self.ended {
                return Next::End;
            }
            let Some(subscription) = self.subscription.as_mut() else { return Next::End };
            let before = *self.signals.borrow_and_update();
            let bookmark = self.next_bookmark.unwrap_or(self.deadline);
            // In this order: what has happened comes before what time brings, whatever the seed.
            tokio::select! {
                biased;
                change = subscription.next() => match change {
                    Some(change) => self.take(change),
                    None => return Next::End,
                },
                changed = self.signals.changed() => {
                    let now = *self.signals.borrow_and_update();
                    if changed.is_err() || now.drops > before.drops {
                        self.ended = true;
                        return Next::Cut;
                    }
                    if now.expiries > before.expiries {
                        self.fail(&Status::expired(format!("too old resource version: {} ({})", self.last, self.last + 1)));
                    }
                }
                () = sleep_until(bookmark.min(self.deadline)) => {
                    if Instant::now() >= self.deadline {
                        return Next::End;
                    }
                    let line = self.writer.bookmark(self.last, false);
                    self.arm();
                    return Next::Line(line);
                }
            }
        }
    }

    fn take(&mut self, change: Change) {
        let version = change.resource_version();
        self.last = self.last.max(version);
        let here = |o: &Stored| self.namespace.is_empty() || *o.meta.namespace == *self.namespace;
        if !here(&change.object) {
            return;
        }
        let now = change.kind != ChangeKind::Deleted && self.selection.matches(&change.object.meta);
        let before = change.previous.as_ref().is_some_and(|p| self.selection.matches(&p.meta));
        let line = match (before, now) {
            (false, true) => self.writer.line("ADDED", &change.object),
            (true, true) => self.writer.line("MODIFIED", &change.object),
            (true, false) if change.kind == ChangeKind::Deleted => self.writer.line("DELETED", &change.object),
            (true, false) => match &change.previous {
                // Gone for this watch: the last content that it may see, under the new version.
                Some(previous) => self.writer.line("DELETED", &Stored::new(previous.at(version))),
                None => return,
            },
            (false, false) => return,
        };
        self.queue.push_back(line);
    }
}

/// Puts events into the form that is wanted.
struct Writer {
    resource: Resource,
    form: Form,
    new_events: bool,
    store: Store,
    printer: Printer,
    /// Only a table's first event describes its columns.
    headers: bool,
}

impl Writer {
    fn line(&mut self, kind: &str, object: &Stored) -> Bytes {
        match self.form {
            Form::Object if self.new_events => {
                line_of(&json!({"type": kind, "object": events::to_new(object.value())}))
            }
            Form::Object => {
                let mut out = Vec::with_capacity(4096);
                out.extend_from_slice(b"{\"type\":\"");
                out.extend_from_slice(kind.as_bytes());
                out.extend_from_slice(b"\",\"object\":");
                object.write_to(&mut out);
                out.extend_from_slice(b"}\n");
                out.into()
            }
            Form::Metadata => line_of(&json!({"type": kind, "object": partial(&object.value())})),
            Form::Table => {
                let metadata = json!({"resourceVersion": object.meta.resource_version.to_string()});
                // Ages are those at the event, not at the watch's beginning.
                self.printer.at(self.store.now());
                let table = self.printer.table(metadata, vec![self.printer.row(object)], self.headers);
                self.headers = false;
                line_of(&json!({"type": kind, "object": table}))
            }
        }
    }

    fn bookmark(&mut self, revision: u64, initial_end: bool) -> Bytes {
        let info = self.resource.info();
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = match self.form {
            Form::Table => {
                let carried =
                    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata});
                let rows = vec![json!({"cells": Value::Null, "object": carried})];
                self.printer.table(json!({"resourceVersion": revision.to_string()}), rows, false)
            }
            Form::Metadata => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
            }
            Form::Object => {
                let mut object = json!({"kind": info.kind, "apiVersion": info.api_version(), "metadata": metadata});
                if self.new_events {
                    object["apiVersion"] = "events.k8s.io/v1".into();
                }
                object
            }
        };
        line_of(&json!({"type": "BOOKMARK", "object": object}))
    }
}

fn line_of(value: &Value) -> Bytes {
    let mut out = serde_json::to_vec(value).unwrap_or_default();
    out.push(b'\n');
    out.into()
}
