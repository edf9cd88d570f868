//! Two recordings of one scenario, phase by phase.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::recording::{Phase, Recording};

/// One difference, with both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `step 3: restart cilium-operator`.
    pub phase: String,
    /// `worker: operator-status`.
    pub subject: String,
    /// On the real cluster; none where it has no such subject.
    pub real: Option<String>,
    /// On the simulated one.
    pub sim: Option<String>,
}

/// How many phases are how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Compared.
    pub phases: usize,
    /// Equal in every fact.
    pub equal: usize,
    /// Different in at least one.
    pub different: usize,
    /// Not compared, since one of the clusters was between two states.
    pub unsettled: usize,
    /// Facts compared.
    pub facts: usize,
    /// Facts that only one side has, since the scheduler put a pod elsewhere. Another seed covers others of them.
    pub elsewhere: usize,
}

impl Tally {
    /// Adds another's counts.
    pub fn add(&mut self, other: Self) {
        self.phases += other.phases;
        self.equal += other.equal;
        self.different += other.different;
        self.unsettled += other.unsettled;
        self.facts += other.facts;
        self.elsewhere += other.elsewhere;
    }
}

/// What came of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The scenario's name.
    pub scenario: String,
    /// Cilium's version.
    pub cilium: String,
    /// Counts.
    pub tally: Tally,
    /// How many orders of what real life leaves open were tried on the simulated side until one was equal; 1 where none was.
    pub orders: u64,
    /// Phases that were not compared: `start (real: a pod of coredns is not ready)`.
    pub unsettled: Vec<String>,
    /// Every difference, in order of phase and subject.
    pub differences: Vec<Difference>,
}

impl Comparison {
    /// Whether everything was compared and all of it is equal. A phase that could not be compared is not equal, and neither is nothing.
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty() && self.unsettled.is_empty() && self.tally.facts > 0
    }

    /// With the number of orders that had been tried when it was made.
    #[must_use]
    pub fn in_order(self, orders: u64) -> Self {
        Self { orders, ..self }
    }

    /// A scenario that could not be compared at all, with the reasons of both sides.
    pub fn impossible(scenario: &str, cilium: &str, real: Option<String>, sim: Option<String>) -> Self {
        let difference = Difference { phase: "all".to_owned(), subject: "the run".to_owned(), real, sim };
        Self {
            scenario: scenario.to_owned(),
            cilium: cilium.to_owned(),
            tally: Tally { phases: 1, different: 1, ..Tally::default() },
            orders: 1,
            unsettled: Vec::new(),
            differences: vec![difference],
        }
    }
}

/// Compares a simulated run with a real one.
pub fn compare(real: &Recording, sim: &Recording) -> Comparison {
    let mut comparison = Comparison {
        scenario: real.scenario.clone(),
        cilium: real.cilium.clone(),
        tally: Tally::default(),
        orders: 1,
        unsettled: Vec::new(),
        differences: Vec::new(),
    };
    for (subject, real, sim) in [
        ("the scenario", &real.scenario, &sim.scenario),
        ("Cilium's version", &real.cilium, &sim.cilium),
        ("the form of the recording", &real.format.to_string(), &sim.format.to_string()),
    ] {
        if real != sim {
            comparison.differences.push(Difference {
                phase: "all".to_owned(),
                subject: subject.to_owned(),
                real: Some(real.clone()),
                sim: Some(sim.clone()),
            });
        }
    }
    if !comparison.differences.is_empty() {
        comparison.tally = Tally { phases: 1, different: 1, ..Tally::default() };
        return comparison;
    }
    for name in names(&real.phases, &sim.phases) {
        let find = |recording: &'_ Recording| recording.phases.iter().position(|phase| phase.name == name);
        match (find(real), find(sim)) {
            (Some(r), Some(s)) => comparison.phase(&real.phases[r], &sim.phases[s]),
            (r, s) => {
                comparison.tally.phases += 1;
                comparison.tally.different += 1;
                let there = |at: Option<usize>| at.map(|_| "told".to_owned());
                comparison.differences.push(Difference {
                    phase: name.to_owned(),
                    subject: "the phase".to_owned(),
                    real: there(r),
                    sim: there(s),
                });
            }
        }
    }
    comparison
}

/// Names of all phases, in the order of the real run.
fn names<'a>(real: &'a [Phase], sim: &'a [Phase]) -> Vec<&'a str> {
    let mut names: Vec<&str> = real.iter().map(|phase| phase.name.as_str()).collect();
    for phase in sim {
        if !names.contains(&phase.name.as_str()) {
            names.push(&phase.name);
        }
    }
    names
}

/// `step 3: restart cilium-operator`.
fn label(phase: &Phase) -> String {
    if phase.title.is_empty() { phase.name.clone() } else { format!("{}: {}", phase.name, phase.title) }
}

impl Comparison {
    fn phase(&mut self, real: &Phase, sim: &Phase) {
        let unsettled = [("real", &real.unsettled), ("sim", &sim.unsettled)];
        if let Some((side, why)) = unsettled.iter().find_map(|(side, why)| Some((side, why.as_ref()?))) {
            self.tally.unsettled += 1;
            self.unsettled.push(format!("{} ({side}: {why})", label(real)));
            return;
        }
        self.tally.phases += 1;
        let before = self.differences.len();
        let subjects: BTreeSet<&String> = real.facts.keys().chain(sim.facts.keys()).collect();
        for subject in subjects {
            self.fact(real, subject, real.facts.get(subject), sim.facts.get(subject));
        }
        // Where a pod is put is the scheduler's freedom; what is true of pods there is not.
        let subjects: BTreeSet<&String> = real.placed.keys().chain(sim.placed.keys()).collect();
        for subject in subjects {
            match (real.placed.get(subject), sim.placed.get(subject)) {
                (Some(value), Some(other)) => self.fact(real, subject, Some(value), Some(other)),
                _ => self.tally.elsewhere += 1,
            }
        }
        if self.differences.len() == before {
            self.tally.equal += 1;
        } else {
            self.tally.different += 1;
        }
    }

    fn fact(&mut self, phase: &Phase, subject: &str, real: Option<&String>, sim: Option<&String>) {
        self.tally.facts += 1;
        if real != sim {
            self.differences.push(Difference {
                phase: label(phase),
                subject: subject.to_owned(),
                real: real.cloned(),
                sim: sim.cloned(),
            });
        }
    }
}
