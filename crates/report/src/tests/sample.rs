//! Runs to report on.

use events::{
    Change, ClusterKind, Event, EventKind, FORMAT, Failure, FailureClass, Kept, Mismatch, Outcome, Phase, StepOutcome,
    StepPlan, Tally, exit,
};

/// Writes events with a clock that moves on request.
pub(super) struct Script {
    pub(super) events: Vec<Event>,
    pub(super) at_ms: u64,
    scenario: Option<String>,
    started_ms: u64,
}

impl Script {
    pub(super) fn new(cluster: ClusterKind, notice: Option<&str>, scenarios: &[&str]) -> Self {
        let mut script = Self { events: Vec::new(), at_ms: 0, scenario: None, started_ms: 0 };
        script.push(EventKind::RunStarted {
            format: FORMAT,
            run: "r7f3a".into(),
            tool: "0.1.0".into(),
            cluster,
            why: match cluster {
                ClusterKind::Kind => "docker, kind and helm are ready".into(),
                ClusterKind::Existing => "--context was given".into(),
                ClusterKind::Sim => "docker was not found".into(),
            },
            cilium: "1.18.4".into(),
            scenarios: scenarios.iter().map(|name| (*name).to_owned()).collect(),
            seed: (cluster == ClusterKind::Sim).then_some(7),
            notice: notice.map(str::to_owned),
        });
        script
    }

    pub(super) fn push(&mut self, kind: EventKind) {
        let start: jiff::Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let wall = start + std::time::Duration::from_millis(self.at_ms);
        let seq = self.events.len() as u64;
        self.events.push(Event { seq, at_ms: self.at_ms, wall, scenario: self.scenario.clone(), kind });
    }

    pub(super) fn after(&mut self, ms: u64) -> &mut Self {
        self.at_ms += ms;
        self
    }

    pub(super) fn scenario(&mut self, name: &str, summary: &str, steps: &[&str]) {
        self.scenario = Some(name.to_owned());
        self.started_ms = self.at_ms;
        let steps = steps.iter().enumerate().map(|(index, title)| StepPlan {
            title: (*title).to_owned(),
            line: 10 + index,
            deadline_ms: 60_000,
            skip: None,
        });
        self.push(EventKind::ScenarioStarted {
            file: format!("scenarios/{name}.yaml"),
            summary: summary.to_owned(),
            references: vec!["cilium/cilium#23872".into()],
            steps: steps.collect(),
        });
    }

    pub(super) fn phase(&mut self, phase: Phase, took_ms: u64) {
        self.push(EventKind::PhaseStarted { phase });
        self.after(took_ms).push(EventKind::PhaseEnded { phase, took_ms });
    }

    pub(super) fn waiting(&mut self, what: &str, last: &str) {
        self.push(EventKind::Waiting { what: what.into(), last: last.into() });
    }

    pub(super) fn step(
        &mut self,
        index: usize,
        took_ms: u64,
        outcome: StepOutcome,
        subjects: Option<usize>,
        detail: &str,
    ) {
        self.push(EventKind::StepStarted { index });
        self.after(took_ms).push(EventKind::StepEnded { index, outcome, took_ms, subjects, detail: detail.into() });
    }

    pub(super) fn end(&mut self, outcome: Outcome, reason: Option<&str>, kept: Option<Kept>) {
        let took_ms = self.at_ms - self.started_ms;
        self.push(EventKind::ScenarioEnded { outcome, took_ms, reason: reason.map(str::to_owned), kept });
        self.scenario = None;
    }

    /// A scenario that never begins.
    pub(super) fn unbegun(&mut self, name: &str, outcome: Outcome, reason: &str) {
        self.scenario = Some(name.to_owned());
        self.started_ms = self.at_ms;
        self.end(outcome, Some(reason), None);
    }

    pub(super) fn finish(mut self) -> Vec<Event> {
        let mut tally = Tally::default();
        for event in &self.events {
            if let EventKind::ScenarioEnded { outcome, .. } = &event.kind {
                tally.add(*outcome);
            }
        }
        let (exit_code, took_ms) = (exit::code(&tally), self.at_ms);
        self.scenario = None;
        self.push(EventKind::RunEnded { tally, exit_code, took_ms });
        self.events
    }
}

