//! The checks of an `expect`, one function each.

use std::collections::BTreeMap;

use super::context::Context;
use super::expect::{Checks, index, mode, quantities};
use super::object;
use super::reference::{self, SOURCES};
use crate::codes;
use crate::model::{
    AgentMatcher, At, Check, CidrMatcher, IpMatcher, Quantity, Reach, Since as Unchanged, StatusMatcher, ValueMatcher,
};
use crate::problem::{Problem, quoted, suggest};
use crate::raw::{
    AgentMatch, AgentsCheck, CelCheck, CidrMatch, ConfigCheck, PodCidrsCheck, PodIpsCheck, PodsCheck, RawReach,
    RawStatus, Reachability, Since, StatusCheck, StatusMatch,
};
use crate::tree::Span;

macro_rules! quantified {
    ($context:expr, $span:expr, $raw:ident, $example:literal) => {
        quantities(
            $context,
            $span,
            [
                ("every", Quantity::Every, $raw.every),
                ("some", Quantity::Some, $raw.some),
                ("none", Quantity::None, $raw.none),
            ],
            $raw.exactly,
            $example,
        )
    };
}

pub(super) fn pod_ips(context: &Context<'_>, span: Span, raw: PodIpsCheck) -> Checks {
    let on = context.on(&raw.on);
    let of = context.required(&raw.of, "of", span, "alpine").and_then(|(span, text)| context.pod_set(span, text));
    let found = quantified!(context, span, raw, "{within: node.podCIDR}");
    let matched = found.into_iter().filter_map(|(quantity, span, matcher)| {
        let (span, texts) = context.required(&matcher.within, "within", span, "node.podCIDR")?;
        Some((quantity, IpMatcher::Within(reference::cidr_ref(context, span, texts)?)))
    });
    let matched: Vec<_> = matched.collect();
    let Some(of) = of else { return Vec::new() };
    matched
        .into_iter()
        .map(|(quantity, matcher)| Check::PodIps { of: of.clone(), on: on.clone(), quantity, matcher })
        .collect()
}

pub(super) fn operator_status(context: &Context<'_>, span: Span, raw: StatusCheck) -> Checks {
    let on = context.on(&raw.on);
    let found = quantified!(context, span, raw, "clear");
    found
        .into_iter()
        .filter_map(|(quantity, span, status)| {
            let matcher = match status {
                RawStatus::Text(text) => clear(context, text.span, text.value.as_deref()?)?,
                RawStatus::Map(form) => status_match(context, span, &form)?,
            };
            Some(Check::OperatorStatus { on: on.clone(), quantity, matcher })
        })
        .collect()
}

const STATUS_HELP: &str = "write `clear`, `{error: \"the whole text\"}` or `{matches: \"a regular expression\"}`";

fn clear(context: &Context<'_>, span: Span, text: &str) -> Option<StatusMatcher> {
    if text == "clear" {
        return Some(StatusMatcher::Clear);
    }
    let message = format!("`{}` is not an operator-status", crate::tree::shorten(text));
    context.push(Problem::new(&codes::UNKNOWN_WORD, span, message).help(STATUS_HELP));
    None
}

fn status_match(context: &Context<'_>, span: Span, form: &StatusMatch) -> Option<StatusMatcher> {
    let there = [form.clear.is_there(), form.error.is_there(), form.matches.is_there()];
    if there.into_iter().filter(|there| *there).count() != 1 {
        context.absent(
            span,
            &["clear", "error", "matches"],
            Problem::new(&codes::NOT_ONE_CHOICE, span, "an operator-status is one of `clear`, `error` and `matches`")
                .help(STATUS_HELP),
        );
        return None;
    }
    if let Some((span, flag)) = form.clear.get() {
        if *flag {
            return Some(StatusMatcher::Clear);
        }
        context.push(
            Problem::new(&codes::UNKNOWN_WORD, span, "`clear: false` is written as an error that matches anything")
                .help("write `{matches: \".\"}`"),
        );
        return None;
    }
    if let Some((span, text)) = form.error.get() {
        let text = context.filled(span, text, "error", "\"the whole text\"")?;
        return reference::template(context, span, text).map(StatusMatcher::Error);
    }
    let (span, text) = form.matches.get()?;
    let text = context.filled(span, text, "matches", "\"a regular expression\"")?;
    context.regex(span, text).map(StatusMatcher::Matches)
}

