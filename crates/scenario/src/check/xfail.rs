//! Known bugs: each says which, why, where and how it shows.

use super::context::Context;
use crate::codes;
use crate::located::{Field, Located};
use crate::model::Xfail;
use crate::problem::Problem;
use crate::raw::{OneOrMany, RawXfail};
use crate::tree::Span;

/// The marks; those in which a problem was noted are left out.
pub(crate) fn xfail(context: &Context<'_>, field: Field<OneOrMany<RawXfail>>) -> Vec<Xfail> {
    let Some(Located { span, value: Some(marks), .. }) = field.0 else { return Vec::new() };
    if marks.as_slice().is_empty() {
        context.push(Problem::new(&codes::EMPTY_VALUE, span, "`xfail` is an empty list").help("leave `xfail` out"));
    }
    let mut found: Vec<Xfail> = Vec::new();
    for Located { span, value, .. } in marks.into_vec() {
        let Some(mark) = value.and_then(|raw| one(context, span, &raw)) else { continue };
        if found.iter().any(|other| (&other.issue, &other.pattern) == (&mark.issue, &mark.pattern)) {
            context.push(
                Problem::new(
                    &codes::DUPLICATE_ITEM,
                    span,
                    format!("`xfail` has {} with this `match` twice", mark.issue),
                )
                .help("keep one, with `versions` such as \"1.18 || 1.20\""),
            );
        }
        found.push(mark);
    }
    found
}

fn one(context: &Context<'_>, span: Span, raw: &RawXfail) -> Option<Xfail> {
    let example = "cilium/cilium#44832";
    let issue =
        context.required(&raw.issue, "issue", span, example).and_then(|(span, text)| issue(context, span, text));
    let reason = context
        .required(&raw.reason, "reason", span, "what goes wrong, in one sentence")
        .and_then(|(span, text)| context.filled(span, text, "reason", "what goes wrong, in one sentence"));
    context.required(&raw.versions, "versions", span, "\">=1.20\"");
    let versions = context.versions(&raw.versions);
    let pattern = context
        .required(&raw.r#match, "match", span, "'observed \\[\\]'")
        .and_then(|(span, text)| Some((span, context.filled(span, text, "match", "'observed \\[\\]'")?)))
        .and_then(|(span, text)| pattern(context, span, text));
    Some(Xfail {
        issue: issue?,
        reason: reason?.trim().to_owned(),
        versions: versions?,
        pattern: pattern?,
        intermittent: raw.intermittent.value().copied().unwrap_or_default(),
        line: span.line,
    })
}

/// `owner/repository#number`, or a URL: something that a reader can open.
fn issue(context: &Context<'_>, span: Span, text: &str) -> Option<String> {
    let short = |text: &str| {
        let (repository, number) = text.split_once('#')?;
        let (owner, name) = repository.split_once('/')?;
        let word = |word: &str| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        (word(owner) && word(name) && number.parse::<u64>().is_ok_and(|number| number > 0)).then_some(())
    };
    let url =
        text.strip_prefix("https://").is_some_and(|rest| rest.contains('/') && !rest.contains(char::is_whitespace));
    if short(text).is_some() || url {
        return Some(text.to_owned());
    }
    context.push(
        Problem::new(&codes::BAD_ISSUE, span, format!("`{text}` is not an issue that a reader can open"))
            .help("write `cilium/cilium#44832`, or a URL"),
    );
    None
}

/// A regular expression that does not take every failure for the known one.
fn pattern(context: &Context<'_>, span: Span, text: &str) -> Option<String> {
    let pattern = context.regex(span, text)?;
    if regex::Regex::new(&pattern).is_ok_and(|regex| regex.is_match("")) {
        context.push(
            Problem::new(
                &codes::MATCHES_ANYTHING,
                span,
                format!("`{text}` matches every failure, so a new bug would pass for the known one"),
            )
            .help("write words of the failure: the text that the run printed"),
        );
        return None;
    }
    Some(pattern)
}
