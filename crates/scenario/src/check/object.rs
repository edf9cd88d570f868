//! Objects of the API, for `patch` and `cel`.

use super::context::Context;
use super::{kinds, reference, step};
use crate::codes;
use crate::located::Field;
use crate::model::{NodePart, NodeRef, NodeTemplate, ObjectName, ObjectRef, PatchStep};
use crate::problem::{Problem, nearest};
use crate::raw::{NodeOrName, PatchForm};
use crate::tree::{Node, Shape, Span};

/// The apiVersion: as written, or the kind's own.
pub(crate) fn api_version(
    context: &Context<'_>,
    written: &Field<String>,
    kind_span: Span,
    kind: &str,
) -> Option<String> {
    if let Some((span, text)) = written.get() {
        return context.filled(span, text, "apiVersion", "cilium.io/v2").map(str::to_owned);
    }
    if written.is_broken() {
        return None;
    }
    if let Some(known) = kinds::find(kind) {
        return Some(known.api_version.to_owned());
    }
    let help = match nearest(kind, kinds::KINDS.iter().map(|kind| kind.name)) {
        Some(near) => format!("write `kind: {near}`, or add `apiVersion: GROUP/VERSION`"),
        None => "add `apiVersion: GROUP/VERSION`".to_owned(),
    };
    context.push(
        Problem::new(&codes::UNKNOWN_KIND, kind_span, format!("the apiVersion of kind `{kind}` is not known"))
            .help(help),
    );
    None
}

/// An object's name; a node's role for Node and CiliumNode.
pub(crate) fn name(context: &Context<'_>, form: &NodeOrName, kind: &str, of: Span) -> Option<ObjectName> {
    if let NodeOrName::Map(named) = form {
        context.required(&named.node, "node", of, "worker")?;
    }
    let (span, text, by_role) = step::object_name(form)?;
    let is_role = matches!(kind, "Node" | "CiliumNode") && NodeRef::parse(text).is_some();
    if by_role || is_role {
        return context.node(span, text).map(ObjectName::Node);
    }
    context.filled(span, text, "name", "NAME").map(|text| ObjectName::Literal(text.to_owned()))
}

/// Checks a namespace against what is known of the kind.
pub(crate) fn namespace(
    context: &Context<'_>,
    field: &Field<String>,
    kind: &str,
    of: Span,
    needed: bool,
) -> Option<String> {
    match (kinds::find(kind), field.get()) {
        (Some(known), Some((span, _))) if !known.namespaced => {
            context.push(
                Problem::new(&codes::UNKNOWN_FIELD, span, format!("kind `{kind}` has no namespaces"))
                    .help("remove `namespace`"),
            );
            None
        }
        (Some(known), None) if known.namespaced && needed && !field.is_broken() => {
            context.push(
                Problem::new(
                    &codes::MISSING_FIELD,
                    of,
                    format!("`namespace` is missing: kind `{kind}` has namespaces"),
                )
                .help("write `namespace: kube-system`"),
            );
            None
        }
        (_, Some((span, text))) => context.filled(span, text, "namespace", "kube-system").map(str::to_owned),
        (_, None) => None,
    }
}

/// `patch`.
pub(crate) fn patch(context: &Context<'_>, span: Span, form: &PatchForm) -> Option<PatchStep> {
    let kind = context.required(&form.kind, "kind", span, "CiliumNode");
    let written_name = context.required(&form.name, "name", span, "worker");
    let merge = context.required(&form.merge, "merge", span, "{spec: {...}}");
    let subresource = form.subresource.get().and_then(|(span, text)| subresource(context, span, text));
    let (kind_span, kind) = kind?;
    let kind = context.filled(kind_span, kind, "kind", "CiliumNode")?;
    let api_version = api_version(context, &form.api_version, kind_span, kind);
    let namespace = namespace(context, &form.namespace, kind, span, true);
    let name = written_name.and_then(|(name_span, form)| name(context, form, kind, name_span));
    let (merge_span, merge) = merge?;
    let own = match &name {
        Some(ObjectName::Node(node)) => Some(*node),
        _ => None,
    };
    let mut filled_in = Vec::new();
    match &merge.0.value {
        Shape::Map(table) if table.entries.is_empty() => context.push(
            Problem::new(&codes::EMPTY_VALUE, merge_span, "`merge` changes nothing")
                .help("write `merge: {spec: {...}}`"),
        ),
        Shape::Map(_) => templates(context, &merge.0, "", own, &mut filled_in),
        _ => {
            let message = format!("`merge` must be a map, not {}", merge.0.describe());
            context.push(Problem::new(&codes::WRONG_TYPE, merge_span, message).help("write `merge: {spec: {...}}`"));
        }
    }
    Some(PatchStep {
        object: ObjectRef { api_version: api_version?, kind: kind.to_owned(), namespace, name: name? },
        subresource,
        merge: merge.0.to_json(),
        templates: filled_in,
    })
}

fn subresource(context: &Context<'_>, span: Span, text: &str) -> Option<String> {
    if matches!(text, "status" | "scale") {
        return Some(text.to_owned());
    }
    context.push(
        Problem::new(&codes::UNKNOWN_WORD, span, format!("`{text}` is not a subresource that can be patched"))
            .help("write `subresource: status`, or leave it out"),
    );
    None
}

/// Collects the texts of a patch that hold variables, by JSON pointer.
fn templates(
    context: &Context<'_>,
    node: &Node,
    pointer: &str,
    own: Option<NodeRef>,
    found: &mut Vec<(String, NodeTemplate)>,
) {
    match &node.value {
        Shape::Text(text) => {
            let template = reference::node_template(context, node.span, text, own);
            found.extend(
                template
                    .filter(|template| template.parts.iter().any(|part| matches!(part, NodePart::Variable { .. })))
                    .map(|template| (pointer.to_owned(), template)),
            );
        }
        Shape::List(items) => {
            for (index, item) in items.iter().enumerate() {
                templates(context, item, &format!("{pointer}/{index}"), own, found);
            }
        }
        Shape::Map(table) => {
            for entry in &table.entries {
                // RFC 6901.
                let key = entry.key.replace('~', "~0").replace('/', "~1");
                templates(context, &entry.node, &format!("{pointer}/{key}"), own, found);
            }
        }
        Shape::Null | Shape::Bool(_) | Shape::Number(..) => {}
    }
}
