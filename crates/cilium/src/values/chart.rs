//! What Cilium's chart renders into `cilium-config`.
//!
//! The keys that do not depend on the values read here were rendered once per minor version, with the values of [`super::base()`]
//! and Kubernetes 1.34 (`data/chart-MINOR.json`). The others, all of IPAM among them, follow from the values, with the chart's
//! refusals in the chart's words (install/kubernetes/cilium: values.schema.json, templates/validate.yaml,
//! templates/cilium-configmap.yaml).

use std::collections::BTreeMap;

use semver::Version;
use serde_json::{Map, Value};

use super::lookup;
use crate::config;

/// What the chart refuses, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChartError {
    /// A value of the wrong type: Helm checks values.schema.json first and names every place.
    #[error("values don't meet the specifications of the schema(s) in the following chart(s):\ncilium:\n{}", .0.join("\n"))]
    Schema(Vec<String>),
    /// A template's `fail`.
    #[error("execution error at ({template}): {message}")]
    Failed {
        /// `cilium/templates/validate.yaml:71:7`.
        template: String,
        /// Its text.
        message: String,
    },
}

/// The minor version whose chart is taken for `version`: itself, or the nearest of those that are known (1.18, 1.19, 1.20).
pub fn chart_minor(version: &Version) -> u64 {
    version.minor.clamp(18, 20)
}

struct Chart<'a> {
    values: &'a Map<String, Value>,
    minor: u64,
}

/// Data of `cilium-config` as the chart of `version` renders it for `values` (complete values over the chart's defaults).
///
/// # Errors
/// What the chart refuses; Helm then changes nothing on the cluster.
pub fn configmap_for(values: &Map<String, Value>, version: &Version) -> Result<BTreeMap<String, String>, ChartError> {
    let chart = Chart { values, minor: chart_minor(version) };
    chart.check_types()?;
    chart.check_values()?;
    Ok(chart.render())
}

