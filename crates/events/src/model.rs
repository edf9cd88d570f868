//! What the model of Cilium's IPAM says beside what was seen.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What came of comparing a cluster with the model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelReport {
    /// How many times the two were compared: after the installation and after each step at whose end the cluster had come to rest.
    pub compared: usize,
    /// How many times all was as the model says.
    pub agreed: usize,
    /// How many times the cluster had not come to rest, so that a difference said nothing.
    pub left_out: usize,
    /// Why the model says nothing, or nothing more.
    pub silent: Option<String>,
    /// What the model says otherwise, each with the step after which it was seen first.
    pub differences: Vec<ModelDifference>,
}

/// Something that the model says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelDifference {
    /// The step, from 0; none after the installation.
    pub step: Option<usize>,
    /// The node.
    pub node: String,
    /// `spec.ipam.podCIDRs`, `status.ipam.operator-status.error`, or `CiliumNode` for whether there is one.
    pub field: String,
    /// What the model says.
    pub predicted: String,
    /// What was there.
    pub observed: String,
}

impl fmt::Display for ModelDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Some(step) => write!(f, "after step {}: ", step + 1)?,
            None => f.write_str("after the installation: ")?,
        }
        write!(f, "{}: {} is {}, the model says {}", self.node, self.field, self.observed, self.predicted)
    }
}

impl ModelReport {
    /// Where nothing can be compared.
    pub fn not_applicable(why: &str) -> Self {
        Self { silent: Some(format!("not applicable: {why}")), ..Self::default() }
    }

    /// In a line.
    pub fn sentence(&self) -> String {
        let mut parts = Vec::new();
        if self.compared > 0 || self.silent.is_none() {
            parts.push(format!("as the model says in {} of {} comparisons", self.agreed, self.compared));
        }
        if self.left_out > 0 {
            parts.push(format!("{} left out, since the cluster had not come to rest", self.left_out));
        }
        parts.extend(self.silent.clone());
        parts.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_compared_and_what_was_not() {
        let report = ModelReport { compared: 5, agreed: 4, left_out: 2, ..ModelReport::default() };
        let text = "as the model says in 4 of 5 comparisons; 2 left out, since the cluster had not come to rest";
        assert_eq!(report.sentence(), text);
        assert_eq!(ModelReport::not_applicable("it is the same").sentence(), "not applicable: it is the same");
        assert_eq!(ModelReport::default().sentence(), "as the model says in 0 of 0 comparisons");
    }
}
