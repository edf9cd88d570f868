//! A run: scenarios one after another, each with its own cluster.

use std::sync::Arc;
use std::time::Duration;

use camino::Utf8PathBuf;
use cluster::{Cluster, Leftovers, Progress, Provider};
use events::{EventKind, Failure, Kept, Outcome, Phase, StepOutcome, Tally};
use scenario::model::Check;
use tokio::time::Instant;

use crate::action;
use crate::emit::Emitter;
use crate::evidence;
use crate::failure::{Circumstances, StepError, describe};
use crate::known::{Known, Xpass};
use crate::observe::{History, KindName};
use crate::plan::Plan;
use crate::recording::{self, What};
use crate::session::{Level, Session, Setup};
use crate::state::{self, Marks};
use crate::stop::{Stop, StopLevel};

/// When a cluster stays after its scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// Never.
    #[default]
    Never,
    /// When the scenario did not pass.
    OnFailure,
    /// Always.
    Always,
}

/// What a run needs to know.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The run's id.
    pub run: String,
    /// Its folder; each scenario gets one in it.
    pub dir: Utf8PathBuf,
    /// When clusters stay.
    pub keep: Keep,
    /// Stop after the first scenario that did not pass.
    pub fail_fast: bool,
    /// Stretches every deadline.
    pub timeout_scale: f64,
    /// Version of this tool.
    pub tool: String,
    /// Why this kind of cluster was taken.
    pub why: String,
    /// Cilium's version.
    pub cilium: semver::Version,
    /// The order of everything that real life leaves open, on `sim`.
    pub seed: Option<u64>,
    /// A sentence that every report must carry.
    pub notice: Option<String>,
    /// Whether each step waits at its end until the cluster has settled, so that the states told then can be compared between
    /// clusters. A run that only judges needs no such wait.
    pub settle: bool,
    /// Whether a scenario that passes although a known bug should make it fail is told only, and does not fail the run.
    pub defer_xpass: bool,
    /// Whether everything that was seen is kept, also where a scenario passes.
    pub record: bool,
    /// Whether the model of Cilium's IPAM runs beside each scenario. On `sim` it would be compared with itself.
    pub model: bool,
}

/// How long installing Cilium may take, image pulls included.
const INSTALL: Duration = Duration::from_secs(600);
/// How long a cluster may take to settle after a step; then its state is told as one between two states.
const SETTLE: Duration = Duration::from_secs(240);

/// Carries out the plans. The exit code in the last event is given by `exit_code`.
pub async fn run(
    plans: &[Plan],
    provider: &dyn Provider,
    options: &RunOptions,
    emitter: &Emitter,
    stop: &Stop,
    exit_code: impl Fn(&Tally) -> u8,
) -> u8 {
    let began = Instant::now();
    emitter.emit(EventKind::RunStarted {
        format: events::FORMAT,
        run: options.run.clone(),
        tool: options.tool.clone(),
        cluster: provider.kind(),
        why: options.why.clone(),
        cilium: options.cilium.to_string(),
        scenarios: plans.iter().map(|plan| plan.scenario.name.clone()).collect(),
        seed: options.seed,
        notice: options.notice.clone(),
    });
    let mut tally = Tally::default();
    let mut failed = false;
    for plan in plans {
        let emitter = emitter.scenario(&plan.scenario.name);
        let reason = if let Some(skip) = &plan.skip {
            Some((Outcome::Skipped, skip.clone()))
        } else if stop.level() > StopLevel::Run {
            Some((Outcome::Interrupted, "the run was stopped before it began".to_owned()))
        } else if failed && options.fail_fast {
            Some((Outcome::Skipped, "an earlier scenario did not pass (--fail-fast)".to_owned()))
        } else {
            None
        };
        if let Some((outcome, reason)) = reason {
            started(plan, &emitter);
            emitter.emit(EventKind::ScenarioEnded { outcome, took_ms: 0, reason: Some(reason), kept: None });
            tally.add(outcome);
            continue;
        }
        let outcome = Box::pin(scenario(plan, provider, options, &emitter, stop)).await;
        failed |= !outcome.is_good();
        tally.add(outcome);
    }
    let code = exit_code(&tally);
    emitter.emit(EventKind::RunEnded { tally, exit_code: code, took_ms: ms(began.elapsed()) });
    code
}

