//! Steps.

use std::collections::BTreeMap;

use events::Fault;

use super::context::Context;
use super::{expect, object, pools, setup};
use crate::codes;
use crate::located::Located;
use crate::model::{Action, Component, ExecStep, RestartItem, RestartTarget, Step, WaitFor};
use crate::problem::{Problem, quoted};
use crate::raw::{
    ExecForm, ExpectForm, LogForm, NodeOrName, RawAddNode, RawDeploy, RawRestart, RawStep, ScaleForm, WaitForm,
};
use crate::tree::Span;

/// One step; none where a problem was noted.
pub(crate) fn step(context: &mut Context<'_>, located: Located<RawStep>) -> Option<Step> {
    let Located { span, value, sound } = located;
    let mut raw = value?;
    let name = raw.name.get().map(|(span, text)| (span, text.clone()));
    let versions = context.versions(&raw.versions);
    let always = !raw.versions.is_there();
    let is_expect = raw.expect.is_there() && !matches!(raw.expect.value(), Some(ExpectForm::Text(_)));
    let fails = raw.fails.get().and_then(|(span, text)| refused(context, &raw, span, text));
    let outside = raw.within.get().and_then(|(span, text)| {
        if is_expect {
            context.push(
                Problem::new(&codes::WITHIN_OUTSIDE_EXPECT, span, "the deadline of an expect is written inside it")
                    .help(format!("write `expect: {{..., within: {text}}}`")),
            );
            return None;
        }
        context.duration(span, text)
    });
    let written = actions(&raw);
    if written.len() != 1 {
        // An unknown action is reported as such, and not as a missing one.
        if !written.is_empty() || sound {
            let message = match written.len() {
                0 => "this step has no action".to_owned(),
                count => format!("this step has {count} actions: {}", quoted(written.iter().copied())),
            };
            let help = match written.len() {
                0 => format!("write one of {}", quoted(ACTIONS)),
                _ => "make each of them a step of its own".to_owned(),
            };
            context.push(Problem::new(&codes::NOT_ONE_ACTION, span, message).help(help));
        }
        named(context, name);
        return None;
    }
    let built = match raw.expect.0.take() {
        Some(Located { span, value: Some(ExpectForm::Map(expect)), sound }) => {
            expect::expect(context, span, *expect, sound).map(|(expect, within)| (Action::Expect(expect), within))
        }
        Some(Located { span, value: Some(ExpectForm::Text(word)), .. }) => {
            expect::model(context, span, &word).map(|()| (Action::Model, outside))
        }
        _ => action(context, &raw, always).map(|action| (action, outside)),
    };
    let label = name.as_ref().map(|(_, name)| name.clone());
    named(context, name);
    let (action, within) = built?;
    Some(Step { name: label, versions, within, fails, action, line: span.line })
}

/// The text of a refusal. Only what asks somebody else can be refused.
fn refused(context: &Context<'_>, raw: &RawStep, span: Span, text: &str) -> Option<String> {
    let text = context.filled(span, text, "fails", "removed, use")?;
    if !raw.upgrade.is_there() && !raw.patch.is_there() {
        context.push(
            Problem::new(&codes::FAILS_NOTHING, span, "only an `upgrade` or a `patch` can be refused")
                .help("look at what follows from other steps with an `expect`"),
        );
        return None;
    }
    Some(text.to_owned())
}

/// Takes over a step's name: it counts for the steps after it.
fn named(context: &mut Context<'_>, name: Option<(Span, String)>) {
    let Some((span, name)) = name else { return };
    let fine = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !fine {
        context.push(
            Problem::new(
                &codes::BAD_NAME,
                span,
                format!("step name `{name}` is not made of letters, digits, `-` and `_`"),
            )
            .help("write a name such as `switched`; a step's title is made from its action"),
        );
    }
    if matches!(name.as_str(), "start" | "true" | "false") {
        context.push(
            Problem::new(
                &codes::RESERVED_NAME,
                span,
                format!("`{name}` already means something else: no step can have that name"),
            )
            .help("choose another name"),
        );
        return;
    }
    match context.flow.labels.get(&name) {
        Some(first) => context.push(
            Problem::new(&codes::DUPLICATE_LABEL, span, format!("an earlier step has the name `{name}` already"))
                .related(*first, "the earlier step")
                .help("give each step a name of its own"),
        ),
        None => {
            context.flow.labels.insert(name, span);
        }
    }
}

