//! A recording judged again: the engine's own checks, over what a run took in, without a cluster and without a clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use events::{ClusterKind, Mismatch, StepOutcome};
use scenario::Scenario;
use scenario::model::{Action, Expect, PodSet, Span, Timing};
use semver::Version;
use tokio::time::Instant;

use crate::check::{Context, Looked, Pair, Ping, Programs, Verdict, evaluate_counting};
use crate::monitor::Monitor;
use crate::observe::{History, KindName, ObjectChange, Observation};
use crate::recording::{Entry, FORMAT, What};
use crate::world::{AgentFacts, PodFacts, Silence, World};

/// Why a recording cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The first line is not the head of a recording.
    #[error("line 1 is not the head of a recording")]
    NoHead,
    /// A newer version of this tool wrote it.
    #[error("the recording has format {0}, this version reads up to {FORMAT}: use a newer version")]
    Newer(u32),
    /// A line that is none.
    #[error("line {line} cannot be read: {why}")]
    Line {
        /// From 1.
        line: usize,
        /// Why.
        why: String,
    },
    /// It is of another scenario.
    #[error("the recording is of scenario {found}, not of {wanted}")]
    Other {
        /// In the recording.
        found: String,
        /// In the scenario.
        wanted: String,
    },
    /// The scenario has a condition that does not compile.
    #[error("the CEL expression `{expression}` does not compile: {why}")]
    Cel {
        /// The expression.
        expression: String,
        /// The compiler's text.
        why: String,
    },
}

/// What came of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// Cilium's version then.
    pub cilium: Version,
    /// The kind of cluster then.
    pub cluster: ClusterKind,
    /// How many lines were taken in.
    pub entries: usize,
    /// Every step that was begun.
    pub steps: Vec<ReplayedStep>,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayedStep {
    /// From 0.
    pub index: usize,
    /// When it began, by the run's clock.
    pub began_ms: u64,
    /// When it ended; none where the recording ends before it.
    pub ended_ms: Option<u64>,
    /// How it ended then.
    pub recorded: Option<StepOutcome>,
    /// What its checks say now; none where it has none.
    pub judgement: Option<Judgement>,
}

/// What checks say.
#[derive(Debug, Clone, PartialEq)]
pub enum Judgement {
    /// It was as it must be.
    Held {
        /// Since when, or until when, by the run's clock.
        at_ms: u64,
        /// How many objects were looked at.
        subjects: usize,
    },
    /// It was not.
    Broken {
        /// When that was seen.
        at_ms: u64,
        /// Expected and observed.
        mismatches: Vec<Mismatch>,
    },
}

impl ReplayedStep {
    /// Whether what was judged now is what was judged then. A step that ended early by a check of another one says nothing.
    pub fn agrees(&self) -> bool {
        match (&self.judgement, self.recorded) {
            (Some(Judgement::Held { .. }), Some(outcome)) => outcome == StepOutcome::Passed,
            (Some(Judgement::Broken { .. }), Some(outcome)) => outcome == StepOutcome::Failed,
            (None, _) | (_, None) => true,
        }
    }
}

/// Judges a recording, one JSON line an entry. A last line that was cut off is left out.
///
/// # Errors
/// A recording of another scenario or of a newer version, a line that is none.
pub fn replay(scenario: &Arc<Scenario>, text: &str) -> Result<Replay, ReplayError> {
    let lines: Vec<&str> = text.lines().collect();
    let mut entries = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        match serde_json::from_str::<Entry>(line) {
            Ok(entry) => entries.push(entry),
            Err(_) if index + 1 == lines.len() && index > 0 && !text.ends_with('\n') => {}
            Err(error) => return Err(ReplayError::Line { line: index + 1, why: error.to_string() }),
        }
    }
    let (cilium, cluster) = match entries.first().map(|entry| &entry.what) {
        Some(What::Recording { format, .. }) if *format > FORMAT => return Err(ReplayError::Newer(*format)),
        Some(What::Recording { scenario: found, cilium, cluster, .. }) => {
            if *found != scenario.name {
                return Err(ReplayError::Other { found: found.clone(), wanted: scenario.name.clone() });
            }
            let why = |error: semver::Error| ReplayError::Line { line: 1, why: error.to_string() };
            (cilium.parse::<Version>().map_err(why)?, *cluster)
        }
        _ => return Err(ReplayError::NoHead),
    };
    let mut player = Player::new(scenario.clone(), cilium.clone())?;
    for entry in &entries[1..] {
        player.take(entry);
    }
    Ok(Replay { cilium, cluster, entries: entries.len(), steps: player.steps })
}

