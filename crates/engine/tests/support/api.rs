//! The API server: lists, watches, writes, and the ways in which these go wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// An API server in this process. Clones are the same server.
#[derive(Clone)]
pub(crate) struct Api(Arc<Mutex<State>>);

struct State {
    version: u64,
    uids: u64,
    /// By plural, namespace and name.
    objects: BTreeMap<String, BTreeMap<Key, Value>>,
    /// Every change, for watches that begin in the past.
    log: Vec<Change>,
    /// Changes up to this version are forgotten.
    compacted: u64,
    gone_in_stream: bool,
    /// Kinds that have no definition yet.
    undefined: BTreeSet<String>,
    /// Kinds of which open watches hear nothing.
    mute: BTreeSet<String>,
    watchers: Vec<Watcher>,
    faults: Vec<Fault>,
    requests: Vec<Asked>,
    react: Option<React>,
}

type Key = (String, String);
/// What controllers do about a write: told after it, outside of any lock.
type React = Arc<dyn Fn(&Api, &Write) + Send + Sync>;
type Line = Result<Bytes, std::io::Error>;

#[derive(Clone)]
struct Change {
    version: u64,
    plural: String,
    what: &'static str,
    object: Value,
}

struct Watcher {
    plural: String,
    namespace: Option<String>,
    name: Option<String>,
    to: mpsc::UnboundedSender<Line>,
}

/// A request that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) at: Instant,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
}

impl Asked {
    pub(crate) fn is_watch(&self) -> bool {
        self.query.contains("watch=true")
    }

    /// The version that a watch begins at.
    pub(crate) fn begins_at(&self) -> Option<&str> {
        self.query.split('&').find_map(|pair| pair.strip_prefix("resourceVersion="))
    }
}

/// A write that was carried out.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) method: Method,
    pub(crate) plural: String,
    /// Before it; none for what was created.
    pub(crate) before: Option<Value>,
    /// After it; what was deleted is as it was.
    pub(crate) object: Value,
}

/// Which requests a fault is for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Which {
    pub(crate) plural: Option<&'static str>,
    pub(crate) method: Option<Method>,
    pub(crate) watch: Option<bool>,
}

/// What happens to them.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// An answer in Kubernetes' form.
    Status(u16, &'static str, &'static str),
    /// No connection.
    Refused,
    /// No answer, ever.
    Hang,
    /// The answer comes later.
    Slow(Duration),
    /// A watch is accepted and sends this error at once.
    InStream(u16),
    /// A watch is accepted and closed at once.
    Closed,
}

struct Fault {
    which: Which,
    trouble: Trouble,
    until: Instant,
    times: u32,
}

impl Which {
    pub(crate) fn any() -> Self {
        Self::default()
    }

    pub(crate) fn watches(plural: &'static str) -> Self {
        Self { plural: Some(plural), watch: Some(true), ..Self::default() }
    }

    pub(crate) fn lists(plural: &'static str) -> Self {
        Self { plural: Some(plural), watch: Some(false), method: Some(Method::GET) }
    }

    pub(crate) fn writes(method: Method, plural: &'static str) -> Self {
        Self { plural: Some(plural), method: Some(method), watch: None }
    }

    fn matches(&self, method: &Method, plural: &str, watch: bool) -> bool {
        self.plural.is_none_or(|wanted| wanted == plural)
            && self.method.as_ref().is_none_or(|wanted| wanted == method)
            && self.watch.is_none_or(|wanted| wanted == watch)
    }
}

/// The plural of a kind.
pub(crate) fn plural(kind: &str) -> String {
    format!("{}s", kind.to_lowercase())
}

fn key(object: &Value) -> Key {
    let part = |name: &str| object["metadata"][name].as_str().unwrap_or("").to_owned();
    (part("namespace"), part("name"))
}

impl Default for Api {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            version: 100,
            uids: 0,
            objects: BTreeMap::new(),
            log: Vec::new(),
            compacted: 0,
            gone_in_stream: false,
            undefined: BTreeSet::new(),
            mute: BTreeSet::new(),
            watchers: Vec::new(),
            faults: Vec::new(),
            requests: Vec::new(),
            react: None,
        })))
    }
}