pub(super) fn pod_cidrs(context: &Context<'_>, span: Span, raw: PodCidrsCheck) -> Checks {
    let on = context.on(&raw.on);
    let of = context.required(&raw.of, "of", span, "ciliumNode").and_then(|(span, text)| {
        let found = SOURCES.into_iter().find(|source| source.as_str() == text);
        if found.is_none() {
            let help = suggest(text, SOURCES.map(crate::model::CidrSource::as_str));
            context.push(
                Problem::new(&codes::UNKNOWN_WORD, span, format!("nobody called `{text}` has podCIDRs")).help(help),
            );
        }
        found
    });
    let found = quantified!(context, span, raw, "{within: pool}");
    let matched: Vec<_> = found
        .into_iter()
        .filter_map(|(quantity, span, matcher)| Some((quantity, cidr_match(context, span, &matcher)?)))
        .collect();
    let Some(of) = of else { return Vec::new() };
    matched.into_iter().map(|(quantity, matcher)| Check::PodCidrs { of, on: on.clone(), quantity, matcher }).collect()
}

fn cidr_match(context: &Context<'_>, span: Span, form: &CidrMatch) -> Option<Vec<CidrMatcher>> {
    let mut wanted = 0;
    let mut matchers = Vec::new();
    for (field, make) in [
        (&form.equal, CidrMatcher::Equal as fn(_) -> _),
        (&form.within, CidrMatcher::Within),
        (&form.disjoint, CidrMatcher::Disjoint),
    ] {
        wanted += usize::from(field.is_there());
        matchers.extend(field.get().and_then(|(span, texts)| reference::cidr_ref(context, span, texts)).map(make));
    }
    wanted += usize::from(form.unchanged.is_there());
    matchers.extend(
        form.unchanged
            .get()
            .and_then(|(span, text)| context.label(span, text))
            .map(|label| CidrMatcher::Unchanged(At::Label(label))),
    );
    wanted += usize::from(form.mask.is_there());
    if let Some((span, mask)) = form.mask.get() {
        if *mask > 128 {
            context.push(
                Problem::new(&codes::MASK_OUT_OF_RANGE, span, format!("no address family has mask size {mask}"))
                    .fatal()
                    .help("write a number up to 32 for IPv4, up to 128 for IPv6"),
            );
        }
        matchers.push(CidrMatcher::Mask(*mask));
    }
    wanted += usize::from(form.empty.is_there());
    matchers.extend(form.empty.value().map(|empty| CidrMatcher::Empty(*empty)));
    if wanted == 0 {
        let names = ["equal", "within", "disjoint", "unchanged", "mask", "empty"];
        context.absent(
            span,
            &names,
            Problem::new(&codes::EMPTY_VALUE, span, "this does not say what the podCIDRs must be")
                .help(format!("write at least one of {}", quoted(names))),
        );
    }
    (wanted > 0 && matchers.len() == wanted).then_some(matchers)
}

pub(super) fn pods(context: &Context<'_>, span: Span, raw: &PodsCheck) -> Checks {
    let on = context.on(&raw.on);
    let of = context.required(&raw.of, "of", span, "alpine").and_then(|(span, text)| context.pod_set(span, text));
    if ![raw.unchanged.is_there(), raw.count.is_there(), raw.ready.is_there(), raw.endpoints.is_there()].contains(&true)
    {
        let names = ["unchanged", "count", "ready", "endpoints"];
        context.absent(
            span,
            &names,
            Problem::new(&codes::EMPTY_VALUE, span, "this does not say what the pods must be")
                .help(format!("write at least one of {}", quoted(names))),
        );
        return Vec::new();
    }
    let unchanged = raw.unchanged.get().map(|(span, since)| match since {
        Since::Flag(true) => Some(Unchanged::Rollout),
        Since::Flag(false) => {
            context.push(
                Problem::new(&codes::UNKNOWN_WORD, span, "`unchanged: false` says nothing about pods")
                    .help("leave it out; that pods are new shows in their addresses or in an earlier `unchanged`"),
            );
            None
        }
        Since::Text(label) => context.label(span, label).map(Unchanged::Label),
    });
    let unchanged = match unchanged {
        Some(None) => return Vec::new(),
        Some(since) => since,
        None => None,
    };
    let Some(of) = of else { return Vec::new() };
    vec![Check::Pods {
        of,
        on,
        unchanged,
        count: raw.count.value().copied().map(index),
        ready: raw.ready.value().copied().map(index),
        endpoints: raw.endpoints.value().copied().map(index),
    }]
}