pub(super) fn failure(class: FailureClass, message: &str) -> Failure {
    Failure::new(class, message)
}

fn change(at_ms: u64, object: &str, version: &str, what: &str) -> Change {
    Change { at_ms, object: object.into(), version: version.into(), what: what.into() }
}

fn operator_status(node: &str, observed: &str, since_ms: u64) -> Mismatch {
    Mismatch {
        object: format!("CiliumNode/{node}"),
        field: "status.ipam.operator-status.error".into(),
        expected: "(clear)".into(),
        observed: observed.into(),
        since_ms: Some(since_ms),
    }
}

/// The failure of a check, with all that can be said about it.
pub(super) fn product_failure() -> Failure {
    let text = "allocator not configured for the requested CIDR 10.0.0.0/24";
    Failure {
        step: Some(2),
        location: Some("scenarios/cidr-change-slash-30.yaml:12".into()),
        mismatches: vec![
            operator_status("worker", text, 126_300),
            operator_status("worker2", &text.replace("10.0.0", "10.0.1"), 127_100),
            Mismatch {
                object: "Pod/alpine/alpine-7d9c-x2x8p".into(),
                field: "status.podIP".into(),
                expected: "an address within 192.168.255.0/30".into(),
                observed: "10.0.1.17".into(),
                since_ms: Some(98_000),
            },
        ],
        history: vec![
            change(96_000, "CiliumNode/worker2", "702", "spec.ipam.podCIDRs: [] -> [10.0.1.0/24]"),
            change(126_300, "CiliumNode/worker", "909", "status.ipam.operator-status.error: (none) -> (an error)"),
            change(
                127_100,
                "CiliumNode/worker2",
                "911",
                "status.ipam.operator-status.error: (none) -> allocator not configured for the requested CIDR 10.0.1.0/24; \
                 metadata.generation: 3 -> 4",
            ),
        ],
        causes: vec!["deadline of 60s reached".into()],
        last_api_error: Some("at 2:01.0: GET ciliumnodes: 503 Service Unavailable".into()),
        next: vec![
            "export KUBECONFIG=target/e2e/r7f3a/cidr-change-slash-30/kubeconfig".into(),
            "kubectl get ciliumnode worker2 -o yaml".into(),
        ],
        ..failure(FailureClass::Product, "operator-status of 2 of 3 CiliumNodes is not clear")
    }
}