/// A check under way.
struct Judging {
    expect: Expect,
    /// Since when it holds without a gap, or the moment where it was decided.
    held: Option<(u64, usize)>,
    broken: Option<(u64, Vec<Mismatch>)>,
    last: Verdict,
    looked: Looked,
}

impl Judging {
    fn new(expect: &Expect) -> Self {
        let last = Verdict::nothing("the checks");
        Self { expect: expect.clone(), held: None, broken: None, last, looked: Looked::default() }
    }

    fn look(&mut self, at_ms: u64, context: &Context<'_>, stale: bool) {
        if self.broken.is_some() {
            return;
        }
        let verdict = evaluate_counting(&self.expect.checks, context, &mut self.looked);
        let holds = verdict.held && !stale;
        match self.expect.timing {
            // What a wait looks for is there once it was there.
            Timing::Eventually if holds => self.held = self.held.or(Some((at_ms, verdict.subjects))),
            Timing::Eventually => {}
            Timing::Holds(_) if holds => self.held = self.held.or(Some((at_ms, verdict.subjects))),
            Timing::Holds(_) if self.held.is_some() && !verdict.held => {
                self.broken = Some((at_ms, verdict.mismatches.clone()))
            }
            Timing::Holds(_) => {}
            Timing::Never(_) if verdict.held => self.broken = Some((at_ms, verdict.clone().against().mismatches)),
            Timing::Never(_) => self.held = self.looked.subjects().map(|subjects| (at_ms, subjects)),
        }
        self.last = verdict;
    }

    fn end(self, at_ms: u64) -> Judgement {
        match (self.broken, self.held) {
            (Some((at_ms, mismatches)), _) => Judgement::Broken { at_ms, mismatches },
            (None, Some((at_ms, subjects))) => Judgement::Held { at_ms, subjects },
            (None, None) => Judgement::Broken { at_ms, mismatches: self.last.mismatches },
        }
    }
}

struct Player {
    scenario: Arc<Scenario>,
    programs: Programs,
    origin: Instant,
    world: World,
    history: History,
    labels: BTreeMap<String, Arc<World>>,
    rollouts: BTreeMap<PodSet, Arc<Vec<Arc<PodFacts>>>>,
    pings: BTreeMap<Pair, Ping>,
    roles: Vec<(scenario::model::NodeRef, String)>,
    monitors: Vec<Monitor>,
    judging: Option<Judging>,
    steps: Vec<ReplayedStep>,
}

impl Player {
    fn new(scenario: Arc<Scenario>, version: Version) -> Result<Self, ReplayError> {
        let mut programs = Programs::default();
        for step in &scenario.steps {
            let Action::Expect(expect) = &step.action else { continue };
            for check in &expect.checks {
                if let scenario::model::Check::Cel { expression, .. } = check {
                    programs.add(expression).map_err(|why| ReplayError::Cel { expression: expression.clone(), why })?;
                }
            }
        }
        Ok(Self {
            scenario,
            programs,
            origin: Instant::now(),
            world: World { cilium_version: Some(version), ..World::default() },
            history: History::default(),
            labels: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            pings: BTreeMap::new(),
            roles: Vec::new(),
            monitors: Vec::new(),
            judging: None,
            steps: Vec::new(),
        })
    }

