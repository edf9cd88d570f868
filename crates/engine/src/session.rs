//! A scenario's life on one cluster: the one owner of what is known about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cluster::Cluster;
use events::{Change, EventKind, Mismatch};
use scenario::Scenario;
use scenario::model::{NodeRef, PodSet};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::check::{Context, Pair, Programs};
use crate::emit::Emitter;
use crate::failure::StepError;
use crate::monitor::Monitor;
use crate::observe::{History, KindName, Observation, Watched, describe_change, spawn, standard};
use crate::probe::{self, Answer};
use crate::world::{Effect, PodFacts, World};

/// What watches and probes send.
#[derive(Debug)]
pub(crate) enum Message {
    /// From a watch.
    Observed(Observation),
    /// From an agent that was asked.
    Agent(Answer),
}

/// A scenario's life on one cluster.
pub(crate) struct Session {
    pub(crate) scenario: Arc<Scenario>,
    pub(crate) cluster: Arc<dyn Cluster>,
    pub(crate) client: kube::Client,
    pub(crate) world: World,
    pub(crate) history: History,
    /// The world at `start` and at the end of named steps.
    pub(crate) labels: BTreeMap<String, Arc<World>>,
    /// Live pods of each set after the last step that rolled it out.
    pub(crate) rollouts: BTreeMap<PodSet, Arc<Vec<Arc<PodFacts>>>>,
    pub(crate) programs: Programs,
    pub(crate) pings: BTreeMap<Pair, bool>,
    pub(crate) monitors: Vec<Monitor>,
    /// Helm values in force.
    pub(crate) values: Map<String, Value>,
    /// Names of nodes that a step took out.
    pub(crate) removed: BTreeMap<NodeRef, String>,
    /// `cilium-config` as a backup step kept it.
    pub(crate) backup: Option<BTreeMap<String, String>>,
    /// The run's id.
    pub(crate) run: String,
    pub(crate) emitter: Emitter,
    /// Deadlines of the engine's own are stretched by this.
    pub(crate) scale: f64,
    roles: Vec<(NodeRef, String)>,
    receiver: mpsc::UnboundedReceiver<Message>,
    sender: mpsc::UnboundedSender<Message>,
    tasks: Vec<JoinHandle<()>>,
    asked: BTreeSet<String>,
    last_api_error: Option<(Instant, String)>,
    last_waiting: Option<(String, String)>,
}

/// How far a state is.
pub(crate) enum Level<T> {
    /// Reached.
    Done(T),
    /// Not reached. `last` is what a reader sees; `wake` a moment at which to look again although nothing changed.
    NotYet { last: String, wake: Option<Instant> },
}

impl<T> Level<T> {
    /// Not reached; look again when something changes.
    pub(crate) fn not_yet(last: impl Into<String>) -> Self {
        Self::NotYet { last: last.into(), wake: None }
    }
}

