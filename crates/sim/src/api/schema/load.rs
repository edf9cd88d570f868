//! Reads the definitions into types.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Field, Kind, PatchStrategy, Relation, Schemas, Type, TypeId, cilium_crds};

const PREFIX: &str = "#/components/schemas/";

pub(super) fn load() -> Schemas {
    let text = include_str!("../data/schemas.json");
    let mut definitions: BTreeMap<String, Value> = serde_json::from_str(text).unwrap_or_default();
    for crd in cilium_crds() {
        for version in crd["spec"]["versions"].as_array().into_iter().flatten() {
            let (name, definition) = custom(&crd, version);
            definitions.insert(name, definition);
        }
    }
    let mut loader = Loader { definitions: &definitions, types: Vec::new(), named: BTreeMap::new() };
    let mut roots = BTreeMap::new();
    for (name, definition) in &definitions {
        for gvk in definition["x-kubernetes-group-version-kind"].as_array().into_iter().flatten() {
            let text = |key: &str| gvk[key].as_str().unwrap_or_default().to_owned();
            let (group, version) = (text("group"), text("version"));
            let api_version = if group.is_empty() { version } else { format!("{group}/{version}") };
            let id = loader.named(name);
            roots.insert((api_version, text("kind")), id);
        }
    }
    let types = loader.types;
    Schemas { types, roots, definitions }
}

/// The published definition of a custom resource: its schema with Kubernetes' own metadata.
fn custom(crd: &Value, version: &Value) -> (String, Value) {
    let mut definition = version["schema"]["openAPIV3Schema"].clone();
    let kind = crd["spec"]["names"]["kind"].as_str().unwrap_or_default();
    let group = crd["spec"]["group"].as_str().unwrap_or_default();
    let number = version["name"].as_str().unwrap_or_default();
    definition["x-kubernetes-group-version-kind"] = json!([{"group": group, "kind": kind, "version": number}]);
    definition["properties"]["apiVersion"]["type"] = "string".into();
    definition["properties"]["kind"]["type"] = "string".into();
    definition["properties"]["metadata"] =
        json!({"allOf": [{"$ref": format!("{PREFIX}io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")}]});
    let reversed: Vec<&str> = group.rsplit('.').collect();
    (format!("{}.{number}.{kind}", reversed.join(".")), definition)
}

struct Loader<'a> {
    definitions: &'a BTreeMap<String, Value>,
    types: Vec<Type>,
    named: BTreeMap<String, TypeId>,
}

impl Loader<'_> {
    fn named(&mut self, name: &str) -> TypeId {
        if let Some(id) = self.named.get(name) {
            return *id;
        }
        let definitions = self.definitions;
        // Its place is known before its fields are read: types can contain themselves.
        let id = self.reserve();
        self.named.insert(name.to_owned(), id);
        if let Some(definition) = definitions.get(name) {
            self.fill(id, definition, &Value::Null, name.rsplit('.').next().unwrap_or_default());
        }
        id
    }

    fn reserve(&mut self) -> TypeId {
        self.types.push(Type {
            name: String::new(),
            kind: Kind::Any,
            format: String::new(),
            fields: BTreeMap::new(),
            additional: None,
            items: None,
            required: Vec::new(),
            relation: Relation::Granular,
            nullable: false,
            raw: Value::Null,
        });
        self.types.len() - 1
    }

    /// The type at a place. What the place says of atomicity wins over what the named type says.
    fn place(&mut self, place: &Value) -> TypeId {
        let reference = place["$ref"].as_str().or_else(|| place["allOf"][0]["$ref"].as_str());
        let name = reference.and_then(|r| r.strip_prefix(PREFIX));
        let Some(name) = name else {
            let id = self.reserve();
            self.fill(id, place, &Value::Null, "");
            return id;
        };
        let refined = place.get("x-kubernetes-map-type").is_some();
        if !refined {
            return self.named(name);
        }
        let definitions = self.definitions;
        let id = self.reserve();
        if let Some(definition) = definitions.get(name) {
            self.fill(id, definition, place, name.rsplit('.').next().unwrap_or_default());
        }
        id
    }

    fn fill(&mut self, id: TypeId, definition: &Value, place: &Value, name: &str) {
        let text = |key: &str| definition[key].as_str().unwrap_or_default();
        let kind = match text("type") {
            "object" => Kind::Object,
            "array" => Kind::Array,
            "string" => Kind::String,
            "integer" => Kind::Integer,
            "number" => Kind::Number,
            "boolean" => Kind::Boolean,
            _ => Kind::Any,
        };
        let empty = Map::new();
        let properties = definition["properties"].as_object().unwrap_or(&empty);
        let fields: BTreeMap<String, Field> =
            properties.iter().map(|(key, at)| (key.clone(), self.field(at))).collect();
        let additional = definition.get("additionalProperties").filter(|a| a.is_object()).map(|a| self.place(a));
        let items = definition.get("items").map(|i| self.place(i));
        let required = definition["required"].as_array().into_iter().flatten();
        let required = required.filter_map(Value::as_str).map(str::to_owned).collect();
        let map_type = place["x-kubernetes-map-type"].as_str().unwrap_or(text("x-kubernetes-map-type"));
        let list_type = text("x-kubernetes-list-type");
        let relation = match (kind, list_type, map_type) {
            (Kind::Array, "set", _) => Relation::Set,
            (Kind::Array, "map", _) => {
                let keys = definition["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
                Relation::Keyed(keys.filter_map(Value::as_str).map(str::to_owned).collect())
            }
            (Kind::Array, _, _) | (_, _, "atomic") => Relation::Atomic,
            _ => Relation::Granular,
        };
        self.types[id] = Type {
            name: name.to_owned(),
            kind,
            format: text("format").to_owned(),
            fields,
            additional,
            items,
            required,
            relation,
            nullable: definition["nullable"] == true,
            raw: checks(definition),
        };
    }

    fn field(&mut self, place: &Value) -> Field {
        let strategy = place["x-kubernetes-patch-strategy"].as_str().unwrap_or_default();
        let has = |word: &str| strategy.split(',').any(|s| s == word);
        Field {
            of: self.place(place),
            patch: PatchStrategy {
                merge: has("merge"),
                replace: has("replace"),
                retain_keys: has("retainKeys"),
                key: place["x-kubernetes-patch-merge-key"].as_str().map(str::to_owned),
            },
            default: place.get("default").cloned(),
        }
    }
}

/// The part of a definition that is looked up by name: fields, items and prose are left out.
fn checks(definition: &Value) -> Value {
    const KEPT: [&str; 14] = [
        "enum",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "pattern",
        "anyOf",
        "format",
        "x-kubernetes-int-or-string",
        "x-kubernetes-preserve-unknown-fields",
    ];
    let map = definition.as_object().into_iter().flatten();
    Value::Object(map.filter(|(k, _)| KEPT.contains(&k.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect())
}