impl Chart<'_> {
    fn value(&self, path: &str) -> Option<&Value> {
        lookup(self.values, path).filter(|value| !value.is_null())
    }

    fn text(&self, path: &str, default: &str) -> String {
        self.value(path).map_or_else(|| default.to_owned(), print)
    }

    /// Helm's notion of truth: false, zero, empty text and empty collections are not.
    fn truthy(&self, path: &str, default: bool) -> bool {
        match self.value(path) {
            None => default,
            Some(Value::Bool(value)) => *value,
            Some(Value::Number(value)) => value.as_f64() != Some(0.0),
            Some(Value::String(value)) => !value.is_empty(),
            Some(Value::Array(value)) => !value.is_empty(),
            Some(Value::Object(value)) => !value.is_empty(),
            Some(Value::Null) => false,
        }
    }

    fn mode(&self) -> String {
        // `coalesce` takes the first that is not empty.
        let mode = self.text("ipam.mode", "");
        let mode = if mode.is_empty() { config::DEFAULT_MODE.to_owned() } else { mode };
        if self.minor >= 19 && self.truthy("eni.enabled", false) { "eni".to_owned() } else { mode }
    }

    fn check_types(&self) -> Result<(), ChartError> {
        let mut wrong = Vec::new();
        let mut visit = |path: &str, wanted: &str, fits: fn(&Value) -> bool| {
            if let Some(value) = self.value(path).filter(|value| !fits(value)) {
                let at = path.replace('.', "/");
                wrong.push(format!("- at '/{at}': got {}, want {wanted}", type_name(value)));
            }
        };
        visit("cluster.name", "string", Value::is_string);
        visit("debug.enabled", "boolean", Value::is_boolean);
        visit("hubble.enabled", "null or boolean", Value::is_boolean);
        visit("ipam", "object", Value::is_object);
        visit("ipam.mode", "string", Value::is_string);
        visit("ipam.operator", "object", Value::is_object);
        visit("ipam.operator.autoCreateCiliumPodIPPools", "object", Value::is_object);
        for family in ["4", "6"] {
            visit(&format!("ipam.operator.clusterPoolIPv{family}MaskSize"), "integer", |value| {
                value.as_f64().is_some_and(|number| number.fract() == 0.0)
            });
            visit(&format!("ipam.operator.clusterPoolIPv{family}PodCIDRList"), "string or array", |value| {
                value.is_string() || value.is_array()
            });
            visit(&format!("ipv{family}.enabled"), "boolean", Value::is_boolean);
        }
        visit("kubeProxyReplacement", "string or boolean", |value| value.is_string() || value.is_boolean());
        visit("operator.replicas", "integer", |value| value.as_f64().is_some_and(|number| number.fract() == 0.0));
        if wrong.is_empty() { Ok(()) } else { Err(ChartError::Schema(wrong)) }
    }

    fn check_values(&self) -> Result<(), ChartError> {
        // Helm renders templates in an order of its own; with more than one fault it reports one of them.
        let kube_proxy = self.text("kubeProxyReplacement", "false");
        if !matches!(kube_proxy.as_str(), "true" | "false") {
            return Err(self.failed(
                "cilium-configmap.yaml",
                [(82, 5), (79, 5), (77, 5)],
                "kubeProxyReplacement must be explicitly set to a valid value (true or false) to continue.",
            ));
        }
        if self.text("routingMode", "") == "native"
            && self.text("enableIPv4Masquerade", "") == "true"
            && !self.truthy("ipv4NativeRoutingCIDR", false)
            && !(self.minor >= 20
                && self.mode() == "cluster-pool"
                && self.truthy("nativeRoutingCIDRFromClusterPool", false))
        {
            return Err(self.failed(
                "cilium-configmap.yaml",
                [(536, 12), (544, 12), (563, 12)],
                " ipv4NativeRoutingCIDR must be set when routingMode is native",
            ));
        }
        if self.minor <= 18 && self.mode() == "cluster-pool" {
            for (family, line) in [("4", 1097), ("6", 1105)] {
                let removed = format!("ipam.operator.clusterPoolIPv{family}PodCIDR");
                if self.truthy(&format!("ipv{family}.enabled"), family == "4")
                    && lookup(self.values, &removed).is_some()
                {
                    return Err(ChartError::Failed {
                        template: format!("cilium/templates/cilium-configmap.yaml:{line}:8"),
                        message: format!("Value {removed} removed, use {removed}List instead"),
                    });
                }
            }
        }
        if self.truthy("hubble.relay.enabled", false) && !self.truthy("hubble.enabled", true) {
            return Err(self.failed(
                "validate.yaml",
                [(71, 7); 3],
                "Hubble Relay requires .Values.hubble.enabled=true",
            ));
        }
        self.check_cluster_name()
    }

    fn check_cluster_name(&self) -> Result<(), ChartError> {
        let name = self.text("cluster.name", "default");
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() {
            Err(self.failed("validate.yaml", [(153, 5); 3], "The cluster name is invalid: cannot be empty"))
        } else if name.len() > 32 {
            Err(self.failed(
                "validate.yaml",
                [(156, 5); 3],
                "The cluster name is invalid: must not be more than 32 characters",
            ))
        } else if !name.chars().all(inner) || name.starts_with('-') || name.ends_with('-') {
            Err(self.failed(
                "validate.yaml",
                [(159, 5); 3],
                "The cluster name is invalid: must consist of lower case alphanumeric characters and '-', and must start and \
                 end with an alphanumeric character",
            ))
        } else {
            Ok(())
        }
    }

    /// `positions`: line and column of the `fail` in 1.18.4, 1.19.1 and 1.20.2.
    fn failed(&self, template: &str, positions: [(u32, u32); 3], message: &str) -> ChartError {
        let (line, column) = positions[usize::try_from(self.minor - 18).unwrap_or_default()];
        ChartError::Failed {
            template: format!("cilium/templates/{template}:{line}:{column}"),
            message: message.to_owned(),
        }
    }

    fn render(&self) -> BTreeMap<String, String> {
        let mut data = fixed(self.minor);
        let mut set = |key: &str, value: String| {
            data.insert(key.to_owned(), value);
        };
        let (ipv4, ipv6) = (self.truthy("ipv4.enabled", true), self.truthy("ipv6.enabled", false));
        let mode = self.mode();
        set("cluster-name", self.text("cluster.name", "default"));
        set("cluster-id", self.text("cluster.id", "0"));
        set("debug", self.truthy("debug.enabled", false).to_string());
        set(config::ENABLE_IPV4, ipv4.to_string());
        set(config::ENABLE_IPV6, ipv6.to_string());
        set(config::IPAM, mode.clone());
        set("ipam-cilium-node-update-rate", self.text("ipam.ciliumNodeUpdateRate", "15s"));
        for family in ["4", "6"] {
            let enabled = if family == "4" { ipv4 } else { ipv6 };
            let (list, mask) = if family == "4" { ("10.0.0.0/8", "24") } else { ("fd00::/104", "120") };
            if mode == "cluster-pool" && enabled {
                let value = self.value(&format!("ipam.operator.clusterPoolIPv{family}PodCIDRList"));
                set(&format!("cluster-pool-ipv{family}-cidr"), value.map_or_else(|| list.to_owned(), |v| join(v, " ")));
                set(
                    &format!("cluster-pool-ipv{family}-mask-size"),
                    self.text(&format!("ipam.operator.clusterPoolIPv{family}MaskSize"), mask),
                );
            }
            set(
                &format!("k8s-require-ipv{family}-pod-cidr"),
                self.truthy(&format!("k8s.requireIPv{family}PodCIDR"), false).to_string(),
            );
            if self.truthy(&format!("ipv{family}NativeRoutingCIDR"), false) {
                set(
                    &format!("ipv{family}-native-routing-cidr"),
                    self.text(&format!("ipv{family}NativeRoutingCIDR"), ""),
                );
            }
        }
        if mode == "multi-pool" {
            set(config::AUTO_CREATE_POOLS, self.auto_created_pools());
        }
        if self.minor >= 20
            && mode == "cluster-pool"
            && self.truthy("nativeRoutingCIDRFromClusterPool", false)
            && !self.truthy("ipv4NativeRoutingCIDR", false)
        {
            let pool = self.value("ipam.operator.clusterPoolIPv4PodCIDRList");
            set("ipv4-native-routing-cidr", pool.map_or_else(|| "10.0.0.0/8".to_owned(), |v| join(v, " ")));
        }
        let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
        set("routing-mode", or(self.text("routingMode", ""), "tunnel"));
        set("tunnel-protocol", or(self.text("tunnelProtocol", ""), "vxlan"));
        set("auto-direct-node-routes", self.truthy("autoDirectNodeRoutes", false).to_string());
        set("kube-proxy-replacement", self.text("kubeProxyReplacement", "false"));
        set("enable-ipv4-masquerade", or(self.text("enableIPv4Masquerade", ""), "true"));
        set("enable-l7-proxy", self.truthy("l7Proxy", true).to_string());
        set("external-envoy-proxy", self.truthy("envoy.enabled", true).to_string());
        set("operator-api-serve-addr", if ipv4 { "127.0.0.1:9234" } else { "[::1]:9234" }.to_owned());
        set(
            config::AGENT_NOT_READY_TAINT_KEY,
            self.text("agentNotReadyTaintKey", crate::components::AGENT_NOT_READY_TAINT),
        );
        for (value, key) in [
            ("operator.removeNodeTaints", config::REMOVE_NODE_TAINTS),
            ("operator.setNodeTaints", config::SET_NODE_TAINTS),
            ("operator.setNodeNetworkStatus", config::SET_CILIUM_IS_UP),
        ] {
            if self.truthy(value, true) {
                set(key, "true".to_owned());
            }
        }
        let interval = if self.truthy("operator.unmanagedPodWatcher.restart", true) {
            let seconds = self.text("operator.unmanagedPodWatcher.intervalSeconds", "15");
            if self.minor <= 18 { seconds } else { format!("{seconds}s") }
        } else {
            "0".to_owned()
        };
        set(config::UNMANAGED_POD_WATCHER_INTERVAL, interval);
        if self.truthy("hubble.enabled", true) {
            if !ipv4 && ipv6 {
                set("hubble-prefer-ipv6", "true".to_owned());
            }
        } else {
            data.retain(|key, _| !key.starts_with("hubble-"));
            data.insert("enable-hubble".to_owned(), "false".to_owned());
        }
        if let Some(extra) = self.value("extraConfig").and_then(Value::as_object) {
            data.extend(extra.iter().map(|(key, value)| (key.clone(), print(value))));
        }
        data
    }

    fn auto_created_pools(&self) -> String {
        let Some(pools) = self.value("ipam.operator.autoCreateCiliumPodIPPools").and_then(Value::as_object) else {
            return String::new();
        };
        let sorted: BTreeMap<&String, &Value> = pools.iter().collect();
        let rendered = sorted.into_iter().map(|(name, spec)| {
            let attributes = ["ipv4", "ipv6"].into_iter().filter_map(|family| {
                let family_spec = spec.get(family)?;
                let cidrs = family_spec.get("cidrs").map_or_else(String::new, |cidrs| join(cidrs, ","));
                let mask = family_spec.get("maskSize").map_or_else(String::new, print);
                Some(format!("{family}-cidrs:{cidrs};{family}-mask-size:{mask}"))
            });
            format!("{name}={}", attributes.collect::<Vec<_>>().join(";"))
        });
        rendered.collect::<Vec<_>>().join(",")
    }
}

fn fixed(minor: u64) -> BTreeMap<String, String> {
    let text = match minor {
        18 => include_str!("../../data/chart-1.18.json"),
        19 => include_str!("../../data/chart-1.19.json"),
        _ => include_str!("../../data/chart-1.20.json"),
    };
    serde_json::from_str(text).expect("a data file of this crate, read by its tests")
}

fn print(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `join SEPARATOR` of a list; a scalar is taken as it is.
fn join(value: &Value, separator: &str) -> String {
    match value {
        Value::Array(items) => items.iter().map(print).collect::<Vec<_>>().join(separator),
        other => print(other),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests;
