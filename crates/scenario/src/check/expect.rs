//! `expect`: checks, quantifiers and timing.

use std::time::Duration;

use super::context::Context;
use super::{checks, pools};
use crate::codes;
use crate::located::{Field, Located};
use crate::model::{Check, Expect, Quantity, Span as Stretch, Timing};
use crate::problem::{Problem, quoted};
use crate::raw::{EXPECT_TIMING, Exactly, OneOrMany, RawExpect, RawSpan, RawSteps};
use crate::tree::Span;

/// The names of all checks.
pub(crate) const CHECKS: [&str; 8] =
    ["podIPs", "operatorStatus", "podCIDRs", "pods", "config", "agents", "cel", "reachability"];

/// An expect and its deadline. `sound`: nothing was wrong in its shape.
pub(crate) fn expect(
    context: &Context<'_>,
    span: Span,
    raw: RawExpect,
    sound: bool,
) -> Option<(Expect, Option<Duration>)> {
    let before = context.sink.len();
    let within = raw.within.get().and_then(|(span, text)| context.duration(span, text));
    let timing = timing(context, &raw);
    let mut list = Vec::new();
    each(raw.pod_ips, |span, check| list.extend(checks::pod_ips(context, span, check)));
    each(raw.operator_status, |span, check| list.extend(checks::operator_status(context, span, check)));
    each(raw.pod_cidrs, |span, check| list.extend(checks::pod_cidrs(context, span, check)));
    each(raw.pods, |span, check| list.extend(checks::pods(context, span, &check)));
    each(raw.config, |span, check| list.extend(checks::config(context, span, &check)));
    each(raw.agents, |span, check| list.extend(checks::agents(context, span, check)));
    each(raw.cel, |span, check| list.extend(checks::cel(context, span, check)));
    each(raw.reachability, |span, check| list.extend(checks::reachability(context, span, check)));
    if list.is_empty() && sound && context.sink.len() == before {
        context.push(
            Problem::new(&codes::EMPTY_EXPECT, span, "this expect checks nothing, so it would always hold")
                .help(format!("write at least one of {} beside {}", quoted(CHECKS), quoted(EXPECT_TIMING))),
        );
        return None;
    }
    Some((Expect { checks: list, timing: timing? }, within))
}

/// `expect: model`.
pub(crate) fn model(context: &Context<'_>, span: Span, word: &str) -> Option<()> {
    if word == "model" {
        return Some(());
    }
    let message = format!("an expect is a map of checks, or the word `model`, and not `{word}`");
    context.push(
        Problem::new(&codes::UNKNOWN_WORD, span, message)
            .help(format!("write `expect: model`, or at least one of {}", quoted(CHECKS))),
    );
    None
}

/// Every check of a key, with its place.
fn each<T>(field: Field<OneOrMany<T>>, mut visit: impl FnMut(Span, T)) {
    let Some(checks) = field.into_value() else { return };
    for Located { span, value, .. } in checks.into_vec() {
        if let Some(value) = value {
            visit(span, value);
        }
    }
}

fn timing(context: &Context<'_>, raw: &RawExpect) -> Option<Timing> {
    match (raw.holds.get(), raw.never.get()) {
        (Some(_), Some((span, _))) => {
            context.push(
                Problem::new(&codes::NOT_ONE_CHOICE, span, "`holds` and `never` exclude each other")
                    .help("make them two steps"),
            );
            None
        }
        (Some((span, form)), None) => stretch(context, span, form, "holds").map(Timing::Holds),
        (None, Some((span, form))) => {
            if let Some((within, _)) = raw.within.get() {
                context.push(
                    Problem::new(&codes::NOT_ONE_CHOICE, within, "`never` begins at once, so `within` says nothing")
                        .help("remove `within`, or wait in a step before"),
                );
            }
            stretch(context, span, form, "never").map(Timing::Never)
        }
        (None, None) if raw.holds.is_broken() || raw.never.is_broken() => None,
        (None, None) => Some(Timing::Eventually),
    }
}

fn stretch(context: &Context<'_>, span: Span, form: &RawSpan, name: &str) -> Option<Stretch> {
    match form {
        RawSpan::Text(text) => context.duration(text.span, text.value.as_deref()?).map(Stretch::For),
        RawSpan::Map(form) => match context.required(&form.steps, "steps", span, "2")? {
            (span, RawSteps::Number(0)) => {
                context.push(
                    Problem::new(&codes::ZERO_DURATION, span, format!("`{name}` for no step at all"))
                        .help("write the number of steps, or `rest`"),
                );
                None
            }
            (_, RawSteps::Number(count)) => Some(Stretch::Steps(*count)),
            (_, RawSteps::Text(text)) if text == "rest" => Some(Stretch::Rest),
            (span, RawSteps::Text(text)) => {
                context.push(
                    Problem::new(
                        &codes::UNKNOWN_WORD,
                        span,
                        format!("`{text}` is neither a number of steps nor `rest`"),
                    )
                    .help("write `steps: 2` or `steps: rest`"),
                );
                None
            }
        },
    }
}

/// A check's quantifiers, each with what must match. Reports a check without any.
pub(crate) fn quantities<M, E: Exactly<M>>(
    context: &Context<'_>,
    span: Span,
    fields: [(&str, Quantity, Field<M>); 3],
    exactly: Field<E>,
    example: &str,
) -> Vec<(Quantity, Span, M)> {
    let mut found = Vec::new();
    let mut written = false;
    for (_, quantity, field) in fields {
        written |= field.is_there();
        if let Some(Located { span, value: Some(value), .. }) = field.0 {
            found.push((quantity, span, value));
        }
    }
    if let Some(Located { span, value, sound }) = exactly.0 {
        written = true;
        if let Some(value) = value {
            let (count, matcher) = value.split();
            let count = context.required(&count, "count", span, "2").map(|(_, count)| *count);
            match (count, matcher) {
                (Some(count), Some(matcher)) => found.push((Quantity::Exactly(index(count)), span, matcher)),
                (_, None) if sound => context.push(
                    Problem::new(&codes::MISSING_FIELD, span, "`exactly` does not say what must match")
                        .help(format!("write it beside `count`; for all of them: `every: {example}`")),
                ),
                _ => {}
            }
        }
    }
    if !written {
        context.absent(
            span,
            &["every", "some", "none", "exactly"],
            Problem::new(&codes::NOT_ONE_CHOICE, span, "this check does not say how many must match")
                .help(format!("add `every: {example}`, or `some`, `none` or `exactly`")),
        );
    }
    found
}

/// A number of objects.
pub(crate) fn index(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// An IPAM mode that a check speaks about.
pub(crate) fn mode(context: &Context<'_>, span: Span, text: &str) -> Option<crate::model::IpamMode> {
    if let Some(problem) = pools::mode(span, text) {
        context.push(problem.fatal());
    }
    crate::model::IpamMode::parse(text)
}

/// For [`Vec::extend`] of a check that may not have come to be.
pub(crate) type Checks = Vec<Check>;
