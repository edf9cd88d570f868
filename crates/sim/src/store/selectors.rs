//! Label and field selectors: parsing with Kubernetes' texts, and matching.

use super::object::Meta;
use super::{Resource, Status};

/// What a list or watch selects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// `labelSelector`.
    pub labels: Vec<Requirement>,
    /// `fieldSelector`.
    pub fields: Vec<FieldTerm>,
}

/// One term of a label selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "Kubernetes' operators by name")]
pub enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    GreaterThan,
    LessThan,
}

/// One term of a field selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldTerm {
    /// `status.phase`.
    pub field: String,
    /// `=` or `!=`.
    pub equal: bool,
    /// The value.
    pub value: String,
}

impl Selection {
    /// Everything.
    pub fn all() -> Selection {
        Selection::default()
    }

    /// Parses the two query parameters.
    pub fn parse(resource: Resource, labels: &str, fields: &str) -> Result<Selection, Status> {
        let labels = parse_labels(labels)?;
        let fields = parse_fields(resource, fields)?;
        Ok(Selection { labels, fields })
    }

    /// Whether an object is selected.
    pub fn matches(&self, meta: &Meta) -> bool {
        self.labels.iter().all(|r| r.matches(meta.label(&r.key)))
            && self.fields.iter().all(|t| (meta.field(&t.field) == Some(t.value.as_str())) == t.equal)
    }

    /// Whether it selects everything.
    pub fn is_all(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The one name that it can select.
    pub fn single_name(&self) -> Option<&str> {
        self.fields.iter().find(|t| t.equal && t.field == "metadata.name").map(|t| t.value.as_str())
    }
}

impl Requirement {
    /// Whether a label's value (or its absence) fits.
    pub fn matches(&self, label: Option<&str>) -> bool {
        let listed = |v: &str| self.values.iter().any(|w| w == v);
        match (self.operator, label) {
            (Operator::In, Some(value)) => listed(value),
            (Operator::NotIn, Some(value)) => !listed(value),
            (Operator::Exists, label) => label.is_some(),
            (Operator::DoesNotExist, label) => label.is_none(),
            (Operator::NotIn, None) => true,
            (Operator::GreaterThan, Some(value)) => number(value).zip(self.bound()).is_some_and(|(v, b)| v > b),
            (Operator::LessThan, Some(value)) => number(value).zip(self.bound()).is_some_and(|(v, b)| v < b),
            (Operator::In | Operator::GreaterThan | Operator::LessThan, None) => false,
        }
    }

    fn bound(&self) -> Option<i64> {
        self.values.first().and_then(|v| number(v))
    }
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Splits at commas that stand outside parentheses.
fn terms(text: &str) -> Vec<&str> {
    let (mut out, mut depth, mut from) = (Vec::new(), 0u32, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                out.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    out.push(&text[from..]);
    out
}

fn unparsable(why: impl std::fmt::Display) -> Status {
    Status::bad_request(format!("unable to parse requirement: {why}"))
}

/// Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1,m<2`.
pub fn parse_labels(text: &str) -> Result<Vec<Requirement>, Status> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    terms(text).into_iter().map(|term| requirement(term.trim())).collect()
}

fn requirement(term: &str) -> Result<Requirement, Status> {
    let make = |key: &str, operator, values: Vec<String>| -> Result<Requirement, Status> {
        let key = key.trim();
        check_key(key)?;
        for value in &values {
            check_value(key, value)?;
        }
        Ok(Requirement { key: key.to_owned(), operator, values })
    };
    if let Some(key) = term.strip_prefix('!') {
        return make(key, Operator::DoesNotExist, Vec::new());
    }
    if let Some((left, right)) = term.split_once("!=") {
        return make(left, Operator::NotIn, vec![right.trim().to_owned()]);
    }
    if let Some((left, right)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return make(left, Operator::In, vec![right.trim().to_owned()]);
    }
    for (sign, operator) in [('>', Operator::GreaterThan), ('<', Operator::LessThan)] {
        if let Some((left, right)) = term.split_once(sign) {
            let right = right.trim();
            if number(right).is_none() {
                return Err(unparsable(format!(
                    "values[0][{}]: Invalid value: {right:?}: for 'Gt', 'Lt' operators, the value must be an integer",
                    left.trim()
                )));
            }
            return make(left, operator, vec![right.to_owned()]);
        }
    }
    let mut words = term.splitn(2, char::is_whitespace);
    let (key, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().trim());
    if rest.is_empty() {
        if key.is_empty() {
            return Err(unparsable("found '', expected: !, identifier, or 'end of string'"));
        }
        return make(key, Operator::Exists, Vec::new());
    }
    let (operator, list) = match rest.strip_prefix("notin") {
        Some(list) => (Operator::NotIn, list),
        None => match rest.strip_prefix("in") {
            Some(list) => (Operator::In, list),
            None => {
                let word = rest.split(char::is_whitespace).next().unwrap_or_default();
                return Err(unparsable(format!("found '{word}', expected: in, notin, =, ==, !=, gt, lt")));
            }
        },
    };
    let Some(list) = list.trim().strip_prefix('(').and_then(|l| l.strip_suffix(')')) else {
        return Err(unparsable(format!("found '{}' expected: '('", list.trim())));
    };
    make(key, operator, list.split(',').map(|v| v.trim().to_owned()).collect())
}

fn check_key(key: &str) -> Result<(), Status> {
    match super::names::qualified_name(key) {
        Ok(()) => Ok(()),
        Err(why) => Err(unparsable(format!("<nil>: Invalid value: {key:?}: {why}"))),
    }
}

fn check_value(key: &str, value: &str) -> Result<(), Status> {
    match super::names::label_value(value) {
        Ok(()) => Ok(()),
        Err(why) => Err(unparsable(format!("values[0][{key}]: Invalid value: {value:?}: {why}"))),
    }
}

/// Parses `a=b,c!=d` and checks that the resource has such fields.
pub fn parse_fields(resource: Resource, text: &str) -> Result<Vec<FieldTerm>, Status> {
    let info = resource.info();
    let mut out = Vec::new();
    for term in text.split(',').filter(|t| !t.is_empty()) {
        let (field, equal, value) = if let Some((l, r)) = term.split_once("!=") {
            (l, false, r)
        } else if let Some((l, r)) = term.split_once("==").or_else(|| term.split_once('=')) {
            (l, true, r)
        } else {
            return Err(Status::bad_request(format!("invalid selector: '{text}'; can't understand '{term}'")));
        };
        let known = field == "metadata.name"
            || (field == "metadata.namespace" && (info.namespaced || info.custom))
            || info.fields.iter().any(|(l, _)| *l == field);
        if !known {
            let message = if info.custom {
                format!("field label not supported: {field}")
            } else {
                format!("field label not supported: {field}")
            };
            return Err(Status::bad_request(message));
        }
        out.push(FieldTerm { field: field.to_owned(), equal, value: value.to_owned() });
    }
    Ok(out)
}
