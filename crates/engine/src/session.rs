//! A scenario's life on one cluster: the one owner of what is known about it.

mod invariants;
mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cluster::{Cluster, ClusterError};
use events::{Change, EventKind, Mismatch};
use scenario::Scenario;
use scenario::model::{NodeRef, PodSet};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::api;
use crate::check::{Context, Pair, Ping, Programs};
use crate::emit::Emitter;
use crate::failure::StepError;
use crate::invariant::Invariants;
use crate::model::Beside;
use crate::monitor::Monitor;
use crate::observe::{History, KindName, Observation, Watched, describe_change, spawn, standard};
use crate::probe::{self, Answer};
use crate::recording::{Recorder, What};
use crate::state::Moment;
use crate::world::{Effect, PodFacts, Silence, World};

/// How long a watch may be down at the end of a check that goes on.
pub(crate) const BACK_AGAIN: Duration = Duration::from_secs(60);
/// When an agent that did not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

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
    pub(crate) pings: BTreeMap<Pair, Ping>,
    pub(crate) monitors: Vec<Monitor>,
    /// What must be so at every moment.
    pub(crate) invariants: Invariants,
    /// The model beside the run, where that says anything.
    pub(crate) model: Option<Beside>,
    /// Helm values in force.
    pub(crate) values: Map<String, Value>,
    /// Names of nodes that a step took out.
    pub(crate) removed: BTreeMap<NodeRef, String>,
    /// `cilium-config` as a backup step kept it.
    pub(crate) backup: Option<BTreeMap<String, String>>,
    /// The run's id.
    pub(crate) run: String,
    pub(crate) emitter: Emitter,
    pub(crate) recorder: Recorder,
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
    /// Reached, as last seen. While a watch that it depends on is down, that does not count yet.
    Done(T),
    /// Decided by what was seen, whatever is missing: a state that must never be was there.
    Final(T),
    /// Not reached. `last` is what a reader sees; `wake` a moment at which to look again although nothing changed.
    NotYet { last: String, wake: Option<Instant> },
}

impl<T> Level<T> {
    /// Not reached; look again when something changes.
    pub(crate) fn not_yet(last: impl Into<String>) -> Self {
        Self::NotYet { last: last.into(), wake: None }
    }
}

/// How often a wait looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Once everything that has arrived is taken in.
    Arrived,
    /// After every single observation.
    Single,
}

impl Session {
    /// Begins to watch.
    pub(crate) fn new(scenario: Arc<Scenario>, cluster: Arc<dyn Cluster>, setup: Setup) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let client = cluster.client();
        let mut programs = Programs::default();
        let mut watched = standard();
        for kind in setup.extra_kinds {
            // One watch a kind: where a single object was to be watched, all of its kind are.
            match watched.iter_mut().find(|w| w.kind == kind) {
                Some(known) => (known.namespace, known.fields) = (None, None),
                None => watched.push(Watched::extra(kind)),
            }
        }
        for expression in &setup.expressions {
            // The plan has compiled it before.
            drop(programs.add(expression));
        }
        let tasks = watched.into_iter().map(|w| spawn(client.clone(), w, sender.clone())).collect();
        let invariants = Invariants::new(&scenario.invariants_off, &setup.version);
        let model = setup.model.then(|| Beside::new(&setup.version));
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
            invariants,
            model,
            values: setup.values,
            removed: BTreeMap::new(),
            backup: None,
            run: setup.run,
            emitter: setup.emitter,
            recorder: Recorder::default(),
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

