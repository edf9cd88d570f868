//! Columns of custom resources: `additionalPrinterColumns`.

use jiff::Timestamp;
use serde_json::Value;

use super::age::since;
use super::columns::{Column, description};

/// A column's path and type.
#[derive(Debug)]
pub(super) struct Path {
    steps: Vec<Step>,
    of: String,
}

#[derive(Debug, PartialEq)]
enum Step {
    Field(String),
    Index(usize),
    /// `[?(@.type=="InternalIP")]`.
    Where(String, String),
}

/// Columns of a version of a definition: the name, then its own, or the age where it has none.
pub(super) fn columns(crd: &Value, version: &str) -> (Vec<Column>, Vec<Path>) {
    let versions = crd["spec"]["versions"].as_array().into_iter().flatten();
    let own = versions.filter(|v| v["name"] == version).find_map(|v| v["additionalPrinterColumns"].as_array());
    let mut columns = vec![Column::name()];
    let mut paths = Vec::new();
    match own {
        Some(list) => {
            for column in list {
                let text = |key: &str| column[key].as_str().unwrap_or_default().to_owned();
                let path = text("jsonPath");
                let described = Some(text("description")).filter(|d| !d.is_empty());
                columns.push(Column {
                    name: text("name"),
                    of: text("type"),
                    format: text("format"),
                    description: described
                        .unwrap_or_else(|| format!("Custom resource definition column (in JSONPath format): {path}")),
                    priority: column["priority"].as_i64().unwrap_or_default(),
                });
                paths.push(Path { steps: parse(&path), of: text("type") });
            }
        }
        None => {
            columns.push(Column {
                name: "Age".into(),
                of: "date".into(),
                format: String::new(),
                description: description("@meta.v1.ObjectMeta.creationTimestamp"),
                priority: 0,
            });
            paths.push(Path { steps: parse(".metadata.creationTimestamp"), of: "date".into() });
        }
    }
    (columns, paths)
}

/// The cells of an object.
pub(super) fn cells(object: &Value, paths: &[Path], now: Timestamp) -> Vec<Value> {
    let mut cells = vec![object["metadata"]["name"].clone()];
    cells.extend(paths.iter().map(|path| cell(object, path, now)));
    cells
}

fn cell(object: &Value, path: &Path, now: Timestamp) -> Value {
    let Some(found) = path.steps.iter().try_fold(object, |at, step| step.of(at)) else { return Value::Null };
    match (path.of.as_str(), found) {
        (_, Value::Null) => Value::Null,
        ("string", Value::String(text)) => text.as_str().into(),
        ("string", other) => other.to_string().into(),
        ("integer", Value::Number(_)) => found.as_f64().map(|f| Value::from(f as i64)).unwrap_or_default(),
        ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => found.clone(),
        ("date", Value::String(_)) => since(found, now).into(),
        _ => Value::Null,
    }
}

impl Step {
    fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match self {
            Step::Field(key) => value.get(key),
            Step::Index(at) => value.get(at),
            Step::Where(key, wanted) => value.as_array()?.iter().find(|item| item[key] == **wanted),
        }
    }
}

/// The JSONPath that definitions use: fields (with `\.`), indices and one kind of filter.
fn parse(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(filter) = rest.strip_prefix("[?(@.") {
            let (inside, after) = filter.split_once(")]").unwrap_or((filter, ""));
            let (key, value) = inside.split_once("==").unwrap_or((inside, ""));
            steps.push(Step::Where(key.trim().into(), value.trim().trim_matches(['"', '\'']).into()));
            rest = after;
        } else if let Some(index) = rest.strip_prefix('[') {
            let (inside, after) = index.split_once(']').unwrap_or((index, ""));
            steps.push(match inside.parse() {
                Ok(at) => Step::Index(at),
                Err(_) => Step::Field(inside.trim_matches(['"', '\'']).into()),
            });
            rest = after;
        } else {
            let field = rest.strip_prefix('.').unwrap_or(rest);
            let mut key = String::new();
            let mut escaped = false;
            let mut end = field.len();
            for (at, c) in field.char_indices() {
                match c {
                    '\\' if !escaped => {
                        escaped = true;
                        continue;
                    }
                    '.' | '[' if !escaped => {
                        end = at;
                        break;
                    }
                    other => key.push(other),
                }
                escaped = false;
            }
            steps.push(Step::Field(key));
            rest = &field[end..];
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::cilium_crds;

    #[test]
    fn paths_of_ciliums_definitions_are_read() {
        let field = |name: &str| Step::Field(name.into());
        assert_eq!(
            parse(".metadata.labels.io\\.kubernetes\\.pod\\.namespace"),
            [field("metadata"), field("labels"), field("io.kubernetes.pod.namespace")]
        );
        assert_eq!(
            parse(".spec.addresses[?(@.type==\"InternalIP\")].ip"),
            [field("spec"), field("addresses"), Step::Where("type".into(), "InternalIP".into()), field("ip")]
        );
        assert_eq!(parse(".a[0].b"), [field("a"), Step::Index(0), field("b")]);
    }

    #[test]
    fn a_cilium_node_shows_its_addresses() {
        let crd = cilium_crds().into_iter().find(|c| c["spec"]["names"]["kind"] == "CiliumNode").unwrap();
        let (columns, paths) = columns(&crd, "v2");
        let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["Name", "CiliumInternalIP", "InternalIP", "Age"]);
        let node = json!({
            "metadata": {"name": "n", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"addresses": [{"type": "InternalIP", "ip": "172.18.0.2"}]},
        });
        let cells = cells(&node, &paths, "2026-01-01T01:00:00Z".parse().unwrap());
        assert_eq!(cells, [json!("n"), Value::Null, json!("172.18.0.2"), json!("60m")]);
    }
}