/// The names of all actions.
pub(crate) const ACTIONS: [&str; 19] = [
    "deploy",
    "scale",
    "delete",
    "configure",
    "upgrade",
    "reinstall",
    "backup",
    "restore",
    "restart",
    "deleteCiliumNode",
    "cordon",
    "uncordon",
    "removeNode",
    "addNode",
    "patch",
    "exec",
    "inject",
    "wait",
    "expect",
];

fn actions(raw: &RawStep) -> Vec<&'static str> {
    let there = [
        raw.deploy.is_there(),
        raw.scale.is_there(),
        raw.delete.is_there(),
        raw.configure.is_there(),
        raw.upgrade.is_there(),
        raw.reinstall.is_there(),
        raw.backup.is_there(),
        raw.restore.is_there(),
        raw.restart.is_there(),
        raw.delete_cilium_node.is_there(),
        raw.cordon.is_there(),
        raw.uncordon.is_there(),
        raw.remove_node.is_there(),
        raw.add_node.is_there(),
        raw.patch.is_there(),
        raw.exec.is_there(),
        raw.inject.is_there(),
        raw.wait.is_there(),
        raw.expect.is_there(),
    ];
    ACTIONS.into_iter().zip(there).filter_map(|(name, there)| there.then_some(name)).collect()
}

/// The one action that is written. `always`: the step is for every Cilium version.
fn action(context: &mut Context<'_>, raw: &RawStep, always: bool) -> Option<Action> {
    if let Some((span, form)) = raw.deploy.get() {
        return deploy(context, span, form);
    }
    if let Some((span, form)) = raw.scale.get() {
        return scale(context, span, form);
    }
    if let Some((span, name)) = raw.delete.get() {
        let workload = context.deployed(span, name)?;
        return Some(Action::Delete { workload });
    }
    if let Some((span, keys)) = raw.configure.get() {
        return configure(context, span, keys);
    }
    if let Some((_, values)) = raw.upgrade.get() {
        let table = setup::table(context, &values.0, "upgrade");
        pools::helm(context, &values.0);
        return Some(Action::Upgrade(table));
    }
    if let Some((_, values)) = raw.reinstall.get() {
        let table = setup::table(context, &values.0, "reinstall");
        pools::helm(context, &values.0);
        return Some(Action::Reinstall(table));
    }
    if raw.backup.get().is_some() {
        context.flow.backup = Some(context.flow.pools.clone());
        return Some(Action::Backup);
    }
    if let Some((span, _)) = raw.restore.get() {
        match context.flow.backup.clone() {
            Some(pools) => context.flow.pools = pools,
            None => context.push(
                Problem::new(&codes::RESTORE_WITHOUT_BACKUP, span, "there is nothing to restore at this step")
                    .help("add `- backup: cilium-config` before it"),
            ),
        }
        return Some(Action::Restore);
    }
    if let Some((span, form)) = raw.restart.get() {
        return restart(context, span, form.as_slice());
    }
    node_action(context, raw, always).or_else(|| {
        if let Some((span, form)) = raw.patch.get() {
            return object::patch(context, span, form).map(Action::Patch);
        }
        if let Some((span, form)) = raw.exec.get() {
            return exec(context, span, form);
        }
        if let Some((span, text)) = raw.inject.get() {
            return inject(context, span, text);
        }
        raw.wait.get().and_then(|(span, form)| wait(context, span, form))
    })
}

fn deploy(context: &mut Context<'_>, span: Span, form: &RawDeploy) -> Option<Action> {
    let (span, name, ready) = match form {
        RawDeploy::Text(text) => (text.span, text.value.as_deref()?, true),
        RawDeploy::Map(form) => {
            let (span, name) = context.required(&form.workload, "workload", span, "alpine")?;
            (span, name.as_str(), form.ready.value().copied().unwrap_or(true))
        }
    };
    let workload = context.workload(span, name)?;
    context.flow.deployed.insert(workload.clone());
    Some(Action::Deploy { workload, ready })
}

