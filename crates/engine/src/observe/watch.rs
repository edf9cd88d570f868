//! One list and watch that survives what happens to API servers: lost connections, 410 Gone, restarts.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use kube::Client;
use kube::core::WatchEvent;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{KindName, Watched};
use crate::session::Message;

/// Something that a watch, or a probe, has to tell.
#[derive(Debug, Clone)]
pub(crate) struct Observation {
    /// When it arrived.
    pub(crate) at: Instant,
    /// Of which kind.
    pub(crate) kind: KindName,
    /// What.
    pub(crate) change: ObjectChange,
}

/// A change of one kind's objects, or of our view of them.
#[derive(Debug, Clone)]
pub(crate) enum ObjectChange {
    /// A whole list. `gap` says why it had to be taken again, if it is not the first.
    Listed { objects: Vec<Arc<Value>>, gap: Option<String> },
    /// Created or changed.
    Applied(Arc<Value>),
    /// Gone; its last state.
    Deleted(Arc<Value>),
    /// The watch is down since now.
    Lost { cause: String },
    /// It is up again. Nothing was missed unless a list follows.
    Resumed,
}

/// How long the server is asked to keep one watch open. It closes it then, and the next one goes on where it ended.
const WATCH_SECONDS: u32 = 290;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Watches one kind until the receiver is dropped or the task is aborted.
pub(crate) fn spawn(client: Client, watched: Watched, to: mpsc::UnboundedSender<Message>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut watch = Watch { client, watched, to, lost: false, listed: false };
        watch.run().await;
    })
}

struct Watch {
    client: Client,
    watched: Watched,
    to: mpsc::UnboundedSender<Message>,
    /// Whether `Lost` was told and `Resumed` was not.
    lost: bool,
    /// Whether a list was told.
    listed: bool,
}

/// Why one watch request ended.
enum End {
    /// The server closed it in order, at this version.
    Closed(String),
    /// The version is too old: everything must be listed anew.
    Gone(String),
    /// The connection or the server; the watch may go on at this version.
    Broken(String, String),
    /// Nobody listens any more.
    NoReceiver,
}

impl Watch {
    async fn run(&mut self) {
        let mut pause = FIRST_PAUSE;
        let mut gap: Option<String> = None;
        loop {
            let mut version = match self.list(gap.clone()).await {
                Ok(Some(version)) => version,
                Ok(None) => return,
                Err(cause) => {
                    if self.missing_definition(&cause) {
                        // The operator registers Cilium's definitions when it starts.
                        tokio::time::sleep(FIRST_PAUSE).await;
                        if self.to.is_closed() {
                            return;
                        }
                        continue;
                    }
                    if !self.tell_lost(&cause.to_string()) {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
            };
            pause = FIRST_PAUSE;
            gap = loop {
                match self.watch(&version).await {
                    End::Closed(at) => version = at,
                    End::NoReceiver => return,
                    End::Gone(cause) => break Some(cause),
                    End::Broken(at, cause) => {
                        version = at;
                        if !self.tell_lost(&cause) {
                            return;
                        }
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                }
            };
        }
    }

    fn missing_definition(&self, cause: &kube::Error) -> bool {
        self.watched.custom && !self.listed && matches!(cause, kube::Error::Api(status) if status.code == 404)
    }

    /// Lists everything and tells it; answers the list's version, or none if nobody listens.
    async fn list(&mut self, gap: Option<String>) -> Result<Option<String>, kube::Error> {
        let mut list: Value = self.client.request(self.request("")).await?;
        let version = list["metadata"]["resourceVersion"].as_str().unwrap_or("0").to_owned();
        let objects = match list["items"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        };
        let objects = objects.into_iter().map(trimmed).collect();
        // The first list is what there is; a later one is a hole in the history, with or without a known cause.
        let gap = self.listed.then(|| gap.unwrap_or_else(|| "the watch was lost".to_owned()));
        self.listed = true;
        self.tell_resumed();
        Ok(self.tell(ObjectChange::Listed { objects, gap }).then_some(version))
    }

    async fn watch(&mut self, from: &str) -> End {
        let mut version = from.to_owned();
        let query = format!("watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={from}");
        let stream = match self.client.request_events::<Value>(self.request(&query)).await {
            Ok(stream) => stream,
            Err(error) if is_gone(&error) => return End::Gone(error_text(&error)),
            Err(error) => return End::Broken(version, error_text(&error)),
        };
        self.tell_resumed();
        let mut stream = std::pin::pin!(stream);
        loop {
            let event = tokio::select! {
                biased;
                () = self.to.closed() => return End::NoReceiver,
                event = stream.try_next() => event,
            };
            let change = match event {
                Ok(Some(WatchEvent::Added(object) | WatchEvent::Modified(object))) => ObjectChange::Applied(trimmed(object)),
                Ok(Some(WatchEvent::Deleted(object))) => ObjectChange::Deleted(trimmed(object)),
                Ok(Some(WatchEvent::Bookmark(bookmark))) => {
                    version = bookmark.metadata.resource_version;
                    continue;
                }
                Ok(Some(WatchEvent::Error(status))) if status.code == 410 => return End::Gone(status.message),
                Ok(Some(WatchEvent::Error(status))) => {
                    return End::Broken(version, format!("the watch ended with {} {}", status.code, status.message));
                }
                Ok(None) => return End::Closed(version),
                Err(error) if is_gone(&error) => return End::Gone(error_text(&error)),
                Err(error) => return End::Broken(version, error_text(&error)),
            };
            if let ObjectChange::Applied(object) | ObjectChange::Deleted(object) = &change
                && let Some(at) = object["metadata"]["resourceVersion"].as_str()
            {
                version = at.to_owned();
            }
            if !self.tell(change) {
                return End::NoReceiver;
            }
        }
    }

    fn request(&self, query: &str) -> http::Request<Vec<u8>> {
        let path = match &self.watched.namespace {
            Some(namespace) => self.url(Some(namespace)),
            None => self.url(None),
        };
        let fields = self.watched.fields.as_ref().map(|f| format!("&fieldSelector={}", f.replace('=', "%3D")));
        let uri = format!("{path}?{query}{}", fields.unwrap_or_default());
        http::Request::builder().uri(uri).body(Vec::new()).expect("a path and a query of plain characters")
    }

    fn url(&self, namespace: Option<&String>) -> String {
        use kube::api::DynamicObject;
        use kube::core::Resource;
        DynamicObject::url_path(&self.watched.kind.resource(), namespace.map(String::as_str))
    }

    fn tell(&self, change: ObjectChange) -> bool {
        let observation = Observation { at: Instant::now(), kind: self.watched.kind.clone(), change };
        self.to.send(Message::Observed(observation)).is_ok()
    }

    fn tell_lost(&mut self, cause: &str) -> bool {
        if self.lost {
            return !self.to.is_closed();
        }
        self.lost = true;
        self.tell(ObjectChange::Lost { cause: cause.to_owned() })
    }

    fn tell_resumed(&mut self) {
        if std::mem::take(&mut self.lost) {
            self.tell(ObjectChange::Resumed);
        }
    }
}

fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 410)
}

fn error_text(error: &kube::Error) -> String {
    crate::api::text(error)
}

/// Without `managedFields`, which nobody reads here and which are most of an object's bytes.
fn trimmed(mut object: Value) -> Arc<Value> {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    Arc::new(object)
}