/// One scenario of every outcome, on kind.
pub(super) fn every_outcome() -> Vec<Event> {
    let names = [
        "fresh-cluster-pool",
        "cidr-change-slash-30",
        "config-backup-restore",
        "needs-twenty",
        "kubernetes-to-cluster-pool",
        "never-begun",
    ];
    let mut script = Script::new(ClusterKind::Kind, None, &names);

    script.scenario(
        names[0],
        "A fresh cluster takes podCIDRs from the pool.",
        &["deploy alpine", "expect podIPs of alpine"],
    );
    script.push(EventKind::PhaseStarted { phase: Phase::Create });
    script.after(2_000).waiting("3 of 3 nodes ready", "control-plane: not ready");
    script.after(2_000).waiting("3 of 3 nodes ready", "worker: not ready");
    script.after(34_000).push(EventKind::PhaseEnded { phase: Phase::Create, took_ms: 38_000 });
    script.phase(Phase::Install, 22_400);
    script.push(EventKind::PhaseStarted { phase: Phase::Steps });
    script.step(0, 3_100, StepOutcome::Passed, None, "3 pods ready");
    script.push(EventKind::Changed {
        change: change(63_000, "CiliumNode/worker", "480", "spec.ipam.podCIDRs: [] -> [10.0.0.0/24]"),
    });
    script.step(1, 12, StepOutcome::Passed, Some(3), "every one within its CiliumNode's podCIDRs");
    script.push(EventKind::PhaseEnded { phase: Phase::Steps, took_ms: 3_112 });
    script.phase(Phase::Remove, 2_200);
    script.end(Outcome::Passed, None, None);

    let steps = [
        "deploy alpine",
        "configure cluster-pool-ipv4-cidr: 192.168.255.0/30",
        "expect operatorStatus of every node: clear",
    ];
    script.scenario(names[1], "The how-to's closing command.", &steps);
    script.phase(Phase::Create, 36_000);
    script.phase(Phase::Install, 21_000);
    script.push(EventKind::PhaseStarted { phase: Phase::Steps });
    script.step(0, 2_900, StepOutcome::Passed, None, "3 pods ready");
    script.step(1, 140, StepOutcome::Passed, None, "");
    script.push(EventKind::Gap { watched: "CiliumNode".into(), reason: "410 Gone: too old resource version".into() });
    script.push(EventKind::StepStarted { index: 2 });
    script.waiting("operator-status of 3 CiliumNodes clear", "worker: allocator not configured");
    script.after(4_000).waiting("operator-status of 3 CiliumNodes clear", "worker2: allocator not configured");
    script.after(56_000).push(EventKind::StepEnded {
        index: 2,
        outcome: StepOutcome::Failed,
        took_ms: 60_000,
        subjects: Some(3),
        detail: "1 of 3 clear".into(),
    });
    script.push(EventKind::Failed { failure: product_failure() });
    script.push(EventKind::PhaseEnded { phase: Phase::Steps, took_ms: 63_040 });
    script.push(EventKind::PhaseStarted { phase: Phase::Evidence });
    script.after(4_000).push(EventKind::Evidence {
        dir: "target/e2e/r7f3a/cidr-change-slash-30".into(),
        files: vec!["ciliumnodes.yaml".into(), "logs/cilium-operator.log".into()],
        missing: vec!["cilium-dbg status of worker2: exec timed out after 10s".into()],
    });
    script.push(EventKind::PhaseEnded { phase: Phase::Evidence, took_ms: 4_000 });
    script.end(
        Outcome::Failed,
        None,
        Some(Kept {
            cluster: "e2e-r7f3a-cidr-change-slash-30".into(),
            kubeconfig: Some("target/e2e/r7f3a/cidr-change-slash-30/kubeconfig".into()),
            remove: "cargo xtask clean --run r7f3a".into(),
            reason: "--keep on-failure".into(),
        }),
    );

    script.scenario(names[2], "The ConfigMap can be put back.", &["backup cilium-config"]);
    script.push(EventKind::PhaseStarted { phase: Phase::Create });
    script.after(8_000).push(EventKind::Failed {
        failure: Failure {
            causes: vec![
                "kind create cluster ended with exit code 1".into(),
                "failed to pull image:\nno space left on device".into(),
            ],
            next: vec!["cargo xtask doctor".into()],
            ..failure(
                FailureClass::Infrastructure,
                "creating cluster e2e-r7f3a-config-backup-restore: nothing was left behind",
            )
        },
    });
    script.push(EventKind::PhaseEnded { phase: Phase::Create, took_ms: 8_000 });
    script.end(Outcome::Error, None, None);

    script.unbegun(names[3], Outcome::Skipped, "needs Cilium >=1.20, this run has 1.18.4");

    script.scenario(names[4], "And back again.", &["deploy alpine", "restart cilium-agent"]);
    script.phase(Phase::Create, 36_000);
    script.push(EventKind::PhaseStarted { phase: Phase::Install });
    script.after(5_000).push(EventKind::Warning { text: "stopping: Ctrl-C; again to skip evidence".into() });
    script.push(EventKind::PhaseEnded { phase: Phase::Install, took_ms: 5_000 });
    script.phase(Phase::Remove, 2_000);
    script.end(Outcome::Interrupted, Some("stopped by the user (SIGINT)"), None);

    script.unbegun(names[5], Outcome::Interrupted, "the run was stopped before it began");
    script.finish()
}

