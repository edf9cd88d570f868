//! `cilium-config` in a file, as `kubectl get configmap -o yaml` or `-o json` writes it.

use std::collections::BTreeMap;

use semver::Version;

use super::InputError;
use crate::checks::unreadable_data;
use crate::document::{self, Node, Shape};
use crate::settings::KeyPlaces;
use crate::{Finding, Origin, Place, Settings, Surroundings};

/// Reads a ConfigMap for Cilium `version`. Data that is not a text, which the API server does not take, comes back as findings.
///
/// # Errors
/// When the text is not YAML, holds no ConfigMap (or several, none of them `cilium-config`), or the version is not known.
pub fn config_map(name: &str, text: &[u8], version: &Version) -> Result<(Settings, Vec<Finding>), InputError> {
    let documents = document::read(text).map_err(|error| InputError::Syntax { name: name.to_owned(), error })?;
    let shape = |line: usize, message: String| InputError::Shape { name: name.to_owned(), line, message };
    let mut objects = Vec::new();
    for document in &documents {
        match document.at("items").map(|items| &items.value) {
            Some(Shape::List(items)) => objects.extend(items),
            _ => objects.push(document),
        }
    }
    let is_map = |node: &&&Node| node.at("kind").and_then(Node::text) == Some("ConfigMap");
    let mut maps: Vec<&Node> = objects.iter().filter(is_map).copied().collect();
    if maps.len() > 1 {
        maps.retain(|node| node.at("metadata.name").and_then(Node::text) == Some(cilium::config::CONFIG_MAP));
    }
    let [map] = maps.as_slice() else {
        let line = objects.first().map_or(1, |node| node.line);
        let message = match objects.first() {
            None => "the file is empty".to_owned(),
            Some(_) if maps.len() > 1 => "there is more than one ConfigMap `cilium-config` here".to_owned(),
            Some(node) => match node.at("kind").and_then(Node::text) {
                Some("ConfigMap") => "there are several ConfigMaps here, and none is `cilium-config`".to_owned(),
                Some(kind) => format!("this is a {kind}, not a ConfigMap"),
                None => {
                    "this is no object of the API (it has no `kind`); for Helm values, use `lint values`".to_owned()
                }
            },
        };
        let hint = "`kubectl --namespace kube-system get configmap cilium-config -o yaml` writes one";
        return Err(shape(line, format!("{message}; {hint}")));
    };
    let data = match map.entry("data").map(|entry| &entry.node) {
        Some(node) if matches!(node.value, Shape::Map(_)) => node,
        Some(node) => {
            return Err(shape(node.line, format!("`data` is a map of texts, and this is {}", node.describe())));
        }
        None => return Err(shape(map.line, "the ConfigMap has no `data`".to_owned())),
    };
    let top = Place { file: Some(name.to_owned()), line: data.line, column: data.column, path: "data".to_owned() };
    let mut config = BTreeMap::new();
    let mut places = BTreeMap::new();
    let mut findings = Vec::new();
    for entry in data.entries() {
        let node = &entry.node;
        let place = Place { line: node.line, column: node.column, path: format!("data.{}", entry.key), ..top.clone() };
        match &node.value {
            Shape::Text(text) => {
                config.insert(entry.key.clone(), text.clone());
            }
            Shape::Null => {}
            Shape::Bool(_) | Shape::Number(_) => {
                findings.push(unreadable_data(&entry.key, node, place.clone()));
                // What is meant is plain, so that the other rules can have their say.
                config.insert(entry.key.clone(), node.to_json().to_string());
            }
            Shape::List(_) | Shape::Map(_) => findings.push(unreadable_data(&entry.key, node, place.clone())),
        }
        places.insert(entry.key.clone(), KeyPlaces { whole: place, elements: Vec::new() });
    }
    let settings = Settings {
        origin: Origin::ConfigMap,
        name: name.to_owned(),
        version: version.clone(),
        release: version.to_string().parse()?,
        config,
        around: Surroundings::default(),
        live: None,
        places,
        top,
    };
    Ok((settings, findings))
}