impl Api {
    /// A client that needs no network.
    pub(crate) fn client(&self) -> kube::Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            let api = api.clone();
            async move { api.serve(request).await }
        });
        kube::Client::new(service, "default")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds this")
    }

    /// What controllers do about writes.
    pub(crate) fn react(&self, react: impl Fn(&Self, &Write) + Send + Sync + 'static) {
        self.state().react = Some(Arc::new(react));
    }

    /// Creates or changes an object; answers its version.
    pub(crate) fn put(&self, object: Value) -> u64 {
        self.state().put(object, true).0
    }

    /// The same, but no watch is ever told.
    pub(crate) fn put_unseen(&self, object: Value) {
        self.state().put(object, false);
    }

    /// Changes an object as it is now.
    pub(crate) fn edit(&self, kind: &str, namespace: &str, name: &str, change: impl FnOnce(&mut Value)) -> u64 {
        let mut object = self.get(kind, namespace, name).expect("there is such an object");
        change(&mut object);
        self.put(object)
    }

    pub(crate) fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = (namespace.to_owned(), name.to_owned());
        self.state().objects.get(&plural(kind))?.get(&key).cloned()
    }

    pub(crate) fn all(&self, kind: &str) -> Vec<Value> {
        self.state().objects.get(&plural(kind)).into_iter().flatten().map(|(_, object)| object.clone()).collect()
    }

    pub(crate) fn delete(&self, kind: &str, namespace: &str, name: &str) {
        self.state().delete(&plural(kind), &(namespace.to_owned(), name.to_owned()));
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> Vec<Asked> {
        self.state().requests.clone()
    }

    /// Requests for one kind so far: lists, watches.
    pub(crate) fn counts(&self, plural: &str) -> (usize, usize) {
        let requests = self.requests();
        let of = |watch: bool| {
            requests.iter().filter(|r| r.path.ends_with(&format!("/{plural}")) && r.is_watch() == watch).count()
        };
        (of(false), of(true))
    }

    /// So many requests of these go wrong, from now on.
    pub(crate) fn fail(&self, which: Which, trouble: Trouble, times: u32) {
        let until = Instant::now() + Duration::from_secs(1_000_000);
        self.state().faults.push(Fault { which, trouble, until, times });
    }

    /// These requests go wrong for a while.
    pub(crate) fn fail_for(&self, which: Which, trouble: Trouble, span: Duration) {
        let until = Instant::now() + span;
        self.state().faults.push(Fault { which, trouble, until, times: u32::MAX });
    }

    /// The server is away for a while: open connections break, new ones are refused.
    pub(crate) fn away(&self, span: Duration) {
        self.fail_for(Which::any(), Trouble::Refused, span);
        self.break_watches(None);
    }

    /// Breaks open watches in the middle, of one kind or of all.
    pub(crate) fn break_watches(&self, plural: Option<&str>) {
        self.end_watches(plural, || Some(Err(std::io::Error::other("connection reset by peer"))));
    }

    /// Closes open watches in order.
    pub(crate) fn close_watches(&self, plural: Option<&str>) {
        self.end_watches(plural, || None);
    }

    /// Ends open watches by an error event.
    pub(crate) fn end_watches_with(&self, plural: Option<&str>, code: u16) {
        self.end_watches(plural, || Some(Ok(line("ERROR", &status(code, "Expired", "too old resource version")))));
    }

    fn end_watches(&self, plural: Option<&str>, last: impl Fn() -> Option<Line>) {
        self.state().watchers.retain(|watcher| {
            let ends = plural.is_none_or(|plural| plural == watcher.plural);
            if ends && let Some(last) = last() {
                drop(watcher.to.send(last));
            }
            !ends
        });
    }

    /// Tells open watches the present version, and nothing else.
    pub(crate) fn bookmark(&self, plural: &str) -> u64 {
        let state = self.state();
        let version = state.version;
        let object = json!({"apiVersion": "v1", "kind": "Any", "metadata": {"resourceVersion": version.to_string()}});
        for watcher in state.watchers.iter().filter(|watcher| watcher.plural == plural) {
            drop(watcher.to.send(Ok(line("BOOKMARK", &object))));
        }
        version
    }

    /// Forgets the past: a watch that begins before now is answered by 410, by status or in its stream.
    pub(crate) fn compact(&self, in_stream: bool) {
        let mut state = self.state();
        state.version += 1;
        state.compacted = state.version;
        state.gone_in_stream = in_stream;
    }

    /// Open watches of these kinds hear nothing any more, though they stay open.
    pub(crate) fn mute(&self, plural: &str) {
        self.state().mute.insert(plural.to_owned());
    }

    /// A kind has no definition, or has one from now on.
    pub(crate) fn define(&self, plural: &str, defined: bool) {
        let mut state = self.state();
        if defined {
            state.undefined.remove(plural)
        } else {
            state.undefined.insert(plural.to_owned())
        };
    }

    async fn serve<B>(&self, request: Request<B>) -> Result<Response<Body>, tower::BoxError>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<tower::BoxError>,
    {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(Body::new(body), usize::MAX).await?;
        let body: Value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? };
        let query = parts.uri.query().unwrap_or("").to_owned();
        let target = Target::read(parts.uri.path(), &query);
        let trouble = {
            let mut state = self.state();
            state.requests.push(Asked {
                at: Instant::now(),
                method: parts.method.clone(),
                path: parts.uri.path().to_owned(),
                query,
            });
            state.trouble(&parts.method, &target)
        };
        match trouble {
            Some(Trouble::Status(code, reason, message)) => return Ok(answer(code, &status(code, reason, message))),
            Some(Trouble::Refused) => return Err("connection refused".into()),
            Some(Trouble::Hang) => std::future::pending().await,
            Some(Trouble::Slow(span)) => tokio::time::sleep(span).await,
            Some(Trouble::InStream(code)) => {
                let error = line("ERROR", &status(code, "InternalError", "etcdserver: no leader"));
                return Ok(Response::new(Body::from(error)));
            }
            Some(Trouble::Closed) => return Ok(Response::new(Body::empty())),
            None => {}
        }
        Ok(self.dispatch(&parts.method, &target, &body))
    }

    fn dispatch(&self, method: &Method, target: &Target, body: &Value) -> Response<Body> {
        let mut state = self.state();
        if target.plural == "version" {
            return answer(200, &json!({"major": "1", "minor": "34"}));
        }
        if state.undefined.contains(&target.plural) {
            return answer(404, &status(404, "NotFound", "the server could not find the requested resource"));
        }
        let key = (target.namespace.clone().unwrap_or_default(), target.name.clone().unwrap_or_default());
        let here = state.objects.get(&target.plural).and_then(|objects| objects.get(&key)).cloned();
        let missing = || answer(404, &status(404, "NotFound", &format!("{} \"{}\" not found", target.plural, key.1)));
        let (answered, write) = match (method, &target.name, target.sub.as_deref()) {
            (&Method::GET, None, _) if target.watch => return state.watch(target),
            (&Method::GET, None, _) => return answer(200, &state.list(target)),
            (&Method::GET, Some(_), Some("log")) => return Response::new(Body::from(format!("log of {}\n", key.1))),
            (&Method::GET, Some(_), _) => return here.map_or_else(missing, |object| answer(200, &object)),
            (&Method::POST, None, _) => {
                let mut object = body.clone();
                object["metadata"]["namespace"] = json!(key.0);
                let name = (key.0.clone(), self::key(&object).1);
                if state.objects.get(&target.plural).is_some_and(|objects| objects.contains_key(&name)) {
                    return answer(409, &status(409, "AlreadyExists", &format!("\"{}\" already exists", name.1)));
                }
                let object = state.put(object, true).1;
                let write = Write { method: method.clone(), plural: target.plural.clone(), before: None, object };
                (answer(201, &write.object), write)
            }
            (&Method::PATCH, Some(_), _) => {
                let Some(before) = here else { return missing() };
                let mut object = before.clone();
                merge(&mut object, body);
                let object = if object == before { before.clone() } else { state.put(object, true).1 };
                let plural = target.plural.clone();
                let write = Write { method: method.clone(), plural, before: Some(before), object };
                (answer(200, &write.object), write)
            }
            (&Method::DELETE, Some(_), _) => {
                let Some(object) = here else { return missing() };
                let uid = body["preconditions"]["uid"].as_str();
                if uid.is_some_and(|uid| object["metadata"]["uid"] != uid) {
                    return answer(409, &status(409, "Conflict", "the UID in the precondition does not match"));
                }
                state.delete(&target.plural, &key);
                let plural = target.plural.clone();
                let write = Write { method: method.clone(), plural, before: Some(object.clone()), object };
                (answer(200, &json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})), write)
            }
            _ => return answer(405, &status(405, "MethodNotAllowed", "the server does not allow this method")),
        };
        let react = state.react.clone();
        drop(state);
        if let Some(react) = react {
            react(self, &write);
        }
        answered
    }
}