impl Session {
    /// Begins to watch.
    pub(crate) fn new(scenario: Arc<Scenario>, cluster: Arc<dyn Cluster>, setup: Setup) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let client = cluster.client();
        let mut programs = Programs::default();
        let mut watched = standard();
        for kind in setup.extra_kinds {
            if !watched.iter().any(|w| w.kind == kind && w.fields.is_none()) {
                watched.push(Watched::extra(kind));
            }
        }
        for expression in &setup.expressions {
            // The plan has compiled it before.
            drop(programs.add(expression));
        }
        let tasks = watched.into_iter().map(|w| spawn(client.clone(), w, sender.clone())).collect();
        let world = World { cilium_version: Some(setup.version), ..World::default() };
        Self {
            scenario,
            cluster,
            client,
            world,
            history: History::default(),
            labels: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            programs,
            pings: BTreeMap::new(),
            monitors: Vec::new(),
            values: setup.values,
            removed: BTreeMap::new(),
            backup: None,
            run: setup.run,
            emitter: setup.emitter,
            scale: setup.scale,
            roles: Vec::new(),
            receiver,
            sender,
            tasks,
            asked: BTreeSet::new(),
            last_api_error: None,
            last_waiting: None,
        }
    }

    /// What checks may look at.
    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            world: &self.world,
            labels: &self.labels,
            rollouts: &self.rollouts,
            scenario: &self.scenario,
            programs: &self.programs,
            pings: &self.pings,
            roles: &self.roles,
        }
    }

    /// Keeps the world as it is now under a name. `start` also fixes which node has which role.
    pub(crate) fn label(&mut self, label: &str) {
        if label == crate::START {
            self.roles = self.world.roles();
        }
        self.labels.insert(label.to_owned(), Arc::new(self.world.clone()));
    }

    /// The real name of a node.
    pub(crate) fn node(&self, role: NodeRef) -> Result<String, StepError> {
        self.roles.iter().find(|(r, _)| *r == role).map(|(_, name)| name.clone()).ok_or_else(|| {
            let known: Vec<String> = self.roles.iter().map(|(r, _)| r.to_string()).collect();
            StepError::Input { message: format!("no node is called {role}; there are {}", known.join(", ")) }
        })
    }

    /// Waits until `look` says that a state is reached. It is asked after every single observation. `kinds` are those whose watches it
    /// depends on: when one of them is down at the deadline, that is the cause, not the last thing seen.
    pub(crate) async fn until<T>(
        &mut self,
        deadline: Instant,
        what: &str,
        kinds: &[KindName],
        mut look: impl FnMut(&Self) -> Level<T>,
    ) -> Result<T, StepError> {
        let began = Instant::now();
        loop {
            let (last, wake) = match look(self) {
                Level::Done(value) => return Ok(value),
                Level::NotYet { last, wake } => (last, wake),
            };
            self.say_waiting(what, &last);
            let wake = wake.map_or(deadline, |wake| wake.min(deadline));
            tokio::select! {
                biased;
                message = self.receiver.recv() => {
                    if let Some(message) = message {
                        self.take(message)?;
                    }
                }
                () = tokio::time::sleep_until(wake) => {
                    if Instant::now() >= deadline {
                        return Err(self.timed_out(what, began, &last, kinds));
                    }
                }
            }
        }
    }

    /// Takes in everything that has arrived, and waits for nothing.
    pub(crate) fn drain(&mut self) -> Result<(), StepError> {
        while let Ok(message) = self.receiver.try_recv() {
            self.take(message)?;
        }
        Ok(())
    }

    /// Waits for `work` and takes in observations meanwhile, so that monitors see them when they come.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T, StepError> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                message = self.receiver.recv() => {
                    if let Some(message) = message {
                        self.take(message)?;
                    }
                }
                value = &mut work => return Ok(value),
            }
        }
    }

    fn say_waiting(&mut self, what: &str, last: &str) {
        let now = (what.to_owned(), last.to_owned());
        if self.last_waiting.as_ref() != Some(&now) {
            self.emitter.emit(EventKind::Waiting { what: now.0.clone(), last: now.1.clone() });
            self.last_waiting = Some(now);
        }
    }

    /// Why a state was not reached, told apart: the machine beneath, or the product.
    fn timed_out(&self, what: &str, began: Instant, last: &str, kinds: &[KindName]) -> StepError {
        let waited = humantime::format_duration(Duration::from_millis(
            u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        ));
        if let Some((kind, (since, cause))) = self.world.lost.iter().find(|(kind, _)| kinds.contains(kind)) {
            let down = since.elapsed().as_secs();
            let message = format!("waited {waited} for {what}, but the watch on {} has been down for {down}s: {cause}", kind.kind);
            return StepError::Infrastructure { message, mismatches: Vec::new() };
        }
        let message = format!("waited {waited} for {what}: {last}");
        match self.machine_at_fault() {
            Some(mismatch) => StepError::Infrastructure {
                message: format!("{message} ({} {})", mismatch.object, mismatch.observed),
                mismatches: vec![mismatch],
            },
            None => StepError::Mismatch { message, mismatches: Vec::new() },
        }
    }

    /// A pod whose image cannot be had, or a node that is out of order: then nothing that was waited for says anything about Cilium.
    pub(crate) fn machine_at_fault(&self) -> Option<Mismatch> {
        const IMAGE: [&str; 5] =
            ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"];
        let pod = self.world.pods.values().find_map(|pod| {
            let reason = pod.waiting.as_deref().filter(|reason| IMAGE.contains(reason))?;
            Some(Mismatch {
                object: pod.object(),
                field: "status.containerStatuses.state.waiting".to_owned(),
                expected: "an image that the node has or can pull".to_owned(),
                observed: reason.to_owned(),
                since_ms: None,
            })
        });
        pod.or_else(|| {
            self.world.nodes.values().find_map(|node| {
                let pressure = node.taints.iter().find(|taint| taint.ends_with("-pressure"))?;
                Some(Mismatch {
                    object: format!("Node/{}", node.name),
                    field: "spec.taints".to_owned(),
                    expected: "no pressure".to_owned(),
                    observed: pressure.clone(),
                    since_ms: None,
                })
            })
        })
    }

    fn take(&mut self, message: Message) -> Result<(), StepError> {
        let at = match message {
            Message::Observed(observation) => {
                let at = observation.at;
                for effect in self.world.apply(observation, &mut self.history) {
                    self.tell(at, effect);
                }
                at
            }
            Message::Agent(Answer { incarnation, outcome }) => {
                match outcome {
                    Ok(facts) => {
                        self.world.agents.insert(incarnation, Arc::new(facts));
                    }
                    Err(cause) => {
                        // The next change of its pod asks again.
                        self.asked.remove(&incarnation);
                        self.last_api_error = Some((Instant::now(), cause));
                    }
                }
                Instant::now()
            }
        };
        let mut monitors = std::mem::take(&mut self.monitors);
        let context = self.context();
        for monitor in &mut monitors {
            monitor.look(at, &context);
        }
        self.monitors = monitors;
        self.violation(None)
    }

    /// The first violation of a check that goes on. With `ended`, of those that end with this step.
    pub(crate) fn violation(&self, ended: Option<usize>) -> Result<(), StepError> {
        for monitor in &self.monitors {
            let ends = ended.is_some_and(|step| monitor.ends_with(step));
            if let Some((at, verdict)) = monitor.violated(ends) {
                let line = self.scenario.steps.get(monitor.step).map_or(0, |step| step.line);
                let when = at.map(|at| format!(" at {} ms", self.emitter.ms(at))).unwrap_or_default();
                let message = match (monitor.word(), at) {
                    (word, None) => format!("`{word}` of line {line} had nothing to look at"),
                    ("never", _) => format!("what line {line} says must never be was so{when}"),
                    (_, _) => format!("what line {line} says must hold did not{when}"),
                };
                return Err(StepError::Mismatch { message, mismatches: verdict.mismatches });
            }
        }
        Ok(())
    }

    fn tell(&mut self, at: Instant, effect: Effect) {
        match effect {
            Effect::Object { kind, before, after, deleted } => {
                if kind.kind == "Pod" && !deleted {
                    self.ask_agent(&after);
                }
                let what = if deleted {
                    Some("deleted".to_owned())
                } else if kind.kind == "Event" {
                    None
                } else {
                    describe_change(&kind, before.as_deref(), &after)
                };
                if let Some(what) = what.filter(|_| kind.kind != "Event") {
                    let (namespace, name) = crate::observe::key(&after);
                    let slash = if namespace.is_empty() { "" } else { "/" };
                    let change = Change {
                        at_ms: self.emitter.ms(at),
                        object: format!("{}/{namespace}{slash}{name}", kind.kind),
                        version: after["metadata"]["resourceVersion"].as_str().unwrap_or("").to_owned(),
                        what,
                    };
                    self.emitter.emit_at(at, EventKind::Changed { change });
                }
            }
            Effect::Gap { kind, reason } => {
                self.emitter.emit_at(at, EventKind::Gap { watched: kind.kind, reason });
            }
            Effect::Lost { kind, cause } => {
                let text = format!("the watch on {} is down: {cause}", kind.kind);
                self.last_api_error = Some((at, text.clone()));
                self.emitter.emit_at(at, EventKind::Warning { text });
            }
            Effect::Resumed { kind } => {
                let text = format!("the watch on {} is back", kind.kind);
                self.emitter.emit_at(at, EventKind::Warning { text });
            }
        }
    }

    /// Asks an agent what it runs, once for each run of its process.
    fn ask_agent(&mut self, pod: &Value) {
        if !cilium::components::AGENT.selects(|label| pod["metadata"]["labels"][label].as_str()) {
            return;
        }
        let facts = PodFacts::read(pod);
        if !facts.ready || !facts.is_live() || !self.asked.insert(facts.incarnation()) {
            return;
        }
        let (cluster, sender) = (self.cluster.clone(), self.sender.clone());
        self.tasks.retain(|task| !task.is_finished());
        self.tasks.push(tokio::spawn(async move {
            let answer = probe::ask(&*cluster, &facts).await;
            drop(sender.send(Message::Agent(answer)));
        }));
    }

    /// The last error of the API or of a watch, with how long ago.
    pub(crate) fn last_api_error(&self) -> Option<String> {
        let (at, text) = self.last_api_error.as_ref()?;
        Some(format!("{text} (at {} ms)", self.emitter.ms(*at)))
    }

    /// Stops watching.
    pub(crate) fn close(&mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}

/// What a session needs beside the scenario and the cluster.
pub(crate) struct Setup {
    pub(crate) version: semver::Version,
    pub(crate) values: Map<String, Value>,
    pub(crate) run: String,
    pub(crate) emitter: Emitter,
    pub(crate) scale: f64,
    /// Kinds that CEL checks and patches name.
    pub(crate) extra_kinds: Vec<KindName>,
    /// CEL expressions.
    pub(crate) expressions: Vec<String>,
}
