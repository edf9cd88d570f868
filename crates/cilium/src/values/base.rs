//! The values of every installation.

use serde_json::{Map, Value, json};

use super::{lookup, merge};

/// The `ipam` values, as text: a scenario may well ask for what Cilium refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpamValues {
    /// `ipam.mode`.
    pub mode: String,
    /// `ipv4.enabled`.
    pub ipv4_enabled: bool,
    /// `ipv6.enabled`.
    pub ipv6_enabled: bool,
    /// `ipam.operator.clusterPoolIPv4PodCIDRList`.
    pub ipv4_pools: Vec<String>,
    /// `ipam.operator.clusterPoolIPv4MaskSize`.
    pub ipv4_mask: u8,
    /// `ipam.operator.clusterPoolIPv6PodCIDRList`.
    pub ipv6_pools: Vec<String>,
    /// `ipam.operator.clusterPoolIPv6MaskSize`.
    pub ipv6_mask: u8,
}

impl Default for IpamValues {
    /// The chart's own defaults.
    fn default() -> Self {
        Self {
            mode: "cluster-pool".to_owned(),
            ipv4_enabled: true,
            ipv6_enabled: false,
            ipv4_pools: vec!["10.0.0.0/8".to_owned()],
            ipv4_mask: 24,
            ipv6_pools: vec!["fd00::/104".to_owned()],
            ipv6_mask: 120,
        }
    }
}

/// Values that need three images and nothing else: no Envoy (hence no L7 proxy), one operator replica, Hubble Relay with certificates
/// that Helm makes, and images by tag so that those already on the nodes are used.
pub fn base() -> Map<String, Value> {
    let preloaded = json!({"useDigest": false, "pullPolicy": "IfNotPresent"});
    object(json!({
        "image": preloaded,
        "operator": {"replicas": 1, "image": preloaded},
        "envoy": {"enabled": false},
        "l7Proxy": false,
        "hubble": {
            "enabled": true,
            "tls": {"enabled": true, "auto": {"enabled": true, "method": "helm"}},
            "relay": {"enabled": true, "image": preloaded},
            "ui": {"enabled": false},
        },
    }))
}

/// [`base`] with these IPAM values.
pub fn with_ipam(ipam: &IpamValues) -> Map<String, Value> {
    let mut values = base();
    merge(
        &mut values,
        &object(json!({
            "ipv4": {"enabled": ipam.ipv4_enabled},
            "ipv6": {"enabled": ipam.ipv6_enabled},
            "ipam": {
                "mode": ipam.mode,
                "operator": {
                    "clusterPoolIPv4PodCIDRList": ipam.ipv4_pools,
                    "clusterPoolIPv4MaskSize": ipam.ipv4_mask,
                    "clusterPoolIPv6PodCIDRList": ipam.ipv6_pools,
                    "clusterPoolIPv6MaskSize": ipam.ipv6_mask,
                },
            },
        })),
    );
    values
}

/// The images that an installation with [`base`] needs, for a version without `v`.
pub fn images(version: &str) -> Vec<String> {
    versions::known().images(&format!("v{version}"))
}

/// Where each of [`images`] is in the values, in the same order.
const PLACES: [&str; 3] = ["image", "operator.image", "hubble.relay.image"];

/// The chart adds it to the operator's repository by itself, by cloud.
const GENERIC: &str = "-generic";

/// The images that an installation with these values needs: with repositories and tags of one's own, where the values name them.
pub fn images_of(values: &Map<String, Value>, version: &str) -> Vec<String> {
    let text = |place: &str, key: &str| {
        lookup(values, &format!("{place}.{key}")).and_then(Value::as_str).filter(|text| !text.is_empty())
    };
    let with = |(image, place): (String, &str)| {
        let Some((name, tag)) = image.rsplit_once(':') else { return image };
        let suffix = if name.ends_with(GENERIC) { GENERIC } else { "" };
        let name = text(place, "repository").map_or_else(|| name.to_owned(), |own| format!("{own}{suffix}"));
        format!("{name}:{}", text(place, "tag").unwrap_or(tag))
    };
    images(version).into_iter().zip(PLACES).map(with).collect()
}

/// Values that take images of one's own, in the order of [`images`], as far as `has` says that they are there; the others stay the
/// version's own.
pub fn with_images(own: &[String], has: impl Fn(&str) -> bool) -> Map<String, Value> {
    let mut values = Map::new();
    for ((released, own), place) in images("").into_iter().zip(own).zip(PLACES) {
        let (Some((usual, _)), Some((name, tag))) = (released.rsplit_once(':'), own.rsplit_once(':')) else { continue };
        if !has(own) {
            continue;
        }
        let mut image = json!({"tag": tag});
        if name != usual {
            image["repository"] = name.strip_suffix(GENERIC).unwrap_or(name).into();
        }
        let nested = place.rsplit('.').fold(image, |inner, key| json!({key: inner}));
        merge(&mut values, &object(nested));
    }
    values
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipam_lies_over_the_base() {
        let values = with_ipam(&IpamValues { mode: "kubernetes".to_owned(), ..IpamValues::default() });
        assert_eq!(lookup(&values, "ipam.mode"), Some(&json!("kubernetes")));
        assert_eq!(lookup(&values, "ipam.operator.clusterPoolIPv4PodCIDRList"), Some(&json!(["10.0.0.0/8"])));
        assert_eq!(lookup(&values, "operator.replicas"), Some(&json!(1)));
        assert_eq!(lookup(&values, "hubble.relay.image.useDigest"), Some(&json!(false)));
    }

    #[test]
    fn images_of_ones_own_are_taken_where_they_are() {
        let own = ["cilium", "operator-generic", "hubble-relay"].map(|name| format!("quay.io/cilium/{name}:mine"));
        let has = |image: &str| image != "quay.io/cilium/hubble-relay:mine";
        let values = with_images(&own, has);
        assert_eq!(
            Value::Object(values.clone()),
            json!({"image": {"tag": "mine"}, "operator": {"image": {"tag": "mine"}}})
        );
        assert_eq!(
            images_of(&values, "1.20.2"),
            [
                "quay.io/cilium/cilium:mine",
                "quay.io/cilium/operator-generic:mine",
                "quay.io/cilium/hubble-relay:v1.20.2"
            ]
        );
        assert_eq!(images_of(&base(), "1.20.2"), images("1.20.2"));
        let elsewhere =
            ["cilium", "operator-generic", "hubble-relay"].map(|name| format!("localhost:5000/me/{name}:mine"));
        let values = with_images(&elsewhere, |_| true);
        assert_eq!(lookup(&values, "operator.image.repository"), Some(&json!("localhost:5000/me/operator")));
        assert_eq!(images_of(&values, "1.20.2"), elsewhere);
    }

    #[test]
    fn names_three_images() {
        assert_eq!(
            images("1.19.1"),
            [
                "quay.io/cilium/cilium:v1.19.1",
                "quay.io/cilium/operator-generic:v1.19.1",
                "quay.io/cilium/hubble-relay:v1.19.1"
            ]
        );
    }
}