impl State {
    fn trouble(&mut self, method: &Method, target: &Target) -> Option<Trouble> {
        let now = Instant::now();
        self.faults.retain(|fault| fault.times > 0 && fault.until > now);
        let fault = self.faults.iter_mut().find(|f| f.which.matches(method, &target.plural, target.watch))?;
        fault.times -= 1;
        Some(fault.trouble.clone())
    }

    fn put(&mut self, mut object: Value, tell: bool) -> (u64, Value) {
        self.version += 1;
        let version = self.version;
        let plural = plural(object["kind"].as_str().expect("an object has a kind"));
        let metadata = object["metadata"].as_object_mut().expect("an object has metadata");
        metadata.insert("resourceVersion".to_owned(), json!(version.to_string()));
        if !metadata.contains_key("uid") {
            self.uids += 1;
            metadata.insert("uid".to_owned(), json!(format!("uid-{}", self.uids)));
        }
        let before = self.objects.entry(plural.clone()).or_default().insert(key(&object), object.clone());
        if tell {
            let what = if before.is_some() { "MODIFIED" } else { "ADDED" };
            self.tell(Change { version, plural, what, object: object.clone() });
        }
        (version, object)
    }

    fn delete(&mut self, plural: &str, key: &Key) {
        let Some(mut object) = self.objects.get_mut(plural).and_then(|objects| objects.remove(key)) else { return };
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.tell(Change { version: self.version, plural: plural.to_owned(), what: "DELETED", object });
    }

