//! Label and field selectors: parsing with Kubernetes' texts, and matching.

use super::names;
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

fn bad(why: String) -> Status {
    Status::bad_request(why)
}

fn unparsable(why: impl std::fmt::Display) -> Status {
    Status::bad_request(format!("unable to parse requirement: {why}"))
}

/// Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1,m<2`.
pub fn parse_labels(text: &str) -> Result<Vec<Requirement>, Status> {
    let mut parser = Parser { tokens: tokens(text), at: 0 };
    parser.selector()
}

/// Words and signs, as Kubernetes' lexer cuts them.
fn tokens(text: &str) -> Vec<&str> {
    const SIGNS: &[char] = &['=', '!', '(', ')', ',', '>', '<'];
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if SIGNS.contains(&first) {
            if rest.starts_with("==") || rest.starts_with("!=") { 2 } else { 1 }
        } else {
            rest.find(|c: char| SIGNS.contains(&c) || c.is_whitespace()).unwrap_or(rest.len())
        };
        out.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    out
}

struct Parser<'a> {
    tokens: Vec<&'a str>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &'a str {
        self.tokens.get(self.at).copied().unwrap_or_default()
    }

    fn next(&mut self) -> &'a str {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn selector(&mut self) -> Result<Vec<Requirement>, Status> {
        let mut out = Vec::new();
        if self.peek().is_empty() {
            return Ok(out);
        }
        loop {
            let token = self.peek();
            if token != "!" && !is_word(token) {
                return Err(bad(format!("found '{token}', expected: !, identifier, or 'end of string'")));
            }
            out.push(self.requirement()?);
            match self.next() {
                "" => return Ok(out),
                "," => {
                    let token = self.peek();
                    if token != "!" && !is_word(token) {
                        return Err(bad(format!("found '{token}', expected: identifier after ','")));
                    }
                }
                other => return Err(bad(format!("found '{other}', expected: ',' or 'end of string'"))),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, Status> {
        let absent = self.peek() == "!";
        if absent {
            self.at += 1;
        }
        let key = self.next();
        if !is_word(key) {
            return Err(unparsable(format!("found '{key}', expected: identifier")));
        }
        names::qualified_name(key).map_err(|why| unparsable(format!("<nil>: Invalid value: {key:?}: {why}")))?;
        let plain = |operator| Ok(Requirement { key: key.to_owned(), operator, values: Vec::new() });
        if absent {
            return plain(Operator::DoesNotExist);
        }
        if matches!(self.peek(), "" | ",") {
            return plain(Operator::Exists);
        }
        let operator = match self.next() {
            "in" => Operator::In,
            "notin" => Operator::NotIn,
            "=" | "==" => return self.single(key, Operator::In),
            "!=" => return self.single(key, Operator::NotIn),
            ">" | "gt" => return self.single(key, Operator::GreaterThan),
            "<" | "lt" => return self.single(key, Operator::LessThan),
            other => {
                return Err(unparsable(format!("found '{other}', expected: in, notin, =, ==, !=, gt, lt")));
            }
        };
        let values = self.values()?;
        finish(key, operator, values)
    }

    /// An empty value is one, too: `a=`.
    fn single(&mut self, key: &str, operator: Operator) -> Result<Requirement, Status> {
        let value = match self.peek() {
            "" | "," => "",
            word if is_word(word) => self.next(),
            other => return Err(unparsable(format!("found '{other}', expected: identifier"))),
        };
        finish(key, operator, vec![value.to_owned()])
    }

    fn values(&mut self) -> Result<Vec<String>, Status> {
        let open = self.next();
        if open != "(" {
            return Err(unparsable(format!("found '{open}' expected: '('")));
        }
        let mut out = Vec::new();
        loop {
            match self.next() {
                ")" => {
                    out.push(String::new());
                    break;
                }
                "," => out.push(String::new()),
                word if is_word(word) => {
                    out.push(word.to_owned());
                    match self.next() {
                        ")" => break,
                        "," => {}
                        other => return Err(unparsable(format!("found '{other}', expected: ',' or ')'"))),
                    }
                }
                other => return Err(unparsable(format!("found '{other}', expected: ',', or identifier"))),
            }
        }
        // Kubernetes keeps them as a set.
        out.sort();
        out.dedup();
        Ok(out)
    }
}

fn is_word(token: &str) -> bool {
    !token.is_empty() && !matches!(token, "=" | "==" | "!=" | "!" | "(" | ")" | "," | ">" | "<")
}

fn finish(key: &str, operator: Operator, values: Vec<String>) -> Result<Requirement, Status> {
    for (at, value) in values.iter().enumerate() {
        if matches!(operator, Operator::GreaterThan | Operator::LessThan) && number(value).is_none() {
            return Err(unparsable(format!(
                "values[{at}]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be an integer"
            )));
        }
        names::label_value(value)
            .map_err(|why| unparsable(format!("values[{at}][{key}]: Invalid value: {value:?}: {why}")))?;
    }
    Ok(Requirement { key: key.to_owned(), operator, values })
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
        let plain = info.fields.is_empty() && !info.custom;
        let known = field == "metadata.name"
            || (field == "metadata.namespace" && (info.namespaced || plain))
            || info.fields.iter().any(|(l, _)| *l == field);
        if !known {
            return Err(Status::bad_request(if plain {
                format!("{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
            } else {
                format!("field label not supported: {field}")
            }));
        }
        out.push(FieldTerm { field: field.to_owned(), equal, value: value.to_owned() });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::store::object::Object;
    use crate::tree::{Tree, tree};

    fn object(labels: &[(&str, &str)]) -> Meta {
        let labels: Tree = labels.iter().copied().collect();
        let pod = tree!({"metadata": {"name": "p", "namespace": "d", "labels": labels}});
        Object::new(Resource::Pod, 1, pod, None).meta
    }

    #[rstest]
    #[case("", true)]
    #[case("app=web", true)]
    #[case("app==web,tier!=db", true)]
    #[case("app in (api, web)", true)]
    #[case("app notin (api,web)", false)]
    #[case("missing notin (x)", true)]
    #[case("app", true)]
    #[case("!app", false)]
    #[case("!missing", true)]
    #[case("count>3,count<10", true)]
    #[case("count>7", false)]
    #[case("app=", false)]
    fn labels_select(#[case] selector: &str, #[case] selected: bool) {
        let selection = Selection::parse(Resource::Pod, selector, "").unwrap();
        assert_eq!(selection.matches(&object(&[("app", "web"), ("count", "7")])), selected);
    }

    #[rstest]
    #[case("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt")]
    #[case("a=b c", "found 'c', expected: ',' or 'end of string'")]
    #[case("=", "found '=', expected: !, identifier, or 'end of string'")]
    #[case("a in b", "unable to parse requirement: found 'b' expected: '('")]
    #[case("a in (b", "unable to parse requirement: found '', expected: ',' or ')'")]
    #[case("a,", "found '', expected: identifier after ','")]
    fn nonsense_is_told_as_kubernetes_tells_it(#[case] selector: &str, #[case] message: &str) {
        assert_eq!(parse_labels(selector).unwrap_err().message, message);
    }

    #[test]
    fn fields_select_by_what_the_kind_has() {
        let selection = Selection::parse(Resource::Pod, "", "metadata.name=p,status.phase!=Running").unwrap();
        assert!(selection.matches(&object(&[])));
        assert!(parse_fields(Resource::Pod, "spec.foo=1").is_err());
    }
}
