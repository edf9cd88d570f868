//! Plans to predictions.

use std::collections::BTreeMap;

use cilium::values::{configmap_for, lookup, merge};
use scenario::model::{At, CidrSource, NodePart, NodeRef, Variable};
use semver::Version;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::plan::{Happening, Plan, Word};
use crate::{AgentState, NotCovered, Passing, State, World};

/// What the model says about a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Prediction {
    /// A scenario's name, a file.
    pub name: String,
    /// Cilium's version.
    pub version: String,
    /// Once Cilium is installed and at rest.
    pub start: Predicted,
    /// After each step.
    pub steps: Vec<Predicted>,
}

/// What the model says about a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Predicted {
    /// The step.
    pub title: String,
    /// Its line in the file; 0 where there is none.
    pub line: usize,
    /// Why it is left out, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// What CiliumNodes say for a moment, and not at the end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passing: Vec<Passing>,
    /// What else there is to know: a refused write, something that the model does not look at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// How things stand when all has come to rest.
    pub state: State,
}

struct Run {
    version: Version,
    world: World,
    values: Map<String, Value>,
    backup: Option<BTreeMap<String, String>>,
    /// The states at the ends of named steps, and `start`.
    labels: BTreeMap<String, State>,
    notes: Vec<String>,
}

/// Predicts what becomes of each node, step by step.
///
/// # Errors
/// When something would start in a mode that the model does not cover.
pub fn predict(plan: &Plan) -> Result<Prediction, NotCovered> {
    let mut world = World::new(plan.release, plan.config.clone(), plan.kube.clone());
    world.start_operator()?;
    plan.nodes.iter().for_each(|name| world.add_node(name, None));
    world.settle()?;
    let state = world.state();
    world.take_passing();
    let mut run = Run {
        version: plan.version.clone(),
        world,
        values: plan.values.clone(),
        backup: None,
        labels: BTreeMap::from([("start".to_owned(), state.clone())]),
        notes: Vec::new(),
    };
    let nodes = plan.nodes.len();
    let plural = if nodes == 1 { "" } else { "s" };
    let start = Predicted {
        title: format!("install Cilium {} on {nodes} node{plural}", plan.version),
        line: 0,
        skipped: None,
        passing: Vec::new(),
        notes: Vec::new(),
        state,
    };
    let mut steps = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        if step.skipped.is_none() {
            for happening in &step.happenings {
                run.happen(happening)?;
                run.world.settle()?;
            }
        }
        let state = run.world.state();
        if let Some(label) = &step.label {
            run.labels.insert(label.clone(), state.clone());
        }
        steps.push(Predicted {
            title: step.title.clone(),
            line: step.line,
            skipped: step.skipped.clone(),
            passing: run.world.take_passing(),
            notes: std::mem::take(&mut run.notes),
            state,
        });
    }
    Ok(Prediction { name: plan.name.clone(), version: plan.version.to_string(), start, steps })
}

impl Run {
    fn happen(&mut self, happening: &Happening) -> Result<(), NotCovered> {
        match happening {
            Happening::Configure(changes) => {
                let mut config = self.world.config().clone();
                for (key, value) in changes {
                    match value {
                        Some(value) => config.insert(key.clone(), value.clone()),
                        None => config.remove(key),
                    };
                }
                self.world.configure(config);
            }
            Happening::Upgrade(over) => self.upgrade(over)?,
            Happening::Reinstall(over) => self.reinstall(over)?,
            Happening::StopOperator => self.world.stop_operator(),
            Happening::Backup => self.backup = Some(self.world.config().clone()),
            Happening::Restore => {
                if let Some(backup) = self.backup.clone() {
                    self.world.configure(backup);
                }
            }
            Happening::RestartOperator => self.world.start_operator()?,
            Happening::RestartAgents(names) => {
                let names = if names.is_empty() { self.world.agents() } else { names.clone() };
                names.iter().for_each(|name| self.world.start_agent(name));
            }
            Happening::CrashAgent(name) => self.world.crash_agent(name),
            Happening::DeleteCiliumNode(name) => self.world.delete_cilium_node(name),
            Happening::RemoveNode(name) => self.world.remove_node(name),
            Happening::AddNode(name) => self.world.add_node(name, None),
            Happening::LoseNode(name) => self.world.lose_node(name),
            Happening::SetPodCidrs { node, cidrs } => {
                let cidrs = self.fill(cidrs);
                if !self.world.set_pod_cidrs(node, &cidrs) {
                    self.notes.push(format!("the API server refuses podCIDRs [{}] for {node}", cidrs.join(" ")));
                }
            }
            Happening::SetError { node, error } => self.world.set_error(node, error),
            Happening::SetNodePodCidrs { node, cidrs } => {
                let cidrs = self.fill(cidrs);
                self.world.set_node_pod_cidrs(node, cidrs);
            }
            Happening::NotLookedAt(what) => self.notes.push(format!("the model does not look at {what}")),
        }
        Ok(())
    }

