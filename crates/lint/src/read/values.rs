//! Values files.

use std::collections::BTreeMap;

use cilium::values::{ChartError, configmap_for, merge};
use ipam::operator::keys;
use semver::Version;
use serde_json::{Map, Value};

use super::InputError;
use crate::document::{self, Node, Shape};
use crate::settings::KeyPlaces;
use crate::{Origin, Place, Settings, Surroundings, chart};

/// The values from which a key of `cilium-config` comes.
pub(crate) const SOURCES: &[(&str, &str)] = &[
    (keys::IPAM, "ipam.mode"),
    (keys::ENABLE_IPV4, "ipv4.enabled"),
    (keys::ENABLE_IPV6, "ipv6.enabled"),
    (keys::IPV4_CIDR, "ipam.operator.clusterPoolIPv4PodCIDRList"),
    (keys::IPV4_MASK, "ipam.operator.clusterPoolIPv4MaskSize"),
    (keys::IPV6_CIDR, "ipam.operator.clusterPoolIPv6PodCIDRList"),
    (keys::IPV6_MASK, "ipam.operator.clusterPoolIPv6MaskSize"),
    ("ipv4-native-routing-cidr", "ipv4NativeRoutingCIDR"),
    ("ipv6-native-routing-cidr", "ipv6NativeRoutingCIDR"),
];

/// Reads a values file for the chart of `version`. What the chart refuses comes back beside the settings, which are then those
/// without the refused parts: the other rules have their say as well.
///
/// # Errors
/// When the text is not YAML, not a map, or the version is not known.
pub fn values(name: &str, text: &[u8], version: &Version) -> Result<(Settings, Option<ChartError>), InputError> {
    chart::chart(version)?;
    let documents = document::read(text).map_err(|error| InputError::Syntax { name: name.to_owned(), error })?;
    let shape = |node: &Node, message: String| InputError::Shape { name: name.to_owned(), line: node.line, message };
    let empty = Node { line: 1, column: 1, value: Shape::Map(Vec::new()) };
    let document = match documents.as_slice() {
        [] => empty,
        [one] => one.clone(),
        // Helm reads the first document and drops the others.
        [_, second, ..] => {
            return Err(shape(second, "a second document begins here; a values file has one".to_owned()));
        }
    };
    if !matches!(document.value, Shape::Map(_)) {
        return Err(shape(&document, format!("a values file is a map, and this is {}", document.describe())));
    }
    if document.at("kind").and_then(Node::text).is_some() && document.at("apiVersion").is_some() {
        let kind = document.at("kind").and_then(Node::text).unwrap_or_default();
        let hint = if kind == "ConfigMap" { "; for a ConfigMap, use `lint configmap`" } else { "" };
        return Err(shape(&document, format!("this is an object of the API ({kind}), not a values file{hint}")));
    }
    let Value::Object(json) = document.to_json() else { return Err(shape(&document, "not a map".to_owned())) };
    // As Helm does: `null` takes a value away, so that the chart's default is gone too.
    let mut merged = Map::new();
    merge(&mut merged, &json);
    let top = Place { file: Some(name.to_owned()), line: 1, column: 1, path: String::new() };
    let places = places(&document, &top);
    let (config, refused) = rendered(&merged, version);
    let settings = Settings {
        origin: Origin::Values { document, values: merged },
        name: name.to_owned(),
        version: version.clone(),
        release: version.to_string().parse()?,
        config,
        around: Surroundings::default(),
        live: None,
        places,
        top,
    };
    Ok((settings, refused))
}

/// What the chart renders, or would render if it did not refuse: only what the rules look at.
pub(crate) fn rendered(
    values: &Map<String, Value>,
    version: &Version,
) -> (BTreeMap<String, String>, Option<ChartError>) {
    match configmap_for(values, version) {
        Ok(config) => (config, None),
        Err(error) => {
            let mut plain = Map::new();
            let keep = |path: &str, fits: fn(&Value) -> bool| {
                cilium::values::lookup(values, path).filter(|value| fits(value)).cloned()
            };
            let mut put = |path: &str, value: Option<Value>| {
                let Some(value) = value else { return };
                let nested =
                    path.rsplit('.').fold(value, |inner, key| Value::Object(Map::from_iter([(key.to_owned(), inner)])));
                if let Value::Object(nested) = nested {
                    merge(&mut plain, &nested);
                }
            };
            for (_, path) in SOURCES {
                let fits: fn(&Value) -> bool = match *path {
                    path if path.ends_with("enabled") => Value::is_boolean,
                    path if path.ends_with("MaskSize") => Value::is_i64,
                    path if path.ends_with("List") => |value| value.is_string() || value.is_array(),
                    _ => Value::is_string,
                };
                put(path, keep(path, fits));
            }
            (configmap_for(&plain, version).unwrap_or_default(), Some(error))
        }
    }
}

/// Where the values behind each key are written.
pub(crate) fn places(document: &Node, top: &Place) -> BTreeMap<String, KeyPlaces> {
    let mut places = BTreeMap::new();
    for (key, path) in SOURCES {
        let Some(node) = document.at(path) else { continue };
        let at = |node: &Node, path: String| Place { line: node.line, column: node.column, path, ..top.clone() };
        let elements = match &node.value {
            Shape::List(items) => {
                items.iter().enumerate().map(|(index, item)| at(item, format!("{path}[{index}]"))).collect()
            }
            _ => Vec::new(),
        };
        places.insert((*key).to_owned(), KeyPlaces { whole: at(node, (*path).to_owned()), elements });
    }
    places
}