pub(super) fn config(context: &Context<'_>, span: Span, raw: &ConfigCheck) -> Checks {
    if raw.0.is_empty() {
        context.push(
            Problem::new(&codes::EMPTY_VALUE, span, "`config` names no key").help("write `config: {ipam: kubernetes}`"),
        );
        return Vec::new();
    }
    let keys: BTreeMap<String, ValueMatcher> = raw
        .iter()
        .map(|(key, _, _, value)| {
            let matcher = match &value.0 {
                Some(text) => ValueMatcher::Equal(text.clone()),
                None => ValueMatcher::Absent,
            };
            (key.to_owned(), matcher)
        })
        .collect();
    if keys.is_empty() { Vec::new() } else { vec![Check::Config(keys)] }
}

pub(super) fn agents(context: &Context<'_>, span: Span, raw: AgentsCheck) -> Checks {
    let on = context.on(&raw.on);
    let found = quantified!(context, span, raw, "{ready: true}");
    found
        .into_iter()
        .filter_map(|(quantity, span, matcher)| {
            Some(Check::Agents { on: on.clone(), quantity, matcher: agent_match(context, span, &matcher)? })
        })
        .collect()
}

fn agent_match(context: &Context<'_>, span: Span, form: &AgentMatch) -> Option<AgentMatcher> {
    if ![form.ipam.is_there(), form.ready.is_there(), form.crash_looping.is_there()].contains(&true) {
        let names = ["ipam", "ready", "crashLooping"];
        context.absent(
            span,
            &names,
            Problem::new(&codes::EMPTY_VALUE, span, "this does not say what the agents must be")
                .help(format!("write at least one of {}", quoted(names))),
        );
        return None;
    }
    let ipam = match form.ipam.get() {
        Some((span, text)) => Some(mode(context, span, text)?),
        None => None,
    };
    Some(AgentMatcher { ipam, ready: form.ready.value().copied(), crash_looping: form.crash_looping.value().copied() })
}

pub(super) fn cel(context: &Context<'_>, span: Span, raw: CelCheck) -> Checks {
    let kind = context.required(&raw.kind, "kind", span, "CiliumNode");
    let found = quantified!(context, span, raw, "\"size(self.spec.ipam.podCIDRs) == 1\"");
    let expressions: Vec<_> = found
        .into_iter()
        .filter_map(|(quantity, span, text)| {
            let text = context.filled(span, &text, "cel", "\"self.metadata.name != ''\"")?.to_owned();
            Some((quantity, text))
        })
        .collect();
    let Some((kind_span, kind)) = kind else { return Vec::new() };
    let Some(kind) = context.filled(kind_span, kind, "kind", "CiliumNode") else { return Vec::new() };
    let api_version = object::api_version(context, &raw.api_version, kind_span, kind);
    let namespace = object::namespace(context, &raw.namespace, kind, span, false);
    let name = match raw.name.get() {
        Some((span, form)) => match object::name(context, form, kind, span) {
            Some(name) => Some(name),
            None => return Vec::new(),
        },
        None => None,
    };
    let Some(api_version) = api_version else { return Vec::new() };
    expressions
        .into_iter()
        .map(|(quantity, expression)| Check::Cel {
            api_version: api_version.clone(),
            kind: kind.to_owned(),
            namespace: namespace.clone(),
            name: name.clone(),
            quantity,
            expression,
        })
        .collect()
}

pub(super) fn reachability(context: &Context<'_>, span: Span, raw: Reachability) -> Checks {
    let from = context.required(&raw.from, "from", span, "alpine").and_then(|(span, text)| context.pod_set(span, text));
    let to = context.required(&raw.to, "to", span, "alpine").and_then(|(span, text)| context.pod_set(span, text));
    let found = quantified!(context, span, raw, "reachable");
    let (Some(from), Some(to)) = (from, to) else { return Vec::new() };
    found
        .into_iter()
        .map(|(quantity, _, reach)| Check::Reachability {
            from: from.clone(),
            to: to.clone(),
            quantity,
            matcher: match reach {
                RawReach::Reachable => Reach::Reachable,
                RawReach::Unreachable => Reach::Unreachable,
            },
        })
        .collect()
}
