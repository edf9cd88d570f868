//! The model of Cilium's IPAM beside the run: fed with what the watches tell, compared with the CiliumNodes at the end of each step.

mod happened;

use std::collections::BTreeSet;

use events::{EventKind, ModelDifference, ModelReport};
use predict::oracle::{Difference, Happened, Oracle, SeenNode, SeenNodes, Verdict};
use tokio::time::Instant;

use crate::invariant::View;
use crate::world::World;

/// The model, and what came of comparing it.
pub(crate) struct Beside {
    oracle: Oracle,
    reader: happened::Reader,
    report: ModelReport,
    /// Differences that were told already: one stays until something changes it.
    told: BTreeSet<Difference>,
}

impl Beside {
    /// For a cluster of which nothing was seen yet.
    pub(crate) fn new(version: &semver::Version) -> Self {
        Self {
            oracle: Oracle::new(&version.to_string()),
            reader: happened::Reader::default(),
            report: ModelReport::default(),
            told: BTreeSet::new(),
        }
    }

    /// A step overwrites a CiliumNode.
    pub(crate) fn edited(&mut self, at: Instant, what: Happened) {
        self.reader.edited(at, what);
    }

    /// What a comparison would come to now.
    pub(crate) fn peek(&self, view: View<'_>) -> Verdict {
        let (mut oracle, mut reader) = (self.oracle.clone(), self.reader.clone());
        reader.read(view).into_iter().for_each(|what| oracle.happened(what));
        oracle.compare(&seen(view.world), false)
    }

    /// Compares, and answers what is to be told: each difference once, and once that the model says nothing. `unsettled`: why what is there
    /// may be a state in between; agreement counts then as well, a difference does not yet.
    pub(crate) fn compare(&mut self, step: Option<usize>, unsettled: bool, view: View<'_>) -> Vec<EventKind> {
        for what in self.reader.read(view) {
            self.oracle.happened(what);
        }
        let warning = |text: String| EventKind::Warning { text };
        match self.oracle.compare(&seen(view.world), !unsettled) {
            Verdict::Agrees { .. } => {
                self.told.clear();
                self.report.compared += 1;
                self.report.agreed += 1;
                Vec::new()
            }
            Verdict::Differs(_) if unsettled => {
                self.report.left_out += 1;
                Vec::new()
            }
            Verdict::Differs(differences) => {
                self.report.compared += 1;
                let before = std::mem::replace(&mut self.told, differences.iter().cloned().collect());
                let new = differences.into_iter().filter(|one| !before.contains(one));
                new.map(|one| {
                    let text = format!("the model differs: {one}");
                    self.report.differences.push(ModelDifference {
                        step,
                        node: one.node,
                        field: one.field.to_owned(),
                        predicted: one.predicted,
                        observed: one.observed,
                    });
                    warning(text)
                })
                .collect()
            }
            Verdict::NotCovered(why) if self.report.silent.is_none() => {
                self.report.silent = Some(why.clone());
                vec![warning(format!("the model says nothing from here on: {why}"))]
            }
            Verdict::NotCovered(_) => Vec::new(),
        }
    }

    /// What it came to in all.
    pub(crate) fn report(&self) -> ModelReport {
        self.report.clone()
    }
}

fn seen(world: &World) -> SeenNodes {
    let node = |node: &cilium::CiliumNode| SeenNode {
        pod_cidrs: node.pod_cidrs.clone(),
        error: node.error.clone().unwrap_or_default(),
    };
    world.cilium_nodes.iter().map(|(name, found)| (name.clone(), node(found))).collect()
}

#[cfg(test)]
mod tests;