/// One scenario that passes, on sim.
pub(super) fn one_passed() -> Vec<Event> {
    let notice = "simulated: says nothing about Cilium itself";
    let mut script = Script::new(ClusterKind::Sim, Some(notice), &["fresh-kubernetes"]);
    script.scenario("fresh-kubernetes", "The node's own podCIDR.", &["deploy alpine", "expect podIPs of alpine"]);
    script.phase(Phase::Create, 5_000);
    script.push(EventKind::PhaseStarted { phase: Phase::Steps });
    script.step(0, 4_000, StepOutcome::Passed, None, "3 pods ready");
    script.step(1, 30_000, StepOutcome::Skipped, None, "needs Cilium >=1.20");
    script.push(EventKind::PhaseEnded { phase: Phase::Steps, took_ms: 34_000 });
    script.phase(Phase::Remove, 0);
    script.end(Outcome::Passed, None, None);
    script.finish()
}

/// What a hostile or broken cluster may say.
pub(super) const HOSTILE: &str =
    "a\u{1b}[31m]]>\u{0}<b>&\"'\u{ffff}\u{1b}]0;title\u{7}\r\n| `x` ``` \u{202e}[[ATTACHMENT|/etc/passwd]] ü";

/// A run in which everything that can be said is hostile.
pub(super) fn hostile() -> Vec<Event> {
    let mut script = Script::new(ClusterKind::Existing, Some(HOSTILE), &[HOSTILE]);
    script.scenario(HOSTILE, HOSTILE, &[HOSTILE]);
    script.waiting(HOSTILE, HOSTILE);
    script.push(EventKind::Warning { text: HOSTILE.into() });
    script.step(0, 5, StepOutcome::Failed, None, HOSTILE);
    let mut failure = failure(FailureClass::Product, HOSTILE);
    failure.mismatches.push(operator_status(HOSTILE, HOSTILE, 0));
    failure.history.push(change(1, HOSTILE, HOSTILE, HOSTILE));
    failure.causes.push(HOSTILE.into());
    failure.last_api_error = Some(HOSTILE.into());
    failure.next.push(HOSTILE.into());
    script.push(EventKind::Failed { failure });
    script.push(EventKind::Evidence {
        dir: HOSTILE.into(),
        files: vec![HOSTILE.into()],
        missing: vec![HOSTILE.into()],
    });
    let kept = Kept {
        cluster: HOSTILE.into(),
        kubeconfig: Some(HOSTILE.into()),
        remove: HOSTILE.into(),
        reason: HOSTILE.into(),
    };
    script.end(Outcome::Failed, Some(HOSTILE), Some(kept));
    script.finish()
}

/// A known bug that showed, one that did not, one that shows only now and then, and another failure than the known one.
pub(super) fn known_bugs() -> Vec<Event> {
    let names = ["emptied", "repaired", "now-and-then", "another"];
    let mut script = Script::new(ClusterKind::Kind, None, &names);
    for (name, outcome, reason) in [
        (names[0], Outcome::Xfailed, "known bug cilium/cilium#44832: an IPv4-only duplicate empties podCIDRs"),
        (names[1], Outcome::Xpassed, "an IPv4-only duplicate empties podCIDRs"),
        (names[2], Outcome::Tolerated, "passed, though cilium/cilium#21482 makes it fail now and then (a race)"),
        (names[3], Outcome::Failed, "not the failure that is on record for cilium/cilium#44832 (`observed \\[\\]`)"),
    ] {
        script.scenario(name, "What a known bug does.", &["expect podCIDRs of ciliumNode every unchanged"]);
        let step = if outcome == Outcome::Xpassed { StepOutcome::Passed } else { StepOutcome::Failed };
        script.step(0, 1_000, step, None, "");
        let class = if outcome == Outcome::Xpassed { FailureClass::Unexpected } else { FailureClass::Product };
        let known = (outcome == Outcome::Xfailed)
            .then(|| "cilium/cilium#44832: an IPv4-only duplicate empties podCIDRs".to_owned());
        let next = vec![format!("cargo xtask e2e {name} --cluster kind --cilium 1.20.2 --keep on-failure")];
        if outcome != Outcome::Tolerated {
            let failure = Failure { known, next, ..failure(class, "what it came to") };
            script.push(EventKind::Failed { failure });
        }
        script.end(outcome, Some(reason), None);
    }
    script.finish()
}
