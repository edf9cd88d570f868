//! `cel`: an expression over any object.

use std::collections::BTreeMap;

use kube_cel::KubeCelExt;
use kube_cel::cel::{Context as CelContext, Program, Value as CelValue, to_value};
use scenario::model::{NodeRef, ObjectName, Quantity};

use super::{Context, Subject, Verdict};
use crate::observe::KindName;

/// Compiled expressions, by their text.
#[derive(Default)]
pub(crate) struct Programs(BTreeMap<String, Program>);

impl Programs {
    /// Compiles an expression once; the error is the compiler's own text.
    pub(crate) fn add(&mut self, expression: &str) -> Result<(), String> {
        if !self.0.contains_key(expression) {
            let program = Program::compile(expression).map_err(|error| error.to_string())?;
            self.0.insert(expression.to_owned(), program);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Programs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The objects that an expression is applied to.
pub(super) struct Filter<'a> {
    pub(super) kind: &'a KindName,
    pub(super) namespace: Option<&'a str>,
    pub(super) name: Option<&'a ObjectName>,
}

pub(super) fn evaluate(
    context: &Context<'_>,
    filter: &Filter<'_>,
    quantity: Quantity,
    expression: &str,
) -> Result<Verdict, NodeRef> {
    let name = match filter.name {
        None => None,
        Some(ObjectName::Literal(name)) => Some(name.clone()),
        Some(ObjectName::Node(role)) => Some(context.nodes(&[*role])?.remove(0)),
    };
    let objects = context.world.objects.get(filter.kind);
    let subjects: Vec<Subject> = objects
        .into_iter()
        .flatten()
        .filter(|((namespace, n), _)| {
            filter.namespace.is_none_or(|wanted| wanted == namespace) && name.as_ref().is_none_or(|wanted| wanted == n)
        })
        .map(|((namespace, name), object)| {
            let (observed, matches) = match run(context.programs, expression, object) {
                Ok(CelValue::Bool(value)) => (value.to_string(), Some(value)),
                Ok(other) => (format!("{other:?}, which is not a boolean"), None),
                Err(error) => (format!("the expression has no value: {error}"), None),
            };
            let slash = if namespace.is_empty() { "" } else { "/" };
            Subject {
                object: format!("{}/{namespace}{slash}{name}", filter.kind.kind),
                field: expression.to_owned(),
                expected: "true".to_owned(),
                observed,
                matches,
            }
        })
        .collect();
    Ok(Verdict::quantify(quantity, &format!("{} objects", filter.kind.kind), &subjects))
}

fn run(programs: &Programs, expression: &str, object: &serde_json::Value) -> Result<CelValue, String> {
    let program = programs.0.get(expression).ok_or("it was not compiled")?;
    let mut context = CelContext::default().with_all();
    let value = to_value(object).map_err(|error| error.to_string())?;
    context.add_variable_from_value("self", value);
    program.execute(&context).map_err(|error| error.to_string())
}
