//! Steps as calls of the script's own functions (`prelude/prelude.sh`).

use std::fmt::Write as _;
use std::time::Duration;

use cilium::components;
use engine::recipe;
use scenario::Scenario;
use scenario::model::{
    Action, Component, Expect, ObjectName, PatchStep, RestartTarget, Span, Step, Timing, VersionRange, WaitFor,
};
use serde_json::{Map, Value, json};

use super::quote::{comment, document, flat, word};
use super::{NoScript, cel, checks, version};

/// What is written while the steps go by.
pub(super) struct Writer<'a> {
    pub(super) scenario: &'a Scenario,
    /// Helm values in force.
    pub(super) values: Map<String, Value>,
    pub(super) cel: cel::Translated,
    /// Checks that are not in the script.
    pub(super) left_out: Vec<String>,
}

/// A command and its document.
struct Call {
    command: String,
    document: Option<(&'static str, String)>,
}

impl Call {
    fn new(command: impl Into<String>) -> Self {
        Self { command: command.into(), document: None }
    }

    fn reading(self, mark: &'static str, text: String) -> Self {
        Self { document: Some((mark, text)), ..self }
    }
}

impl Writer<'_> {
    /// One step, with what its author wrote above it.
    pub(super) fn step(&mut self, index: usize, step: &Step) -> Result<String, NoScript> {
        let title = format!("line {}: {}", step.line, flat(&step.title()));
        let mut text = String::from("\n");
        text.push_str(&comment(&above(&self.scenario.source.text, step.line)));
        let _ = writeln!(text, "# {}", flat(&format!("Line {}: {}", step.line, step.title())));
        let (calls, left_out) = self.calls(index, step)?;
        for check in &left_out {
            let _ = writeln!(text, "not_checked {}", word(&format!("line {}: {}", step.line, flat(check))));
        }
        self.left_out.extend(left_out.into_iter().map(|check| format!("line {}: {check}", step.line)));
        let mut body = String::new();
        match calls {
            Some(call) => {
                let refused = step.fails.as_deref().map(|text| format!("refused {} ", word(text))).unwrap_or_default();
                let _ = write!(body, "step {} {refused}{}", word(&title), call.command);
                match call.document {
                    Some((mark, json)) => {
                        let _ = write!(body, " {}", document(mark, &json));
                    }
                    None => body.push('\n'),
                }
            }
            // Nothing of it is left, but it counts.
            None => body.push_str("step_left_out\n"),
        }
        match &step.versions {
            Some(range) => {
                let _ = write!(
                    text,
                    "if {}; then\n{body}else\n  skip {}\nfi\n",
                    version::condition(range),
                    word(&skipped(&title, range))
                );
            }
            None => text.push_str(&body),
        }
        if let Some(name) = &step.name {
            let _ = writeln!(text, "label {}", word(name));
        }
        Ok(text)
    }

    fn calls(&mut self, index: usize, step: &Step) -> Result<(Option<Call>, Vec<String>), NoScript> {
        let within = seconds(step.deadline());
        let no = |why: &str| NoScript { line: step.line, why: why.to_owned() };
        let call = match &step.action {
            Action::Deploy { workload, ready } => {
                let found =
                    self.scenario.workloads.get(workload).ok_or_else(|| no("it names no workload of the scenario"))?;
                let node = found.node.map(|role| format!("${{CLUSTER}}-{role}"));
                let manifest = recipe::deployment(workload, found, node.as_deref(), "repro");
                Call::new(format!("deploy {within} {} {} {ready}", word(workload), found.replicas))
                    .reading("MANIFEST", format!("{manifest:#}"))
            }
            Action::Scale { target: RestartTarget::Workload(name), replicas, ready } => {
                Call::new(format!("scale {within} {} {replicas} {ready}", word(name)))
            }
            Action::Scale { target: RestartTarget::Component(Component::Operator), replicas, ready } => {
                Call::new(format!("scale_operator {within} {replicas} {ready}"))
            }
            Action::Scale { target: RestartTarget::Component(_), .. } => {
                return Err(no("of Cilium's parts the operator alone can be scaled"));
            }
            Action::Delete { workload } => Call::new(format!("delete_workload {within} {}", word(workload))),
            Action::Configure(keys) => Call::new(format!("configure {}", word(&json!(keys).to_string()))),
            Action::Upgrade(over) => Call::new("upgrade").reading("VALUES", self.values(step, over)),
            Action::Reinstall(over) => {
                Call::new(format!("reinstall {within}")).reading("VALUES", self.values(step, over))
            }
            Action::Backup => Call::new("backup"),
            Action::Restore => Call::new("restore"),
            Action::Restart(items) => {
                let items: Vec<Value> = items
                    .iter()
                    .map(|item| {
                        let (of, workload) = match &item.target {
                            RestartTarget::Component(component) => (component.as_str(), false),
                            RestartTarget::Workload(name) => (name.as_str(), true),
                        };
                        let on: Vec<String> = item.on.iter().map(ToString::to_string).collect();
                        json!({"of": of, "workload": workload, "on": on, "ready": item.ready})
                    })
                    .collect();
                Call::new(format!("restart {within} {}", word(&Value::from(items).to_string())))
            }
            Action::DeleteCiliumNode(node) => Call::new(format!("delete_cilium_node {within} {node}")),
            Action::Cordon(node) => Call::new(format!("cordon {node}")),
            Action::Uncordon(node) => Call::new(format!("uncordon {node}")),
            Action::RemoveNode(node) => Call::new(format!("remove_node {within} {node}")),
            Action::AddNode { node, ready } => Call::new(format!("add_node {within} {node} {ready}")),
            Action::Patch(patch) => patch_call(patch),
            Action::Exec(exec) => {
                let command: Vec<String> = exec.command.iter().map(|part| word(part)).collect();
                Call::new(format!(
                    "exec_in {} {} {} {}",
                    word(&exec.pods.to_string()),
                    exec.exit_code,
                    word(exec.stdout.as_deref().unwrap_or("-")),
                    command.join(" ")
                ))
            }
            Action::Inject(_) => {
                return Err(no("it lets something go wrong by a fault that only simulated clusters have"));
            }
            Action::Wait(wait) => wait_call(within, wait),
            Action::Expect(expect) => return Ok(self.expect(index, step, within, expect)),
            // A script has no model to ask.
            Action::Model => return Ok((None, vec!["what the model of Cilium's IPAM says".to_owned()])),
        };
        Ok((Some(call), Vec::new()))
    }

