//! Invariants that are off.

use std::collections::BTreeMap;

use events::Invariant;

use super::context::Context;
use crate::codes;
use crate::located::Field;
use crate::model::{Off, VersionRange};
use crate::problem::{Problem, suggest};
use crate::raw::{RawInvariants, RawOff};
use crate::tree::Span;

const EXAMPLE: &str = "\"why the scenario breaks it\"";

/// The invariants that the scenario breaks on purpose.
pub(crate) fn off(context: &Context<'_>, raw: &Field<RawInvariants>) -> BTreeMap<Invariant, Off> {
    let Some((span, raw)) = raw.get() else { return BTreeMap::new() };
    let example = format!("{{{}: {EXAMPLE}}}", Invariant::PodCidrsDisjoint);
    let Some((span, entries)) = context.required(&raw.off, "off", span, &example) else { return BTreeMap::new() };
    if entries.keys().next().is_none() {
        context.push(
            Problem::new(&codes::EMPTY_VALUE, span, "`off` names no invariant")
                .help(format!("write `off: {example}`, or leave `invariants` out")),
        );
    }
    let mut off = BTreeMap::new();
    for (name, key_span, value_span, raw) in entries.iter() {
        let invariant = name.parse::<Invariant>().ok();
        if invariant.is_none() {
            context.push(
                Problem::new(&codes::UNKNOWN_INVARIANT, key_span, format!("there is no invariant `{name}`"))
                    .help(suggest(name, Invariant::names())),
            );
        }
        let why = why(context, name, value_span, raw);
        if let (Some(invariant), Some(why)) = (invariant, why) {
            off.insert(invariant, why);
        }
    }
    off
}

fn why(context: &Context<'_>, name: &str, span: Span, raw: &RawOff) -> Option<Off> {
    let (reason, versions) = match raw {
        RawOff::Text(text) => (Some((text.span, text.value.as_ref()?)), Some(VersionRange::any())),
        RawOff::Map(form) => {
            let reason = context.required(&form.reason, "reason", span, EXAMPLE);
            let versions =
                if form.versions.is_there() { context.versions(&form.versions) } else { Some(VersionRange::any()) };
            (reason, versions)
        }
    };
    let (span, reason) = reason?;
    if reason.trim().is_empty() {
        context.push(
            Problem::new(&codes::EMPTY_VALUE, span, format!("`{name}` is off without a reason"))
                .help(format!("write `{name}: {EXAMPLE}`")),
        );
        return None;
    }
    Some(Off { reason: reason.trim().to_owned(), versions: versions? })
}