fn started(plan: &Plan, emitter: &Emitter) {
    emitter.emit(EventKind::ScenarioStarted {
        file: plan.scenario.source.path.to_string(),
        summary: plan.scenario.summary.clone(),
        references: plan.scenario.references.clone(),
        steps: plan.events(),
    });
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What a provider says while it works becomes events.
struct Told(Emitter);

impl Progress for Told {
    fn now(&self, what: &str) {
        self.0.emit(EventKind::Waiting { what: "the cluster".to_owned(), last: what.to_owned() });
    }

    fn warn(&self, what: &str) {
        self.0.emit(EventKind::Warning { text: what.to_owned() });
    }
}

/// Tells when a phase begins and ends.
struct PhaseTimer<'a> {
    emitter: &'a Emitter,
    phase: Phase,
    began: Instant,
}

impl<'a> PhaseTimer<'a> {
    fn start(emitter: &'a Emitter, phase: Phase) -> Self {
        emitter.emit(EventKind::PhaseStarted { phase });
        Self { emitter, phase, began: Instant::now() }
    }

    /// Here, where the end is not that of the scope.
    fn end(self) {
        drop(self);
    }
}

impl Drop for PhaseTimer<'_> {
    fn drop(&mut self) {
        self.emitter.emit(EventKind::PhaseEnded { phase: self.phase, took_ms: ms(self.began.elapsed()) });
    }
}

async fn scenario(
    plan: &Plan,
    provider: &dyn Provider,
    options: &RunOptions,
    emitter: &Emitter,
    stop: &Stop,
) -> Outcome {
    let began = Instant::now();
    started(plan, emitter);
    let dir = options.dir.join(&plan.scenario.name);
    let mut life = Life { plan, options, emitter, stop, dir, cluster: None, session: None, step: None };
    let known = Known::new(plan);
    let (outcome, reason) = match life.live(provider).await {
        Ok(()) => match known.passed(options.defer_xpass) {
            None => (Outcome::Passed, None),
            Some(Xpass::Tolerated(why)) => (Outcome::Tolerated, Some(why)),
            Some(Xpass::Red { failure, reason }) => {
                emitter.emit(EventKind::Failed { failure: Failure { next: life.again(), ..*failure } });
                life.collect().await;
                (Outcome::Xpassed, Some(reason))
            }
        },
        Err(error) => {
            let mut failure = life.failure(&life.judged(error));
            let why = known.failed(&mut failure);
            let outcome = failure.outcome();
            emitter.emit(EventKind::Failed { failure });
            life.collect().await;
            (outcome, why.or_else(|| (outcome == Outcome::Interrupted).then(|| "stopped by the user".to_owned())))
        }
    };
    if options.record || outcome != Outcome::Passed {
        life.record();
    }
    let kept = life.remove(outcome).await;
    emitter.emit(EventKind::ScenarioEnded { outcome, took_ms: ms(began.elapsed()), reason, kept });
    outcome
}

/// One scenario from its cluster's creation to its removal.
struct Life<'a> {
    plan: &'a Plan,
    options: &'a RunOptions,
    emitter: &'a Emitter,
    stop: &'a Stop,
    dir: Utf8PathBuf,
    cluster: Option<Arc<dyn Cluster>>,
    session: Option<Session>,
    step: Option<usize>,
}