    /// What a state is made from.
    pub(crate) fn moment(&self) -> Moment<'_> {
        Moment { world: &self.world, history: &self.history, roles: &self.roles, scenario: &self.scenario }
    }

    /// Keeps the world as it is now under a name. `start` also fixes which node has which role.
    pub(crate) fn label(&mut self, label: &str) {
        if label == crate::START {
            self.roles = self.world.roles();
        }
        self.recorder.note(Instant::now(), What::Label { name: label.to_owned() });
        self.labels.insert(label.to_owned(), Arc::new(self.world.clone()));
    }

    /// Keeps the pods that a step rolled out.
    pub(crate) fn rolled_out(&mut self, set: PodSet, pods: Vec<Arc<PodFacts>>) {
        let uids = pods.iter().map(|pod| pod.uid.clone()).collect();
        self.recorder.note(Instant::now(), What::Rollout { of: set.to_string(), uids: Some(uids) });
        self.rollouts.insert(set, Arc::new(pods));
    }

    /// Forgets the pods of a set that is no more.
    pub(crate) fn taken_away(&mut self, set: &PodSet) {
        self.recorder.note(Instant::now(), What::Rollout { of: set.to_string(), uids: None });
        self.rollouts.remove(set);
    }

    /// Keeps what became of a ping.
    pub(crate) fn pinged(&mut self, pair: Pair, ping: Ping) {
        self.recorder.ping(Instant::now(), &pair, &ping);
        self.pings.insert(pair, ping);
    }

    /// The real name of a node.
    pub(crate) fn node(&self, role: NodeRef) -> Result<String, StepError> {
        self.roles.iter().find(|(r, _)| *r == role).map(|(_, name)| name.clone()).ok_or_else(|| {
            let known: Vec<String> = self.roles.iter().map(|(r, _)| r.to_string()).collect();
            StepError::Input { message: format!("no node is called {role}; there are {}", known.join(", ")) }
        })
    }

    /// Waits until `look` says that a state is reached. It is asked once everything that has arrived is taken in. `kinds` are those whose
    /// watches it depends on: while one of them is down, nothing counts as reached; when one is down at the deadline, or the API server does
    /// not answer then, that is the cause, not the last thing seen.
    pub(crate) async fn until<T>(
        &mut self,
        deadline: Instant,
        what: &str,
        kinds: &[KindName],
        look: impl FnMut(&Self) -> Level<T>,
    ) -> Result<T, StepError> {
        self.wait(deadline, what, kinds, Pace::Arrived, look).await
    }

    /// The same for what must not be missed: `look` is asked after every single observation.
    pub(crate) async fn at_each<T>(
        &mut self,
        deadline: Instant,
        what: &str,
        kinds: &[KindName],
        look: impl FnMut(&Self) -> Level<T>,
    ) -> Result<T, StepError> {
        self.wait(deadline, what, kinds, Pace::Single, look).await
    }

    async fn wait<T>(
        &mut self,
        deadline: Instant,
        what: &str,
        kinds: &[KindName],
        pace: Pace,
        mut look: impl FnMut(&Self) -> Level<T>,
    ) -> Result<T, StepError> {
        let began = Instant::now();
        // Messages that had arrived by the deadline: what they say still counts.
        let mut arrived = None;
        loop {
            self.judge_due()?;
            let (last, wake) = match look(self) {
                Level::Final(value) => return Ok(value),
                Level::Done(value) => match self.world.stale(kinds) {
                    None => return Ok(value),
                    Some(why) => (format!("so as last seen, but {why}"), None),
                },
                Level::NotYet { last, wake } => (last, wake),
            };
            if Instant::now() >= deadline {
                let left = arrived.get_or_insert_with(|| self.receiver.len());
                if *left == 0 {
                    return Err(self.timed_out(what, began, &last, kinds).await);
                }
                *left -= 1;
                if let Ok(message) = self.receiver.try_recv() {
                    self.take(message)?;
                }
                continue;
            }
            self.say_waiting(what, &last);
            let wake = [wake, self.invariants.due()].into_iter().flatten().fold(deadline, Instant::min);
            tokio::select! {
                biased;
                message = self.receiver.recv() => {
                    if let Some(message) = message {
                        self.take(message)?;
                    }
                    if pace == Pace::Arrived {
                        self.drain()?;
                    }
                }
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    /// Waits until nothing is missing of what is known about these kinds.
    pub(crate) async fn fresh(&mut self, deadline: Instant, kinds: &[KindName]) -> Result<(), StepError> {
        self.until(deadline, "the watches to be up", kinds, |_| Level::Done(())).await
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

    /// The same for work of the provider, which knows no deadline of the step.
    pub(crate) async fn bounded<T>(
        &mut self,
        deadline: Instant,
        what: &str,
        work: impl Future<Output = Result<T, ClusterError>>,
    ) -> Result<T, StepError> {
        let began = Instant::now();
        match self.during(tokio::time::timeout_at(deadline, work)).await? {
            Ok(done) => Ok(done?),
            Err(_) => {
                let message = format!("{what} was not done within {}", duration(began.elapsed()));
                Err(StepError::Infrastructure { message, mismatches: Vec::new() })
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
    async fn timed_out(&self, what: &str, began: Instant, last: &str, kinds: &[KindName]) -> StepError {
        let waited = duration(began.elapsed());
        let down = match self.world.stale(kinds) {
            Some(why) => Some(why),
            None => api::unanswered(&self.client).await.map(|why| format!("the API server does not answer: {why}")),
        };
        if let Some(why) = down {
            let message = format!("waited {waited} for {what}, but {why}");
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

    /// A pod whose image cannot be had, a node that is out of order, an agent that cannot be asked: then nothing that was waited for
    /// says anything about Cilium.
    pub(crate) fn machine_at_fault(&self) -> Option<Mismatch> {
        let agent = || {
            self.world.agent_pods().into_iter().filter(|(_, pod)| pod.ready).find_map(|(node, pod)| {
                let silence = self.world.silent.get(&pod.incarnation()).filter(|silence| !silence.asked)?;
                Some(Mismatch {
                    object: format!("Agent/{node}"),
                    field: "answer".to_owned(),
                    expected: "what it runs".to_owned(),
                    observed: format!("could not be asked: {}", silence.cause),
                    since_ms: None,
                })
            })
        };
        self.node_out_of_order().or_else(agent)
    }

    /// A pod whose image cannot be had, a node that is short of something: whatever is seen of such a cluster, evicted pods among it, is
    /// not Cilium's doing.
    pub(crate) fn node_out_of_order(&self) -> Option<Mismatch> {
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
        let node = || {
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
        };
        pod.or_else(node)
    }

    fn take(&mut self, message: Message) -> Result<(), StepError> {
        let at = match message {
            Message::Observed(observation) => {
                let at = observation.at;
                self.recorder.observed(&observation);
                let effects = self.world.apply(observation, &mut self.history);
                self.judge_effects(at, &effects);
                for effect in effects {
                    self.tell(at, effect);
                }
                at
            }
            Message::Agent(answer) => {
                self.recorder.answer(Instant::now(), &answer);
                let Answer { incarnation, outcome } = answer;
                match outcome {
                    Ok(facts) => {
                        let node = facts.node.clone();
                        self.world.silent.remove(&incarnation);
                        self.world.agents.insert(incarnation, Arc::new(facts));
                        self.judge_agent(Instant::now(), &node);
                    }
                    Err(silence) => self.ask_again(&incarnation, silence),
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

    /// Ends the checks that go on until the end of this step, not before their watches have told everything that happened.
    pub(crate) async fn end_monitors(&mut self, step: usize) -> Result<(), StepError> {
        self.drain()?;
        let ending = self.monitors.iter().filter(|monitor| monitor.ends_with(step));
        let kinds: Vec<KindName> = ending.flat_map(Monitor::kinds).collect();
        self.fresh(Instant::now() + BACK_AGAIN, &kinds).await?;
        self.violation(Some(step))?;
        self.monitors.retain(|monitor| !monitor.ends_with(step));
        Ok(())
    }

    /// The first violation of a check that goes on, or of an invariant. With `ended`, of checks that end with this step.
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
        self.invariant_holds()
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
        self.ask(facts, Duration::ZERO);
    }

    /// Nothing may ever change about a pod that did not answer: while it is there, it is asked again.
    fn ask_again(&mut self, incarnation: &str, silence: Silence) {
        self.asked.remove(incarnation);
        let pods = self.world.component(&cilium::components::AGENT);
        let Some(pod) = pods.into_iter().find(|pod| pod.is_live() && pod.incarnation() == incarnation) else { return };
        if !silence.asked {
            self.last_api_error = Some((Instant::now(), format!("{}: {}", pod.name, silence.cause)));
        }
        self.world.silent.insert(incarnation.to_owned(), Arc::new(silence));
        if pod.ready {
            self.asked.insert(incarnation.to_owned());
            self.ask((*pod).clone(), ASK_AGAIN);
        }
    }

    fn ask(&mut self, facts: PodFacts, after: Duration) {
        let (cluster, sender) = (self.cluster.clone(), self.sender.clone());
        self.tasks.retain(|task| !task.is_finished());
        self.tasks.push(tokio::spawn(async move {
            tokio::time::sleep(after).await;
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
    /// Whether the model runs beside it.
    pub(crate) model: bool,
    /// Kinds that CEL checks and patches name.
    pub(crate) extra_kinds: Vec<KindName>,
    /// CEL expressions.
    pub(crate) expressions: Vec<String>,
}

/// A stretch of time for people: to the millisecond.
pub(crate) fn duration(span: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests;
