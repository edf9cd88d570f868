//! Plans.

use events::ClusterKind;
use serde::{Deserialize, Serialize};

use crate::cell::{Cell, Column, digest};

/// What is to be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixPlan {
    /// The kind of cluster.
    pub cluster: ClusterKind,
    /// The order of what real life leaves open, on `sim`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What else changes what a run shows: faults, settling, stretched deadlines. As typed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// By scenario, then column.
    pub cells: Vec<Cell>,
}

impl MatrixPlan {
    /// A plan, its cells in their order.
    pub fn new(cluster: ClusterKind, seed: Option<u64>, options: Vec<String>, mut cells: Vec<Cell>) -> Self {
        cells.sort_by(|a, b| (&a.scenario, &a.column).cmp(&(&b.scenario, &b.column)));
        Self { cluster, seed, options, cells }
    }

    /// Tells plans apart: the same on every machine that plans the same scenarios, texts, versions and options.
    pub fn id(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        digest(&text)
    }

    /// Names of the scenarios, in order.
    pub fn scenarios(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.cells.iter().map(|cell| cell.scenario.as_str()).collect();
        names.dedup();
        names
    }

    /// The columns, in order.
    pub fn columns(&self) -> Vec<&Column> {
        let mut columns: Vec<&Column> = self.cells.iter().map(|cell| &cell.column).collect();
        columns.sort();
        columns.dedup();
        columns
    }

    /// Digest of a scenario's text, for [`Cell::digest`].
    pub fn digest(text: &str) -> String {
        digest(text.as_bytes())
    }
}