    fn tell(&mut self, change: Change) {
        if !self.mute.contains(&change.plural) {
            for watcher in self.watchers.iter().filter(|watcher| watcher.wants(&change)) {
                drop(watcher.to.send(Ok(line(change.what, &change.object))));
            }
        }
        self.watchers.retain(|watcher| !watcher.to.is_closed());
        self.log.push(change);
    }

    fn list(&self, target: &Target) -> Value {
        let objects = self.objects.get(&target.plural).into_iter().flatten();
        // As a real server: items do not say what they are.
        let items: Vec<Value> = objects
            .filter(|((namespace, name), _)| {
                target.namespace.as_ref().is_none_or(|wanted| wanted == namespace)
                    && target.field_name.as_ref().is_none_or(|wanted| wanted == name)
            })
            .map(|(_, object)| {
                let mut item = object.clone();
                let fields = item.as_object_mut().expect("an object is a map");
                fields.remove("kind");
                fields.remove("apiVersion");
                item
            })
            .collect();
        json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": self.version.to_string()}, "items": items})
    }

    fn watch(&mut self, target: &Target) -> Response<Body> {
        let from = target.version.unwrap_or(0);
        if from < self.compacted {
            let gone = status(410, "Expired", "too old resource version");
            return if self.gone_in_stream {
                Response::new(Body::from(line("ERROR", &gone)))
            } else {
                answer(410, &gone)
            };
        }
        let (to, from_here) = mpsc::unbounded_channel::<Line>();
        let watcher = Watcher {
            plural: target.plural.clone(),
            namespace: target.namespace.clone(),
            name: target.field_name.clone(),
            to,
        };
        for change in self.log.iter().filter(|change| change.version > from && watcher.wants(change)) {
            drop(watcher.to.send(Ok(line(change.what, &change.object))));
        }
        self.watchers.push(watcher);
        let lines = futures::stream::unfold(from_here, |mut lines| async { Some((lines.recv().await?, lines)) });
        Response::new(Body::from_stream(lines))
    }
}

impl Watcher {
    fn wants(&self, change: &Change) -> bool {
        let (namespace, name) = key(&change.object);
        self.plural == change.plural
            && self.namespace.as_ref().is_none_or(|wanted| *wanted == namespace)
            && self.name.as_ref().is_none_or(|wanted| *wanted == name)
    }
}

/// What a request is about.
struct Target {
    plural: String,
    namespace: Option<String>,
    name: Option<String>,
    sub: Option<String>,
    watch: bool,
    version: Option<u64>,
    field_name: Option<String>,
}

impl Target {
    fn read(path: &str, query: &str) -> Self {
        let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        match parts.first() {
            Some(&"api") => drop(parts.drain(..2.min(parts.len()))),
            Some(&"apis") => drop(parts.drain(..3.min(parts.len()))),
            _ => {}
        }
        let namespace = match parts.as_slice() {
            ["namespaces", namespace, _, ..] => Some((*namespace).to_owned()),
            _ => None,
        };
        if namespace.is_some() {
            parts.drain(..2);
        }
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let part = |index: usize| parts.get(index).map(|part| (*part).to_owned());
        Self {
            plural: part(0).unwrap_or_default(),
            namespace,
            name: part(1),
            sub: part(2),
            watch: value("watch") == Some("true"),
            version: value("resourceVersion").and_then(|version| version.parse().ok()),
            field_name: value("fieldSelector").and_then(|f| f.strip_prefix("metadata.name%3D")).map(str::to_owned),
        }
    }
}

/// RFC 7396.
fn merge(object: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    let fields = object.as_object_mut().expect("it was made one");
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

fn line(what: &str, object: &Value) -> Bytes {
    Bytes::from(format!("{}\n", json!({"type": what, "object": object})))
}

fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}

fn answer(code: u16, body: &Value) -> Response<Body> {
    let code = StatusCode::from_u16(code).expect("a status code");
    Response::builder().status(code).body(Body::from(body.to_string())).expect("a response without headers")
}

/// The server on a real port, for what measures real time.
pub(crate) async fn serve_on(api: Api, listener: tokio::net::TcpListener) -> std::io::Result<()> {
    let service = tower::service_fn(move |request: axum::extract::Request| {
        let api = api.clone();
        async move {
            let answered = api.serve(request).await;
            Ok::<_, Infallible>(answered.unwrap_or_else(|_| answer(503, &status(503, "ServiceUnavailable", "away"))))
        }
    });
    axum::serve(listener, axum::Router::new().fallback_service(service)).await
}