    /// All values with these over them; in force afterwards, unless they are to be refused.
    fn values(&mut self, step: &Step, over: &Map<String, Value>) -> String {
        let mut values = self.values.clone();
        cilium::values::merge(&mut values, over);
        let text = format!("{:#}", Value::Object(values.clone()));
        if step.fails.is_none() {
            self.values = values;
        }
        text
    }

    fn expect(&mut self, index: usize, step: &Step, within: u64, expect: &Expect) -> (Option<Call>, Vec<String>) {
        let mut left_out = Vec::new();
        let mut lines = Vec::new();
        for check in &expect.checks {
            match checks::data(check, &mut self.cel) {
                Some(data) => lines.push(data.to_string()),
                None => left_out.push(check.to_string()),
            }
        }
        // A `never` without one of its checks would forbid more than the scenario does.
        let weaker = matches!(expect.timing, Timing::Never(_)) && !left_out.is_empty();
        if lines.is_empty() || weaker {
            left_out = expect.checks.iter().map(ToString::to_string).collect();
            return (None, left_out);
        }
        let until = |span: Span| match span {
            Span::Steps(count) => (index + count as usize).to_string(),
            Span::For(_) | Span::Rest => "1000000".to_owned(),
        };
        let command = match expect.timing {
            Timing::Eventually => format!("expect_eventually {within}"),
            Timing::Holds(Span::For(span)) => {
                format!("expect_holds {} {}", step.within.map_or(0, seconds), span.as_millis())
            }
            Timing::Never(Span::For(span)) => format!("expect_never {}", span.as_millis()),
            Timing::Holds(span) => format!("expect_from_here holds {}", until(span)),
            Timing::Never(span) => format!("expect_from_here never {}", until(span)),
        };
        (Some(Call::new(command).reading("CHECKS", format!("[\n{}\n]", lines.join(",\n")))), left_out)
    }
}

fn patch_call(patch: &PatchStep) -> Call {
    let object = &patch.object;
    // `ciliumnode.v2.cilium.io`; of the core group the kind alone.
    let kind = object.kind.to_lowercase();
    let resource = match object.api_version.rsplit_once('/') {
        Some((group, version)) => format!("{kind}.{version}.{group}"),
        None => kind,
    };
    let (name, own) = match &object.name {
        ObjectName::Literal(name) => (word(name), "-".to_owned()),
        ObjectName::Node(role) => (format!("node:{role}"), role.to_string()),
    };
    let or_none = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), word);
    Call::new(format!(
        "patch_object {} {name} {} {} {own}",
        word(&resource),
        or_none(object.namespace.as_deref()),
        or_none(patch.subresource.as_deref())
    ))
    .reading("PATCH", patch.merge.to_string())
}

fn wait_call(within: u64, wait: &WaitFor) -> Call {
    match wait {
        WaitFor::Settled(quiet) => Call::new(format!("wait_settled {within} {}", quiet.as_secs_f64())),
        WaitFor::Ready(targets) => {
            let targets: Vec<String> = targets
                .iter()
                .map(|target| match target {
                    RestartTarget::Component(component) => format!("component {}", component.as_str()),
                    RestartTarget::Workload(name) => format!("workload {}", word(name)),
                })
                .collect();
            Call::new(format!("wait_ready {within} {}", targets.join(" ")))
        }
        WaitFor::Log { component, contains } => Call::new(format!(
            "wait_log {within} {} {} {}",
            component.as_str(),
            match component {
                Component::Agent => components::AGENT,
                Component::Operator => components::OPERATOR,
                Component::HubbleRelay => components::HUBBLE_RELAY,
                Component::CoreDns => components::COREDNS,
            }
            .container,
            word(&contains.text)
        )),
    }
}

fn skipped(title: &str, range: &VersionRange) -> String {
    format!("{title} (for Cilium {})", flat(&range.text))
}

/// Whole seconds, rounded up.
fn seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

/// The comment lines right above a line of the file.
fn above(source: &str, line: usize) -> String {
    let before: Vec<&str> = source.lines().take(line.saturating_sub(1)).collect();
    let comments = before.iter().rev().map(|line| line.trim()).take_while(|line| line.starts_with('#'));
    let mut comments: Vec<&str> = comments.map(|line| line.trim_start_matches('#').trim()).collect();
    comments.reverse();
    comments.join("\n")
}