impl Life<'_> {
    async fn live(&mut self, provider: &dyn Provider) -> Result<(), StepError> {
        private_dir(&self.dir)?;
        let scale = self.options.timeout_scale;
        let stop = self.stop.clone();

        let phase = PhaseTimer::start(self.emitter, Phase::Create);
        let plan = self.plan;
        let spec = crate::recipe::cluster(&plan.scenario, &plan.version, &self.options.run, self.dir.clone(), scale);
        let cluster = tokio::select! {
            biased;
            () = stop.at_least(StopLevel::Stop) => return Err(StepError::Interrupted),
            cluster = provider.create(&spec, Arc::new(Told(self.emitter.clone()))) => cluster?,
        };
        phase.end();
        self.cluster = Some(cluster.clone());

        let phase = PhaseTimer::start(self.emitter, Phase::Install);
        let mut session = Session::new(self.plan.scenario.clone(), cluster, self.setup());
        let outcome = tokio::select! {
            biased;
            () = stop.at_least(StopLevel::Stop) => Err(StepError::Interrupted),
            done = async {
                let deadline = Instant::now() + INSTALL.mul_f64(scale);
                action::install(&mut session, deadline).await?;
                action::ready(&mut session, deadline).await
            } => done,
        };
        self.session = Some(session);
        outcome?;
        phase.end();

        let phase = PhaseTimer::start(self.emitter, Phase::Steps);
        let outcome = self.steps().await;
        if let Some(session) = &self.session {
            session.tell_model();
        }
        phase.end();
        outcome
    }

    async fn steps(&mut self) -> Result<(), StepError> {
        let Some(session) = self.session.as_mut() else { return Ok(()) };
        session.drain()?;
        session.label(crate::START);
        let mut marks = Marks::default();
        tell_state(session, None, &mut marks, self.options, self.stop).await?;
        session.compare_model(None);
        for (index, (step, planned)) in self.plan.scenario.steps.iter().zip(&self.plan.steps).enumerate() {
            if let Some(why) = &planned.skip {
                self.emitter.emit(EventKind::StepEnded {
                    index,
                    outcome: StepOutcome::Skipped,
                    took_ms: 0,
                    subjects: None,
                    detail: why.clone(),
                });
                // It has ended as well, for the checks that go on until then and for its name.
                session.end_monitors(index).await?;
                if let Some(name) = &step.name {
                    session.label(name);
                }
                continue;
            }
            self.step = Some(index);
            let began = Instant::now();
            self.emitter.emit(EventKind::StepStarted { index });
            session.drain()?;
            session.recorder.note(Instant::now(), What::StepStarted { index });
            let result = tokio::select! {
                biased;
                () = self.stop.at_least(StopLevel::Stop) => Err(StepError::Interrupted),
                done = async {
                    let done = action::carry_out(session, index, step, began, began + planned.within).await?;
                    session.end_monitors(index).await?;
                    Ok(done)
                } => done,
            };
            let took_ms = ms(began.elapsed());
            let outcome = if result.is_ok() { StepOutcome::Passed } else { StepOutcome::Failed };
            session.recorder.note(Instant::now(), What::StepEnded { index, outcome });
            match result {
                Ok(done) => self.emitter.emit(EventKind::StepEnded {
                    index,
                    outcome: StepOutcome::Passed,
                    took_ms,
                    subjects: done.subjects,
                    detail: done.detail,
                }),
                Err(error) => {
                    self.emitter.emit(EventKind::StepEnded {
                        index,
                        outcome: StepOutcome::Failed,
                        took_ms,
                        subjects: None,
                        detail: error.to_string(),
                    });
                    return Err(error);
                }
            }
            if let Some(name) = &step.name {
                session.label(name);
            }
            tell_state(session, Some(index), &mut marks, self.options, self.stop).await?;
            session.compare_model(Some(index));
        }
        tokio::select! {
            biased;
            () = self.stop.at_least(StopLevel::Stop) => return Err(StepError::Interrupted),
            judged = async {
                session.end_model(self.options.timeout_scale).await?;
                session.end_invariants().await
            } => judged?,
        }
        // What was to hold until the end has done so, if there was anything to look at.
        session.end_monitors(usize::MAX).await
    }

    fn setup(&self) -> Setup {
        let mut extra_kinds = Vec::new();
        let mut expressions = Vec::new();
        for step in &self.plan.scenario.steps {
            if let scenario::model::Action::Expect(expect) = &step.action {
                for check in &expect.checks {
                    if let Check::Cel { api_version, kind, expression, .. } = check {
                        extra_kinds.push(KindName::new(api_version, kind));
                        expressions.push(expression.clone());
                    }
                }
            }
        }
        Setup {
            version: self.plan.version.clone(),
            values: action::values(&self.plan.scenario),
            run: self.options.run.clone(),
            emitter: self.emitter.clone(),
            model: self.options.model,
            extra_kinds,
            expressions,
        }
    }

    /// What is not as expected on nodes that are out of order is theirs, not Cilium's.
    fn judged(&self, error: StepError) -> StepError {
        match (error, self.session.as_ref().and_then(Session::node_out_of_order)) {
            (StepError::Mismatch { message, mismatches }, Some(fault)) => StepError::Infrastructure {
                message: format!("{message} ({} {})", fault.object, fault.observed),
                mismatches: std::iter::once(fault).chain(mismatches).collect(),
            },
            (error, _) => error,
        }
    }

    fn failure(&self, error: &StepError) -> Failure {
        let empty = History::default();
        let scenario = &self.plan.scenario;
        let line = self.step.and_then(|index| scenario.steps.get(index)).map(|step| step.line);
        let error_of = |session: &Session| session.last_api_error();
        describe(
            error,
            Circumstances {
                step: self.step,
                location: line.map(|line| format!("{}:{line}", scenario.source.path)),
                history: self.session.as_ref().map_or(&empty, |session| &session.history),
                ms: &|at| self.emitter.ms(at),
                last_api_error: self.session.as_ref().and_then(error_of),
                next: self.next(error),
            },
        )
    }

    /// The command that does the same once more, and leaves the cluster.
    fn again(&self) -> Vec<String> {
        let (name, version) = (&self.plan.scenario.name, &self.plan.version);
        let kind = self.cluster.as_ref().map_or("kind", |cluster| cluster.kind().as_str());
        let seed = self.options.seed.map(|seed| format!(" --seed {seed}")).unwrap_or_default();
        vec![format!("cargo xtask e2e {name} --cluster {kind} --cilium {version}{seed} --keep on-failure")]
    }

    /// Commands to look further.
    fn next(&self, error: &StepError) -> Vec<String> {
        let mut next = Vec::new();
        let kubeconfig = self.cluster.as_ref().and_then(|cluster| cluster.kubeconfig()).map(ToString::to_string);
        let stays = matches!(self.options.keep, Keep::Always | Keep::OnFailure);
        if let (true, Some(kubeconfig)) = (stays, &kubeconfig) {
            next.push(format!("export KUBECONFIG={kubeconfig}"));
            next.push(
                "kubectl get ciliumnodes -o custom-columns=NODE:.metadata.name,PODCIDRS:.spec.ipam.podCIDRs,STATUS:.status.ipam.operator-status"
                    .to_owned(),
            );
        } else if self.cluster.is_some() {
            next.extend(self.again());
        } else {
            next.push("cargo xtask doctor".to_owned());
        }
        if error.class() == events::FailureClass::Product && self.session.is_some() {
            next.push(format!("less {}/history/CiliumNode.ndjson", self.dir));
        }
        next
    }

    /// Collects evidence, unless the user asked to clean up only.
    async fn collect(&mut self) {
        let Some(session) = self.session.as_mut() else { return };
        if self.stop.level() >= StopLevel::CleanUp {
            return;
        }
        let phase = PhaseTimer::start(self.emitter, Phase::Evidence);
        let collected = tokio::select! {
            biased;
            () = self.stop.at_least(StopLevel::CleanUp) => None,
            collected = evidence::collect(session, &self.dir) => Some(collected),
        };
        if let Some(collected) = collected {
            self.emitter.emit(EventKind::Evidence {
                dir: self.dir.to_string(),
                files: collected.files,
                missing: collected.missing,
            });
        }
        phase.end();
    }

    /// Keeps everything that was seen, so that it can be judged again.
    fn record(&self) {
        let (Some(session), Some(cluster)) = (&self.session, &self.cluster) else { return };
        let head = What::Recording {
            format: recording::FORMAT,
            scenario: self.plan.scenario.name.clone(),
            cilium: self.plan.version.to_string(),
            cluster: cluster.kind(),
        };
        let lines = session.recorder.lines(head, &|at| self.emitter.ms(at));
        if let Err(error) = evidence::write_private(&self.dir, recording::FILE_NAME, &lines) {
            self.emitter.emit(EventKind::Warning { text: format!("{}/{}: {error}", self.dir, recording::FILE_NAME) });
        }
    }

    /// Removes the cluster, unless it is to stay; answers what stays.
    async fn remove(&mut self, outcome: Outcome) -> Option<Kept> {
        if let Some(session) = self.session.as_mut() {
            session.close();
        }
        let cluster = self.cluster.take()?;
        let keep = match self.options.keep {
            Keep::Always => true,
            Keep::OnFailure => !outcome.is_good() && outcome != Outcome::Interrupted,
            Keep::Never => false,
        };
        if keep {
            if let Err(error) = cluster.keep("--keep").await {
                self.emitter.emit(EventKind::Warning { text: error.to_string() });
            }
            return Some(kept(&*cluster, "--keep".to_owned()));
        }
        let phase = PhaseTimer::start(self.emitter, Phase::Remove);
        let removed = tokio::select! {
            biased;
            () = self.stop.at_least(StopLevel::Leave) => Err("stopped by the user before it was removed".to_owned()),
            removed = cluster.destroy() => removed.map_err(|error| error.to_string()),
        };
        phase.end();
        removed.err().map(|why| {
            self.emitter.emit(EventKind::Warning { text: why.clone() });
            kept(&*cluster, why)
        })
    }
}