fn scale(context: &Context<'_>, span: Span, form: &ScaleForm) -> Option<Action> {
    let replicas = context.required(&form.replicas, "replicas", span, "5").map(|(_, replicas)| *replicas);
    let (span, name) = context.required(&form.workload, "workload", span, "alpine")?;
    let target = match context.target(span, name)? {
        RestartTarget::Component(other) if other != Component::Operator => {
            context.push(
                Problem::new(&codes::UNKNOWN_WORKLOAD, span, format!("`{name}` cannot be scaled"))
                    .help("of Cilium's parts, scale `cilium-operator`"),
            );
            return None;
        }
        target => target,
    };
    Some(Action::Scale { target, replicas: replicas?, ready: form.ready.value().copied().unwrap_or(true) })
}

fn configure(
    context: &mut Context<'_>,
    span: Span,
    keys: &crate::located::Entries<crate::raw::Written>,
) -> Option<Action> {
    if keys.0.is_empty() {
        context.push(
            Problem::new(&codes::EMPTY_VALUE, span, "`configure` changes nothing")
                .help("write `configure: {ipam: kubernetes}`"),
        );
        return None;
    }
    let mut data = BTreeMap::new();
    let mut families = Vec::new();
    for (key, _, span, value) in keys.iter() {
        families.extend(pools::configured(context, key, span, value.0.as_deref()));
        data.insert(key.to_owned(), value.0.clone());
    }
    pools::changed(context, &families, span);
    Some(Action::Configure(data))
}

fn restart(context: &Context<'_>, span: Span, forms: &[Located<RawRestart>]) -> Option<Action> {
    if forms.is_empty() {
        context.push(
            Problem::new(&codes::EMPTY_VALUE, span, "`restart` names nothing")
                .help("write `restart: [cilium-agent, hubble-relay]`"),
        );
        return None;
    }
    let mut items: Vec<RestartItem> = Vec::new();
    for form in forms {
        let Some(value) = &form.value else { continue };
        let (span, item) = match value {
            RawRestart::Text(text) => {
                let target = text.value.as_deref().and_then(|name| context.target(text.span, name));
                (text.span, target.map(|target| RestartItem { target, on: Vec::new(), ready: true }))
            }
            RawRestart::Map(form_map) => {
                let on = context.on(&form_map.on);
                let ready = form_map.ready.value().copied().unwrap_or(true);
                let of = context.required(&form_map.of, "of", form.span, "cilium-agent");
                let target = of.and_then(|(span, name)| context.target(span, name));
                (of.map_or(form.span, |(span, _)| span), target.map(|target| RestartItem { target, on, ready }))
            }
        };
        let Some(item) = item else { continue };
        if items.contains(&item) {
            context.push(Problem::new(&codes::DUPLICATE_ITEM, span, "`restart` names this twice").help("name it once"));
        }
        items.push(item);
    }
    (items.len() == forms.len()).then_some(Action::Restart(items))
}

fn node_action(context: &mut Context<'_>, raw: &RawStep, always: bool) -> Option<Action> {
    if let Some((span, name)) = raw.delete_cilium_node.get() {
        return context.node(span, name).map(Action::DeleteCiliumNode);
    }
    if let Some((span, name)) = raw.cordon.get() {
        return context.node(span, name).map(Action::Cordon);
    }
    if let Some((span, name)) = raw.uncordon.get() {
        return context.node(span, name).map(Action::Uncordon);
    }
    if let Some((span, name)) = raw.remove_node.get() {
        let node = context.node(span, name)?;
        if node == crate::model::NodeRef::ControlPlane {
            context.push(
                Problem::new(
                    &codes::UNKNOWN_NODE,
                    span,
                    "the control-plane node cannot be removed: the API runs on it",
                )
                .help("write a worker, such as `worker`"),
            );
            return None;
        }
        context.flow.removed.insert(node, (span, always));
        return Some(Action::RemoveNode(node));
    }
    let (span, form) = raw.add_node.get()?;
    let (span, name, ready) = match form {
        RawAddNode::Text(text) => (text.span, text.value.as_deref()?, true),
        RawAddNode::Map(form) => {
            let (span, name) = context.required(&form.node, "node", span, "worker")?;
            (span, name.as_str(), form.ready.value().copied().unwrap_or(true))
        }
    };
    let node = context.any_node(span, name)?;
    match context.flow.removed.get(&node).copied() {
        None => context.push(
            Problem::new(&codes::NODE_NOT_REMOVED, span, format!("node `{node}` is there already at this step"))
                .help(format!("take it out before with `- removeNode: {node}`; for a larger cluster, set `cluster: {{workers: ...}}`")),
        ),
        Some(_) if always => {
            context.flow.removed.remove(&node);
        }
        Some((place, _)) => {
            context.flow.removed.insert(node, (place, false));
        }
    }
    Some(Action::AddNode { node, ready })
}

