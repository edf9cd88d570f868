//! Ranges by name, and variables in texts.

use super::context::Context;
use super::pools::{self};
use crate::codes;
use crate::model::{At, CidrRef, CidrSource, NodePart, NodeRef, NodeTemplate, Template, TemplatePart, Variable};
use crate::problem::{Problem, nearest, quoted};
use crate::raw::Texts;
use crate::tree::Span;

const RANGES: [&str; 7] = [
    "ciliumNode.podCIDRs",
    "ciliumNode.podCIDR",
    "node.podCIDRs",
    "node.podCIDR",
    "agent.podCIDRs",
    "agent.podCIDR",
    "pool",
];

const VARIABLES: [&str; 7] = [
    "node.name",
    "ciliumNode.podCIDRs",
    "ciliumNode.podCIDR",
    "node.podCIDRs",
    "node.podCIDR",
    "agent.podCIDRs",
    "agent.podCIDR",
];

/// Words for whose ranges, as in scenarios.
pub(crate) const SOURCES: [CidrSource; 3] = [CidrSource::CiliumNode, CidrSource::Node, CidrSource::Agent];

/// `ciliumNode.podCIDRs`: whose, and whether it is the plural.
fn source(text: &str) -> Option<(CidrSource, bool)> {
    let (whose, what) = text.split_once('.')?;
    let source = SOURCES.into_iter().find(|source| source.as_str() == whose)?;
    match what {
        "podCIDRs" => Some((source, true)),
        "podCIDR" => Some((source, false)),
        _ => None,
    }
}

/// Splits off `@LABEL`, and checks the label.
fn at<'t>(context: &Context<'_>, span: Span, text: &'t str) -> (&'t str, Option<At>) {
    match text.split_once('@') {
        None => (text, Some(At::Now)),
        Some((name, label)) => {
            let place = context.inside(span, &format!("@{label}"));
            let place =
                if place == span { span } else { Span { column: place.column + 1, start: place.start + 1, ..place } };
            (name, context.label(place, label).map(At::Label))
        }
    }
}

/// Ranges that a check compares with.
pub(crate) fn cidr_ref(context: &Context<'_>, span: Span, texts: &Texts) -> Option<CidrRef> {
    match texts {
        Texts::Text(text) => one(context, text.span, text.value.as_deref()?),
        Texts::List(list) if list.is_empty() => {
            context.push(
                Problem::new(&codes::EMPTY_VALUE, span, "an empty list of ranges")
                    .help(format!("write a range, a list of ranges, or one of {}", quoted(RANGES))),
            );
            None
        }
        Texts::List(list) => {
            let mut nets = Vec::new();
            for item in list {
                let Some(text) = item.value.as_deref() else { continue };
                match text.parse() {
                    Ok(net) => nets.push(net),
                    Err(_) if RANGES.contains(&text.split('@').next().unwrap_or_default()) => context.push(
                        Problem::new(
                            &codes::BAD_CIDR,
                            item.span,
                            format!("a list holds ranges such as 10.0.0.0/8, not `{text}`"),
                        )
                        .help(format!("write `{text}` alone, without the list")),
                    ),
                    Err(_) => context.push(pools::bad_cidr(item.span, text).fatal()),
                }
            }
            (nets.len() == list.len()).then_some(CidrRef::Literal(nets))
        }
    }
}

fn one(context: &Context<'_>, span: Span, text: &str) -> Option<CidrRef> {
    if text == "pool" {
        return Some(CidrRef::Pool);
    }
    let (name, at) = at(context, span, text);
    if let Some((source, _)) = source(name) {
        return at.map(|at| CidrRef::Of(source, at));
    }
    if let Ok(net) = text.parse() {
        return Some(CidrRef::Literal(vec![net]));
    }
    if text.contains('/') || text.contains(':') || text.starts_with(|c: char| c.is_ascii_digit()) {
        context.push(pools::bad_cidr(span, text).fatal());
        return None;
    }
    if name == "pool" {
        context.push(
            Problem::new(&codes::UNKNOWN_RANGE, span, "`pool` is always taken as it is at the check")
                .help("write `pool` without `@`, or the ranges themselves"),
        );
        return None;
    }
    let help = match nearest(name, RANGES) {
        Some(near) => {
            format!("write `{near}`; known: {}, a range such as 10.0.0.0/8, or a list of ranges", quoted(RANGES))
        }
        None => format!("known: {}, a range such as 10.0.0.0/8, or a list of ranges", quoted(RANGES)),
    };
    context.push(
        Problem::new(&codes::UNKNOWN_RANGE, span, format!("there are no ranges by the name `{text}`")).help(help),
    );
    None
}