/// Tells the cluster's state, once it has settled where that is asked for.
async fn tell_state(
    session: &mut Session,
    step: Option<usize>,
    marks: &mut Marks,
    options: &RunOptions,
    stop: &Stop,
) -> Result<(), StepError> {
    if !state::is_told(&session.world) {
        return Ok(());
    }
    if options.settle {
        let deadline = Instant::now() + SETTLE.mul_f64(options.timeout_scale);
        let kinds = state::kinds();
        let settled = tokio::select! {
            biased;
            () = stop.at_least(StopLevel::Stop) => return Err(StepError::Interrupted),
            settled = session.until(deadline, "the cluster to settle", &kinds, |session| {
                match session.moment().unsettled(Instant::now()) {
                    None => Level::Done(()),
                    Some((last, wake)) => Level::NotYet { last, wake },
                }
            }) => settled,
        };
        // One that does not settle is told as it is; only a check that goes on may end the scenario here.
        if settled.is_err() {
            session.violation(None)?;
        }
    }
    let moment = session.moment();
    let unsettled = moment.unsettled(Instant::now()).map(|(why, _)| why);
    let state = moment.state(marks, unsettled);
    *marks = Marks::of(&session.history);
    session.emitter.emit(EventKind::State { step, state });
    Ok(())
}

fn kept(cluster: &dyn Cluster, reason: String) -> Kept {
    let remove = match cluster.leftovers() {
        Leftovers::Remaining { remove, .. } | Leftovers::Unknown { remove } => remove,
        Leftovers::Clear => "cargo xtask clean".to_owned(),
    };
    Kept {
        cluster: cluster.name().to_owned(),
        kubeconfig: cluster.kubeconfig().map(ToString::to_string),
        remove,
        reason,
    }
}

/// Makes a folder that only its owner can read.
fn private_dir(dir: &Utf8PathBuf) -> Result<(), StepError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| StepError::Infrastructure {
        message: format!("create folder {dir}: {error}"),
        mismatches: Vec::new(),
    })
}
