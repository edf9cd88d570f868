//! Variables in the texts of a patch: `${worker2.ciliumNode.podCIDR}`. In a patch of a node's own object, one without a node's role
//! means that node.

use scenario::model::{At, CidrSource, NodeRef, Template, TemplatePart, Variable};
use serde_json::{Map, Value};

use crate::check::render;
use crate::failure::StepError;
use crate::session::Session;

/// The patch with every variable in its texts filled in.
pub(super) fn fill(session: &Session, patch: &Value, own: Option<NodeRef>) -> Result<Value, StepError> {
    Ok(match patch {
        Value::String(text) => Value::String(filled(session, text, own)?),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| fill(session, item, own)).collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| Ok((name.clone(), fill(session, value, own)?)));
            Value::Object(fields.collect::<Result<Map<_, _>, StepError>>()?)
        }
        other => other.clone(),
    })
}

fn filled(session: &Session, text: &str, own: Option<NodeRef>) -> Result<String, StepError> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once("${") {
        filled.push_str(before);
        // Validation has seen to it that it ends, and that there is such a variable.
        let (name, after) = inside.split_once('}').ok_or_else(|| unknown(inside))?;
        filled.push_str(&value(session, name, own)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn value(session: &Session, text: &str, own: Option<NodeRef>) -> Result<String, StepError> {
    let (role, name) = match text.split_once('.').map(|(first, rest)| (NodeRef::parse(first), rest)) {
        Some((Some(role), rest)) => (role, rest),
        _ => (own.ok_or_else(|| unknown(text))?, text),
    };
    let node = session.node(role)?;
    let part = TemplatePart::Variable(variable(name).ok_or_else(|| unknown(text))?);
    let template = Template { text: text.to_owned(), parts: vec![part] };
    render(&session.context(), &template, &node).map_err(|why| {
        let message = format!("`${{{text}}}` has no value: {why}");
        StepError::Mismatch { message, mismatches: Vec::new() }
    })
}

fn variable(text: &str) -> Option<Variable> {
    if text == "node.name" {
        return Some(Variable::NodeName);
    }
    let (name, at) = match text.split_once('@') {
        Some((name, label)) => (name, At::Label(label.to_owned())),
        None => (text, At::Now),
    };
    let (source, field) = name.split_once('.')?;
    let source =
        [CidrSource::CiliumNode, CidrSource::Node, CidrSource::Agent].into_iter().find(|s| s.as_str() == source)?;
    match field {
        "podCIDRs" => Some(Variable::List(source, at)),
        "podCIDR" => Some(Variable::First(source, at)),
        _ => None,
    }
}

fn unknown(text: &str) -> StepError {
    StepError::Input { message: format!("there is no variable `${{{text}}}` in a patch") }
}