    /// `helm uninstall` and `helm install`: the ConfigMap is made anew, and so are the pods of operator and agents.
    fn reinstall(&mut self, over: &Map<String, Value>) -> Result<(), NotCovered> {
        let mut values = self.values.clone();
        merge(&mut values, over);
        match configmap_for(&values, &self.version) {
            Ok(rendered) => self.world.configure(rendered),
            Err(error) => {
                self.notes.push(format!("the chart refuses these values, so Cilium is not installed: {error}"));
                self.world.stop_operator();
                return Ok(());
            }
        }
        self.values = values;
        self.world.start_operator()?;
        self.world.settle()?;
        let names = self.world.agents();
        names.iter().for_each(|name| self.world.start_agent(name));
        Ok(())
    }

    /// `helm upgrade`: what the chart rendered before and renders no longer goes, what it renders now is as it says; other keys stay.
    fn upgrade(&mut self, over: &Map<String, Value>) -> Result<(), NotCovered> {
        let mut values = self.values.clone();
        merge(&mut values, over);
        let rendered = match configmap_for(&values, &self.version) {
            Ok(rendered) => rendered,
            Err(error) => {
                self.notes.push(format!("the chart refuses these values, so nothing changes: {error}"));
                return Ok(());
            }
        };
        let before = configmap_for(&self.values, &self.version).unwrap_or_default();
        let mut config = self.world.config().clone();
        config.retain(|key, _| !before.contains_key(key) || rendered.contains_key(key));
        let changed = before != rendered;
        config.extend(rendered);
        self.world.configure(config);
        self.values = values;
        let is_on = |path: &str| lookup(&self.values, path).and_then(Value::as_bool).unwrap_or(false);
        let (agents, operator) = (is_on("rollOutCiliumPods"), is_on("operator.rollOutPods"));
        if changed && operator {
            self.world.start_operator()?;
            self.world.settle()?;
        }
        if changed && agents {
            let names = self.world.agents();
            names.iter().for_each(|name| self.world.start_agent(name));
        }
        Ok(())
    }

    fn fill(&self, words: &[Word]) -> Vec<String> {
        words
            .iter()
            .map(|word| match word {
                Word::Literal(text) => text.clone(),
                Word::Template(template) => template
                    .parts
                    .iter()
                    .map(|part| match part {
                        NodePart::Text(text) => text.clone(),
                        NodePart::Variable { node, variable } => self.value(*node, variable),
                    })
                    .collect(),
            })
            .collect()
    }

    fn value(&self, node: NodeRef, variable: &Variable) -> String {
        let name = node.to_string();
        let cidrs = |source: CidrSource, at: &At| -> Vec<String> {
            let now;
            let state = match at {
                At::Now => {
                    now = self.world.state();
                    &now
                }
                At::Label(label) => match self.labels.get(label) {
                    Some(state) => state,
                    None => return Vec::new(),
                },
            };
            let Some(node) = state.node(&name) else { return Vec::new() };
            match source {
                CidrSource::CiliumNode => node.pod_cidrs().to_vec(),
                CidrSource::Node => node.node_pod_cidrs.clone(),
                CidrSource::Agent => match &node.agent {
                    AgentState::Serving { cidrs, .. } => cidrs.clone(),
                    _ => Vec::new(),
                },
            }
        };
        match variable {
            Variable::NodeName => name,
            Variable::List(source, at) => format!("[{}]", cidrs(*source, at).join(" ")),
            Variable::First(source, at) => cidrs(*source, at).into_iter().next().unwrap_or_default(),
        }
    }
}
