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
    /// It is up again, and what happened meanwhile has been told.
    Resumed,
    /// The cluster has no such kind, so far.
    Undefined,
}

/// How long the server is asked to keep one watch open. It closes it then, and the next one goes on where it ended.
const WATCH_SECONDS: u32 = 290;
/// How much longer than that a watch may stay open, and how long the server may take to answer a request.
const ANSWER: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long a kind without a definition is asked for at the shortest pause: the operator defines Cilium's kinds when it starts.
const DEFINED_SOON: Duration = Duration::from_secs(120);
/// A watch that was open for so long, or brought anything, was worth opening.
const WORTH_IT: Duration = Duration::from_secs(10);
/// How often a server may end a watch at once before it is believed that it will go on doing so.
const PATIENCE: u32 = 3;
/// After a loss, silence for so long means that everything missed has been told.
const CAUGHT_UP: Duration = Duration::from_millis(200);
/// Where it never falls silent, this long.
const CAUGHT_UP_AT_MOST: Duration = Duration::from_secs(1);

/// Watches one kind until the receiver is dropped or the task is aborted.
pub(crate) fn spawn(
    client: Client,
    watched: Watched,
    to: mpsc::UnboundedSender<Message>,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut watch = Watch { client, watched, to, lost: false, listed: false, arrived: 0 };
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
    /// How many events, bookmarks included, the present watch has brought.
    arrived: u64,
}

/// Why one watch request ended.
enum End {
    /// The server closed it in order.
    Closed,
    /// The version is too old: everything must be listed anew.
    Gone(String),
    /// The server sent an error other than that.
    Refused(String),
    /// The connection or the server; the watch may go on where it was.
    Broken(String),
    /// Nobody listens any more.
    NoReceiver,
}

/// Why there is no list.
enum NoList {
    /// The cluster has no such kind.
    Undefined,
    /// The connection or the server.
    Failed(String),
}

/// Grows from one vain try to the next.
struct Pause(Duration);

impl Pause {
    async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}

impl Watch {
    async fn run(&mut self) {
        let began = Instant::now();
        let mut pause = Pause(FIRST_PAUSE);
        let mut gap: Option<String> = None;
        let mut undefined = false;
        loop {
            let mut version = match self.list(gap.clone()).await {
                Ok(Some(version)) => version,
                Ok(None) => return,
                Err(NoList::Undefined) => {
                    if !std::mem::replace(&mut undefined, true) && !self.tell(ObjectChange::Undefined) {
                        return;
                    }
                    let soon = began.elapsed() < DEFINED_SOON;
                    tokio::time::sleep(if soon { FIRST_PAUSE } else { LONGEST_PAUSE }).await;
                    if self.to.is_closed() {
                        return;
                    }
                    continue;
                }
                Err(NoList::Failed(cause)) => {
                    if !self.tell_lost(&cause) {
                        return;
                    }
                    pause.wait().await;
                    continue;
                }
            };
            pause = Pause(FIRST_PAUSE);
            let mut vain = 0;
            gap = loop {
                let opened = Instant::now();
                let end = self.watch(&mut version).await;
                if self.arrived > 0 || opened.elapsed() >= WORTH_IT {
                    (pause, vain) = (Pause(FIRST_PAUSE), 0);
                } else {
                    vain += 1;
                }
                let cause = match end {
                    End::NoReceiver => return,
                    End::Gone(cause) => break Some(cause),
                    // The version may be one that this server never had: only a list helps then.
                    End::Refused(cause) if vain >= PATIENCE => break Some(cause),
                    End::Refused(cause) | End::Broken(cause) => cause,
                    End::Closed if vain == 0 => continue,
                    End::Closed if vain < PATIENCE => {
                        pause.wait().await;
                        continue;
                    }
                    End::Closed => "the server closes it as soon as it is open".to_owned(),
                };
                if !self.tell_lost(&cause) {
                    return;
                }
                pause.wait().await;
            };
        }
    }