    fn take(&mut self, entry: &Entry) {
        let at_ms = entry.at_ms;
        let at = self.origin + Duration::from_millis(at_ms);
        match &entry.what {
            What::Applied { api_version, kind, object } => {
                self.observed(at, api_version, kind, ObjectChange::Applied(object.clone()));
            }
            What::Deleted { api_version, kind, object } => {
                self.observed(at, api_version, kind, ObjectChange::Deleted(object.clone()));
            }
            What::Listed { api_version, kind, objects, gap } => {
                self.observed(
                    at,
                    api_version,
                    kind,
                    ObjectChange::Listed { objects: objects.clone(), gap: gap.clone() },
                );
            }
            What::Lost { api_version, kind, cause } => {
                self.observed(at, api_version, kind, ObjectChange::Lost { cause: cause.clone() });
            }
            What::Resumed { api_version, kind } => self.observed(at, api_version, kind, ObjectChange::Resumed),
            What::Undefined { api_version, kind } => self.observed(at, api_version, kind, ObjectChange::Undefined),
            What::Agent { incarnation, node, pod_uid, ipam, pod_cidrs } => {
                self.world.silent.remove(incarnation);
                let facts = AgentFacts {
                    node: node.clone(),
                    pod_uid: pod_uid.clone(),
                    ipam: ipam.clone(),
                    pod_cidrs: pod_cidrs.clone(),
                };
                self.world.agents.insert(incarnation.clone(), Arc::new(facts));
            }
            What::Silent { incarnation, cause, asked } => {
                let silence = Silence { cause: cause.clone(), asked: *asked };
                self.world.silent.insert(incarnation.clone(), Arc::new(silence));
            }
            What::Ping { namespace, pod, ip, answered, cause } => {
                let ping = match answered {
                    Some(true) => Ping::Answered,
                    Some(false) => Ping::Unanswered,
                    None => Ping::Untried(cause.clone().unwrap_or_default()),
                };
                self.pings.insert((namespace.clone(), pod.clone(), *ip), ping);
            }
            What::Rollout { of, uids } => self.rollout(of, uids.as_deref()),
            What::Label { name } => {
                if name == crate::START {
                    self.roles = self.world.roles();
                }
                self.labels.insert(name.clone(), Arc::new(self.world.clone()));
            }
            What::StepStarted { index } => self.begin(*index, at_ms),
            What::StepEnded { index, outcome } => self.end(*index, *outcome, at_ms),
            What::Recording { .. } | What::Unknown => return,
        }
        if !matches!(entry.what, What::StepEnded { .. }) {
            self.look(at, at_ms);
        }
    }

    fn observed(&mut self, at: Instant, api_version: &str, kind: &str, change: ObjectChange) {
        let kind = KindName::new(api_version, kind);
        drop(self.world.apply(Observation { at, kind, change }, &mut self.history));
    }

    fn rollout(&mut self, of: &str, uids: Option<&[String]>) {
        let set = match of {
            "coredns" => PodSet::CoreDns,
            "hubble-relay" => PodSet::HubbleRelay,
            name => PodSet::Workload(name.to_owned()),
        };
        match uids {
            None => drop(self.rollouts.remove(&set)),
            Some(uids) => {
                let pods = self.world.pods.values().filter(|pod| uids.contains(&pod.uid)).cloned().collect();
                self.rollouts.insert(set, Arc::new(pods));
            }
        }
    }

    fn look(&mut self, at: Instant, at_ms: u64) {
        let mut monitors = std::mem::take(&mut self.monitors);
        let mut judging = self.judging.take();
        let context = Context {
            world: &self.world,
            labels: &self.labels,
            rollouts: &self.rollouts,
            scenario: &self.scenario,
            programs: &self.programs,
            pings: &self.pings,
            roles: &self.roles,
        };
        for monitor in &mut monitors {
            monitor.look(at, &context);
        }
        if let Some(judging) = &mut judging {
            let kinds: Vec<KindName> = judging.expect.checks.iter().flat_map(crate::check::kinds).collect();
            judging.look(at_ms, &context, self.world.stale(&kinds).is_some());
        }
        self.monitors = monitors;
        self.judging = judging;
    }

    fn begin(&mut self, index: usize, began_ms: u64) {
        self.steps.push(ReplayedStep { index, began_ms, ended_ms: None, recorded: None, judgement: None });
        if let Some(Action::Expect(expect)) = self.scenario.steps.get(index).map(|step| &step.action) {
            match Monitor::new(index, expect) {
                Some(monitor) => self.monitors.push(monitor),
                None => self.judging = Some(Judging::new(expect)),
            }
        }
    }

    fn end(&mut self, index: usize, outcome: StepOutcome, at_ms: u64) {
        let mut judgement = self.judging.take().map(|judging| judging.end(at_ms));
        // A check that goes on ends the step in which it breaks.
        for monitor in &self.monitors {
            if let Some((_, verdict)) = monitor.violated(monitor.ends_with(index)) {
                judgement = Some(Judgement::Broken { at_ms, mismatches: verdict.mismatches });
            }
        }
        let watched = matches!(
            self.scenario.steps.get(index).map(|step| &step.action),
            Some(Action::Expect(Expect {
                timing: Timing::Holds(Span::Steps(_) | Span::Rest) | Timing::Never(Span::Steps(_) | Span::Rest),
                ..
            }))
        );
        if watched && judgement.is_none() {
            judgement = Some(Judgement::Held { at_ms, subjects: 0 });
        }
        self.monitors.retain(|monitor| !monitor.ends_with(index));
        if let Some(step) = self.steps.last_mut().filter(|step| step.index == index) {
            (step.ended_ms, step.recorded, step.judgement) = (Some(at_ms), Some(outcome), judgement);
        }
    }
}