/// A piece of a text.
enum Piece<'t> {
    /// As is.
    Text(&'t str),
    /// The inside of `${...}`.
    Variable(&'t str),
    /// `${` without its end; noted.
    Unclosed,
}

fn pieces<'t>(context: &Context<'_>, span: Span, text: &'t str) -> Vec<Piece<'t>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find("${") {
        if begin > 0 {
            pieces.push(Piece::Text(&rest[..begin]));
        }
        let inside = &rest[begin + 2..];
        let Some(end) = inside.find('}') else {
            context.push(
                Problem::new(&codes::UNKNOWN_VARIABLE, context.inside(span, &rest[begin..]), "`${` without its `}`")
                    .help(format!("write `${{NAME}}` with one of {}", quoted(VARIABLES))),
            );
            pieces.push(Piece::Unclosed);
            return pieces;
        };
        pieces.push(Piece::Variable(&inside[..end]));
        rest = &inside[end + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

fn variable(context: &Context<'_>, span: Span, text: &str, whole: &str) -> Option<Variable> {
    let place = context.inside(span, &format!("${{{whole}}}"));
    let (name, at) = at(context, place, text);
    if name == "node.name" && !text.contains('@') {
        return Some(Variable::NodeName);
    }
    match source(name) {
        Some((source, true)) => at.map(|at| Variable::List(source, at)),
        Some((source, false)) => at.map(|at| Variable::First(source, at)),
        None => {
            let problem = Problem::new(&codes::UNKNOWN_VARIABLE, place, format!("there is no variable `${{{whole}}}`"));
            let help = match nearest(name, VARIABLES) {
                Some(near) => {
                    format!("write `${{{}{near}}}`; known: {}", &whole[..whole.len() - text.len()], quoted(VARIABLES))
                }
                None => format!("known: {}", quoted(VARIABLES)),
            };
            context.push(problem.help(help));
            None
        }
    }
}

/// A text with variables of the node in question.
pub(crate) fn template(context: &Context<'_>, span: Span, text: &str) -> Option<Template> {
    let parts = pieces(context, span, text).into_iter().map(|piece| match piece {
        Piece::Text(text) => Some(TemplatePart::Text(text.to_owned())),
        Piece::Variable(name) => variable(context, span, name, name).map(TemplatePart::Variable),
        Piece::Unclosed => None,
    });
    // All of them first, so that each unknown variable is reported.
    let parts: Vec<Option<TemplatePart>> = parts.collect();
    Some(Template { text: text.to_owned(), parts: parts.into_iter().collect::<Option<_>>()? })
}

/// A text with variables that name their node: `${worker2.ciliumNode.podCIDR}`. Where `own` is given, a variable without a
/// node means that one.
pub(crate) fn node_template(
    context: &Context<'_>,
    span: Span,
    text: &str,
    own: Option<NodeRef>,
) -> Option<NodeTemplate> {
    let parts = pieces(context, span, text).into_iter().map(|piece| {
        let whole = match piece {
            Piece::Text(text) => return Some(NodePart::Text(text.to_owned())),
            Piece::Variable(whole) => whole,
            Piece::Unclosed => return None,
        };
        let role = whole.split('.').next().unwrap_or_default();
        let rest = whole.get(role.len() + 1..).unwrap_or_default();
        let place = context.inside(span, &format!("${{{whole}}}"));
        if NodeRef::parse(role).is_some() {
            let node = context.any_node(place, role)?;
            return variable(context, span, rest, whole).map(|variable| NodePart::Variable { node, variable });
        }
        match own {
            Some(node) => variable(context, span, whole, whole).map(|variable| NodePart::Variable { node, variable }),
            None => {
                let help = match nearest(whole.split('@').next().unwrap_or_default(), VARIABLES) {
                    Some(near) => format!("write `${{worker.{near}}}`: a node's role, then the variable"),
                    None => format!("write a node's role, then one of {}", quoted(VARIABLES)),
                };
                let message = format!("`${{{whole}}}` does not begin with a node's role");
                context.push(Problem::new(&codes::UNKNOWN_VARIABLE, place, message).help(help));
                None
            }
        }
    });
    let parts: Vec<Option<NodePart>> = parts.collect();
    Some(NodeTemplate { parts: parts.into_iter().collect::<Option<_>>()? })
}