fn exec(context: &Context<'_>, span: Span, form: &ExecForm) -> Option<Action> {
    let command = context.required(&form.command, "command", span, "[ip, addr]").map(|(span, list)| {
        let texts = context.texts(span, list, "command", "[ip, addr]");
        texts.into_iter().map(|(_, text)| text.to_owned()).collect::<Vec<_>>()
    });
    let stdout = form.stdout.get().map(|(span, text)| context.regex(span, text));
    let (span, of) = context.required(&form.of, "of", span, "alpine")?;
    let pods = context.pod_set(span, of)?;
    let exit_code = form.exit_code.value().copied().unwrap_or(0);
    let stdout = match stdout {
        Some(regex) => Some(regex?),
        None => None,
    };
    Some(Action::Exec(ExecStep { pods, command: command?, exit_code, stdout }))
}

fn inject(context: &Context<'_>, span: Span, text: &str) -> Option<Action> {
    match text.parse::<Fault>() {
        Ok(Fault::AgentCrash(node) | Fault::NodeLoss(node) | Fault::DiskFull(node))
            if context.any_node(span, &node).is_none() =>
        {
            None
        }
        Ok(fault) => Some(Action::Inject(fault)),
        Err(error) => {
            context.push(
                Problem::new(&codes::BAD_FAULT, span, error.to_string())
                    .help("write `inject: agent-crash=worker`, or another of those"),
            );
            None
        }
    }
}

fn wait(context: &Context<'_>, span: Span, form: &WaitForm) -> Option<Action> {
    let names = ["settled", "ready", "log"];
    let there = [form.settled.is_there(), form.ready.is_there(), form.log.is_there()];
    let count = there.into_iter().filter(|there| *there).count();
    if count != 1 {
        let written = names.into_iter().zip(there).filter_map(|(name, there)| there.then_some(name));
        let message = match count {
            0 => "`wait` does not say for what".to_owned(),
            _ => format!("`wait` has {}, which exclude each other", quoted(written)),
        };
        context.absent(
            span,
            &names,
            Problem::new(&codes::NOT_ONE_CHOICE, span, message).help(
                "write one of `settled: 5s`, `ready: [cilium-agent]`, `log: {of: cilium-operator, contains: \"...\"}`",
            ),
        );
        return None;
    }
    if let Some((span, text)) = form.settled.get() {
        return context.duration(span, text).map(|duration| Action::Wait(WaitFor::Settled(duration)));
    }
    if let Some((span, list)) = form.ready.get() {
        let names = context.texts(span, list, "ready", "[cilium-agent]");
        let targets: Vec<RestartTarget> = names.iter().filter_map(|(span, name)| context.target(*span, name)).collect();
        return (!targets.is_empty() && targets.len() == list.len()).then_some(Action::Wait(WaitFor::Ready(targets)));
    }
    let (span, log) = form.log.get()?;
    wait_log(context, span, log)
}

fn wait_log(context: &Context<'_>, span: Span, form: &LogForm) -> Option<Action> {
    let contains = context.required(&form.contains, "contains", span, "\"...\"").and_then(|(span, text)| {
        let text = context.filled(span, text, "contains", "\"...\"")?;
        super::reference::template(context, span, text)
    });
    let (span, of) = context.required(&form.of, "of", span, "cilium-operator")?;
    let component = context.component(span, of)?;
    Some(Action::Wait(WaitFor::Log { component, contains: contains? }))
}

/// Keeps the name of an object in one place for `patch` and `cel`.
pub(crate) fn object_name(form: &NodeOrName) -> Option<(Span, &str, bool)> {
    match form {
        NodeOrName::Text(text) => Some((text.span, text.value.as_deref()?, false)),
        NodeOrName::Map(named) => named.node.get().map(|(span, text)| (span, text.as_str(), true)),
    }
}
