//! Streams of events as a run tells them.

use events::{
    AgentState, CiliumNodeSeen, CiliumNodeState, ClusterKind, Event, EventKind, Failure, FailureClass, KubeNode,
    NodeState, Outcome, Owner, PodSeen, PodState, State, StepPlan,
};

/// One scenario `s` with a step.
pub(super) struct Stream {
    states: Vec<State>,
    outcome: Option<Outcome>,
}

impl Stream {
    pub(super) fn of(states: Vec<State>) -> Self {
        Self { states, outcome: Some(Outcome::Passed) }
    }

    pub(super) fn ending(self, outcome: Outcome) -> Self {
        Self { outcome: Some(outcome), ..self }
    }

    pub(super) fn cut_off(self) -> Self {
        Self { outcome: None, ..self }
    }

    pub(super) fn events(self) -> Vec<Event> {
        let step = StepPlan { title: "deploy alpine".to_owned(), line: 1, deadline_ms: 1, skip: None };
        let mut kinds = vec![EventKind::ScenarioStarted {
            file: "s.yaml".to_owned(),
            summary: String::new(),
            references: Vec::new(),
            steps: vec![step],
        }];
        for (index, state) in self.states.into_iter().enumerate() {
            kinds.push(EventKind::State { step: index.checked_sub(1), state });
        }
        if self.outcome == Some(Outcome::Failed) {
            kinds.push(EventKind::Failed {
                failure: Failure::new(FailureClass::Product, "what was expected was not so"),
            });
        }
        if let Some(outcome) = self.outcome {
            kinds.push(EventKind::ScenarioEnded { outcome, took_ms: 1, reason: None, kept: None });
        }
        let run = EventKind::RunStarted {
            format: events::FORMAT,
            run: "r".to_owned(),
            tool: "0".to_owned(),
            cluster: ClusterKind::Kind,
            why: String::new(),
            cilium: "1.18.4".to_owned(),
            scenarios: vec!["s".to_owned()],
            seed: None,
            notice: None,
        };
        let scenario = Some("s".to_owned());
        let all = std::iter::once((None, run)).chain(kinds.into_iter().map(|kind| (scenario.clone(), kind)));
        all.enumerate()
            .map(|(seq, (scenario, kind))| Event {
                seq: seq as u64,
                at_ms: seq as u64,
                wall: jiff::Timestamp::UNIX_EPOCH,
                scenario,
                kind,
            })
            .collect()
    }
}

pub(super) fn seen(block: &str, error: Option<&str>) -> CiliumNodeSeen {
    CiliumNodeSeen { absent: false, pod_cidrs: vec![block.to_owned()], error: error.map(str::to_owned) }
}

/// A ready pod that has been there all the time.
pub(super) fn pod(of: &str, name: &str, role: &str, ip: &str) -> PodState {
    PodState {
        owner: Owner::Workload,
        of: of.to_owned(),
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        node: Some(role.to_owned()),
        ips: vec![ip.to_owned()],
        phase: "Running".to_owned(),
        ready: true,
        endpoint: Some(vec![ip.to_owned()]),
        seen: vec![PodSeen { ips: vec![ip.to_owned()], ready: true, restarts: 0, crashing: false }],
        ..PodState::default()
    }
}

fn node(place: usize, role: &str) -> NodeState {
    let block = format!("10.0.{place}.0/24");
    NodeState {
        role: role.to_owned(),
        node: Some(KubeNode {
            uid: format!("uid-{role}"),
            ready: true,
            unschedulable: false,
            taints: Vec::new(),
            pod_cidrs: vec![format!("10.224.{place}.0/24")],
        }),
        cilium: Some(CiliumNodeState {
            uid: format!("uid-cilium-{role}"),
            pod_cidrs: vec![block.clone()],
            operator_status: true,
            error: None,
            router: vec![format!("10.0.{place}.5")],
            health: vec![format!("10.0.{place}.6")],
        }),
        agent: Some(AgentState { ipam: "cluster-pool".to_owned(), pod_cidrs: vec![block.clone()] }),
        seen: vec![seen(&block, None)],
    }
}

/// Three nodes, one alpine pod, one of CoreDNS, one agent that is looked at; all is well.
pub(super) fn start() -> State {
    let system = |of, name, role, ip| PodState { owner: Owner::System, ..pod(of, name, role, ip) };
    let agent = PodState {
        pinned: true,
        host_network: true,
        endpoint: None,
        ..system("cilium", "cilium-1", "worker", "172.18.0.3")
    };
    State {
        unsettled: None,
        pod_subnets: vec!["10.224.0.0/16".to_owned()],
        pools: vec!["10.0.0.0/16".to_owned()],
        nodes: vec![node(0, "control-plane"), node(1, "worker"), node(2, "worker2")],
        pods: vec![
            pod("alpine", "alpine-1", "worker", "10.0.1.5"),
            system("coredns", "coredns-1", "control-plane", "10.0.0.5"),
            agent,
        ],
    }
}
