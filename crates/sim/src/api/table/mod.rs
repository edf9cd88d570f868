//! Tables: what `kubectl get` prints, made by the server as the real one makes it.

mod age;
mod cells;
mod columns;
mod custom;
mod node;
mod pod;
mod service;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

pub(crate) use columns::Column;

use crate::store::{Resource, Stored};

/// What each row carries beside its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Include {
    None,
    Metadata,
    Object,
}

impl Include {
    /// The query parameter `includeObject`.
    pub(crate) fn parse(text: &str) -> Include {
        match text {
            "None" => Include::None,
            "Object" => Include::Object,
            _ => Include::Metadata,
        }
    }
}

/// Makes the tables of one resource.
pub(crate) struct Printer {
    resource: Resource,
    columns: Vec<Column>,
    /// Paths of a custom resource's columns, the name aside.
    custom: Vec<custom::Path>,
    include: Include,
    now: Timestamp,
}

impl Printer {
    /// `crd` is the definition of a custom resource.
    pub(crate) fn new(resource: Resource, crd: Option<&Value>, include: Include, now: Timestamp) -> Printer {
        let (columns, custom) = match crd.filter(|_| resource.info().custom) {
            Some(crd) => custom::columns(crd, resource.info().version),
            None => (columns::of(resource), Vec::new()),
        };
        Printer { resource, columns, custom, include, now }
    }

    /// Ages are as of this moment from now on.
    pub(crate) fn at(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// `columnDefinitions`.
    pub(crate) fn columns(&self) -> Value {
        self.columns.iter().map(Column::to_value).collect()
    }

    /// One row.
    pub(crate) fn row(&self, stored: &Stored) -> Value {
        let object = stored.value();
        let cells = if self.resource.info().custom {
            custom::cells(&object, &self.custom, self.now)
        } else {
            cells::of(self.resource, &object, self.now)
        };
        let mut row = Map::new();
        row.insert("cells".into(), cells.into());
        if self.resource == Resource::Pod
            && let Some(conditions) = pod::row_conditions(&object)
        {
            row.insert("conditions".into(), conditions);
        }
        let carried = match self.include {
            Include::None => Value::Null,
            Include::Metadata => partial(&object),
            Include::Object => object,
        };
        row.insert("object".into(), carried);
        Value::Object(row)
    }

    /// A whole table. `metadata` is the list's.
    pub(crate) fn table(&self, metadata: Value, rows: Vec<Value>, headers: bool) -> Value {
        let columns = if headers { self.columns() } else { Value::Null };
        json!({
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata,
            "columnDefinitions": columns,
            "rows": rows,
        })
    }
}

/// `PartialObjectMetadata` of an object.
pub(crate) fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}