    /// Lists everything and tells it; answers the list's version, or none if nobody listens.
    async fn list(&mut self, gap: Option<String>) -> Result<Option<String>, NoList> {
        let answer = tokio::time::timeout(ANSWER, self.client.request::<Value>(self.request(""))).await;
        let mut list = match answer {
            Ok(Ok(list)) => list,
            Ok(Err(kube::Error::Api(status))) if status.code == 404 && self.watched.custom && !self.listed => {
                return Err(NoList::Undefined);
            }
            Ok(Err(error)) => return Err(NoList::Failed(error_text(&error))),
            Err(_) => return Err(NoList::Failed(no_answer())),
        };
        let version = list["metadata"]["resourceVersion"].as_str().unwrap_or("0").to_owned();
        let objects = match list["items"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        };
        let objects = objects.into_iter().map(|object| trimmed(self.named(object))).collect();
        // The first list is what there is; a later one is a hole in the history, with or without a known cause.
        let gap = self.listed.then(|| gap.unwrap_or_else(|| "the watch was lost".to_owned()));
        self.listed = true;
        let heard = self.tell(ObjectChange::Listed { objects, gap });
        self.tell_resumed();
        Ok(heard.then_some(version))
    }

    /// Items of a list do not say what they are; watch events do.
    fn named(&self, mut object: Value) -> Value {
        if let Some(fields) = object.as_object_mut() {
            let kind = &self.watched.kind;
            fields.entry("apiVersion").or_insert_with(|| kind.api_version.clone().into());
            fields.entry("kind").or_insert_with(|| kind.kind.clone().into());
        }
        object
    }

    /// Watches from `version` on and moves it along.
    async fn watch(&mut self, version: &mut String) -> End {
        self.arrived = 0;
        let query =
            format!("watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={version}");
        let open = self.client.request_events::<Value>(self.request(&query));
        let stream = match tokio::time::timeout(ANSWER, open).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if is_gone(&error) => return End::Gone(error_text(&error)),
            Ok(Err(error)) => return End::Broken(error_text(&error)),
            Err(_) => return End::Broken(no_answer()),
        };
        let mut stream = std::pin::pin!(stream);
        let opened = Instant::now();
        let overdue = opened + Duration::from_secs(WATCH_SECONDS.into()) + ANSWER;
        let mut heard = opened;
        loop {
            let caught_up = (heard + CAUGHT_UP).min(opened + CAUGHT_UP_AT_MOST);
            let event = tokio::select! {
                biased;
                () = self.to.closed() => return End::NoReceiver,
                event = stream.try_next() => event,
                () = tokio::time::sleep_until(caught_up), if self.lost => {
                    self.tell_resumed();
                    continue;
                }
                () = tokio::time::sleep_until(overdue) => {
                    return End::Broken("the server neither sent anything nor closed it".to_owned());
                }
            };
            heard = Instant::now();
            let change = match event {
                Ok(Some(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
                    ObjectChange::Applied(trimmed(object))
                }
                Ok(Some(WatchEvent::Deleted(object))) => ObjectChange::Deleted(trimmed(object)),
                Ok(Some(WatchEvent::Bookmark(bookmark))) => {
                    self.arrived += 1;
                    *version = bookmark.metadata.resource_version;
                    continue;
                }
                Ok(Some(WatchEvent::Error(status))) if status.code == 410 => return End::Gone(status.message),
                Ok(Some(WatchEvent::Error(status))) => {
                    return End::Refused(format!("it ended with {} {}", status.code, status.message));
                }
                Ok(None) => return End::Closed,
                Err(error) if is_gone(&error) => return End::Gone(error_text(&error)),
                Err(error) => return End::Broken(error_text(&error)),
            };
            self.arrived += 1;
            if let ObjectChange::Applied(object) | ObjectChange::Deleted(object) = &change
                && let Some(at) = object["metadata"]["resourceVersion"].as_str()
            {
                at.clone_into(version);
            }
            if !self.tell(change) {
                return End::NoReceiver;
            }
        }
    }

    fn request(&self, query: &str) -> http::Request<Vec<u8>> {
        let path = self.url(self.watched.namespace.as_deref());
        let fields = self.watched.fields.as_ref().map(|f| format!("&fieldSelector={}", f.replace('=', "%3D")));
        let uri = format!("{path}?{query}{}", fields.unwrap_or_default());
        http::Request::builder().uri(uri).body(Vec::new()).expect("a path and a query of plain characters")
    }

    fn url(&self, namespace: Option<&str>) -> String {
        use kube::api::DynamicObject;
        use kube::core::Resource;
        DynamicObject::url_path(&self.watched.kind.resource(), namespace)
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

fn no_answer() -> String {
    format!("no answer in {}s", ANSWER.as_secs())
}

/// Without `managedFields`, which nobody reads here and which are most of an object's bytes.
fn trimmed(mut object: Value) -> Arc<Value> {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    Arc::new(object)
}

#[cfg(test)]
mod tests;
