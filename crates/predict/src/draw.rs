//! Predictions for the terminal: a table for each step, and the address space as a picture.

mod space;

use std::fmt::Write as _;

pub use space::picture;

use crate::{AgentState, NodeState, OperatorState, Predicted, Prediction, State};

/// More rows than this are summed up.
const ROWS: usize = 24;

/// The whole prediction: each step, what it changes, and the address space after each change.
pub fn timeline(prediction: &Prediction) -> String {
    let mut out = format!("{}, Cilium {} (the model's answer, not a cluster's)\n", prediction.name, prediction.version);
    let mut before: Option<&State> = None;
    let mut last_drawn = None;
    let steps = std::iter::once(("start".to_owned(), &prediction.start));
    let count = prediction.steps.len();
    let numbered = prediction.steps.iter().enumerate().map(|(index, step)| (format!("{}/{count}", index + 1), step));
    for (label, step) in steps.chain(numbered) {
        let _ = writeln!(out, "\n{label:>5}  {}", step.title);
        if let Some(why) = &step.skipped {
            let _ = writeln!(out, "       left out: {why}");
            continue;
        }
        for note in &step.notes {
            let _ = writeln!(out, "       note: {note}");
        }
        passing(&mut out, step);
        if let Some(before) = before.replace(&step.state)
            && (&before.nodes, &before.operator) == (&step.state.nodes, &step.state.operator)
        {
            let mode = &step.state.configured_mode;
            let unread = if *mode == before.configured_mode {
                String::new()
            } else {
                format!("; cilium-config says {mode}, which nothing has read")
            };
            let _ = writeln!(out, "       as before{unread}");
            continue;
        }
        out.push_str(&indent(&table(&step.state)));
        let drawn = ranges(&step.state);
        if last_drawn.replace(drawn.clone()).is_none_or(|last| last != drawn) {
            out.push_str(&indent(&picture(&step.state)));
        }
    }
    out
}

/// What the picture is made of: who has what, and how much of each pool is used.
type Ranges<'a> = (Vec<(&'a str, &'a [String])>, Vec<(&'a str, u64)>);

fn ranges(state: &State) -> Ranges<'_> {
    let nodes = state.nodes.iter().map(|node| (node.name.as_str(), node.pod_cidrs())).collect();
    let pools = match &state.operator {
        OperatorState::Allocating { pools } => pools.iter().map(|pool| (pool.cidr.as_str(), pool.used)).collect(),
        _ => Vec::new(),
    };
    (nodes, pools)
}

fn indent(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("       {line}\n") }).collect()
}

fn passing(out: &mut String, step: &Predicted) {
    for moment in step.passing.iter().take(ROWS) {
        let status = if moment.error.is_empty() { "clear" } else { &moment.error };
        let _ = writeln!(out, "       for a moment: {} {}, {status}", moment.node, list(&moment.pod_cidrs));
    }
    if step.passing.len() > ROWS {
        let _ = writeln!(out, "       for a moment: {} more", step.passing.len() - ROWS);
    }
}

fn list(cidrs: &[String]) -> String {
    if cidrs.is_empty() { "-".to_owned() } else { cidrs.join(" ") }
}

/// Each node's podCIDRs and operator-status, and what its agent does.
pub fn table(state: &State) -> String {
    let mut out = String::new();
    let operator = match &state.operator {
        OperatorState::Allocating { .. } => None,
        OperatorState::Idle { mode } => Some(format!("operator: hands out nothing in mode {mode}")),
        OperatorState::Refusing { error } => Some(format!("operator: exits with \"{error}\"")),
        OperatorState::Down => Some("operator: none".to_owned()),
    };
    if let Some(operator) = operator {
        let _ = writeln!(out, "{operator}");
    }
    let head = ["node", "podCIDRs", "operator-status", "agent"].map(str::to_owned);
    let rows: Vec<[String; 4]> = state.nodes.iter().map(row).collect();
    let shown = if rows.len() > ROWS { ROWS - 4 } else { rows.len() };
    let width =
        |column: usize| rows[..shown].iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second, third) = (width(0), width(1), width(2));
    for row in std::iter::once(&head).chain(&rows[..shown]) {
        let _ = writeln!(out, "{:first$}  {:second$}  {:third$}  {}", row[0], row[1], row[2], row[3]);
    }
    if shown < rows.len() {
        let rest = &state.nodes[shown..];
        let errors = rest.iter().filter(|node| !node.error().is_empty()).count();
        let without = rest.iter().filter(|node| node.pod_cidrs().is_empty()).count();
        let _ = writeln!(
            out,
            "and {} more: {errors} with an error in operator-status, {without} without podCIDRs",
            rest.len()
        );
    }
    out
}

fn row(node: &NodeState) -> [String; 4] {
    let (cidrs, status) = match &node.cilium_node {
        None => ("no CiliumNode".to_owned(), "-".to_owned()),
        Some(own) if own.error.is_empty() => (list(&own.pod_cidrs), "clear".to_owned()),
        Some(own) => (list(&own.pod_cidrs), own.error.clone()),
    };
    let agent = match &node.agent {
        AgentState::Serving { mode, cidrs } if list(cidrs) == list(node.pod_cidrs()) => format!("{mode}, serves"),
        AgentState::Serving { mode, cidrs } => format!("{mode}, serves {}", list(cidrs)),
        AgentState::Waiting { mode, error } => format!("{mode}, waits: {error}"),
        AgentState::Exiting { mode, error } => format!("{mode}, exits: {error}"),
        AgentState::Gone => "gone".to_owned(),
    };
    [node.name.clone(), cidrs, status, agent]
}
