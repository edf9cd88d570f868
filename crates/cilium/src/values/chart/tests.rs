use rstest::rstest;
use serde_json::json;

use super::*;
use crate::values::{base, merge};

fn render(version: &str, over: Value) -> Result<BTreeMap<String, String>, ChartError> {
    let mut values = base();
    merge(&mut values, over.as_object().unwrap());
    configmap_for(&values, &version.parse().unwrap())
}

/// Each expectation was rendered by `helm template` 3.19 from the chart of that version.
#[rstest]
#[case::default_pool(json!({}), "cluster-pool-ipv4-cidr", Some("10.0.0.0/8"))]
#[case::list(json!({"ipam": {"operator": {"clusterPoolIPv4PodCIDRList": ["10.1.0.0/16", "10.2.0.0/16"]}}}), "cluster-pool-ipv4-cidr", Some("10.1.0.0/16 10.2.0.0/16"))]
#[case::scalar(json!({"ipam": {"operator": {"clusterPoolIPv4PodCIDRList": "10.60.0.0/16"}}}), "cluster-pool-ipv4-cidr", Some("10.60.0.0/16"))]
#[case::typing_error_is_ignored(json!({"ipam": {"operator": {"clusterPoolIPv4PodCidrList": "10.60.0.0/16"}}}), "cluster-pool-ipv4-cidr", Some("10.0.0.0/8"))]
#[case::nonsense_is_passed_on(json!({"ipam": {"operator": {"clusterPoolIPv4PodCIDRList": ["banana"]}}}), "cluster-pool-ipv4-cidr", Some("banana"))]
#[case::host_bits_are_passed_on(json!({"ipam": {"operator": {"clusterPoolIPv4PodCIDRList": ["192.168.54.16/26"]}}}), "cluster-pool-ipv4-cidr", Some("192.168.54.16/26"))]
#[case::unknown_mode_is_passed_on(json!({"ipam": {"mode": "cluster-pol"}}), "ipam", Some("cluster-pol"))]
#[case::empty_mode(json!({"ipam": {"mode": ""}}), "ipam", Some("cluster-pool"))]
#[case::other_modes_drop_the_pool(json!({"ipam": {"mode": "kubernetes", "operator": {"clusterPoolIPv4PodCIDRList": ["10.1.0.0/16"]}}}), "cluster-pool-ipv4-cidr", None)]
#[case::other_modes_drop_the_mask(json!({"ipam": {"mode": "kubernetes"}}), "cluster-pool-ipv4-mask-size", None)]
#[case::no_ipv6_pool(json!({}), "cluster-pool-ipv6-cidr", None)]
#[case::ipv6_pool(json!({"ipv6": {"enabled": true}}), "cluster-pool-ipv6-cidr", Some("fd00::/104"))]
#[case::ipv6_mask(json!({"ipv6": {"enabled": true}}), "cluster-pool-ipv6-mask-size", Some("120"))]
#[case::no_ipv4(json!({"ipv4": {"enabled": false}, "ipv6": {"enabled": true}}), "cluster-pool-ipv4-cidr", None)]
#[case::multi_pool_without_pools(json!({"ipam": {"mode": "multi-pool"}}), "auto-create-cilium-pod-ip-pools", Some(""))]
#[case::multi_pool(json!({"ipam": {"mode": "multi-pool", "operator": {"autoCreateCiliumPodIPPools": {"default": {"ipv4": {"cidrs": ["10.9.0.0/16"], "maskSize": 27}}}}}}),
    "auto-create-cilium-pod-ip-pools", Some("default=ipv4-cidrs:10.9.0.0/16;ipv4-mask-size:27"))]
#[case::native_routing(json!({"routingMode": "native"}), "routing-mode", Some("native"))]
#[case::tunnel_is_the_default(json!({}), "tunnel-protocol", Some("vxlan"))]
#[case::no_taint_handling(json!({"operator": {"removeNodeTaints": false}}), "remove-cilium-node-taints", None)]
#[case::no_hubble(json!({"hubble": {"enabled": false, "relay": {"enabled": false}}}), "hubble-listen-address", None)]
#[case::no_pod_watcher(json!({"operator": {"unmanagedPodWatcher": {"restart": false}}}), "unmanaged-pod-watcher-interval", Some("0"))]
#[case::extra(json!({"extraConfig": {"my-key": "x"}}), "my-key", Some("x"))]
fn renders(
    #[case] over: Value,
    #[case] key: &str,
    #[case] expected: Option<&str>,
    #[values("1.18.4", "1.19.1", "1.20.2")] version: &str,
) {
    let data = render(version, over).unwrap();
    assert_eq!(data.get(key).map(String::as_str), expected);
}

#[rstest]
#[case::singular_refused(
    "1.18.4",
    Some("Value ipam.operator.clusterPoolIPv4PodCIDR removed, use ipam.operator.clusterPoolIPv4PodCIDRList instead")
)]
#[case::singular_ignored("1.19.1", None)]
#[case::singular_ignored_too("1.20.2", None)]
fn the_removed_key(#[case] version: &str, #[case] refusal: Option<&str>) {
    let result = render(version, json!({"ipam": {"operator": {"clusterPoolIPv4PodCIDR": "10.1.0.0/16"}}}));
    match refusal {
        Some(text) => assert_eq!(
            result.unwrap_err().to_string(),
            format!("execution error at (cilium/templates/cilium-configmap.yaml:1097:8): {text}")
        ),
        None => assert_eq!(result.unwrap()["cluster-pool-ipv4-cidr"], "10.0.0.0/8"),
    }
}

#[rstest]
#[case::mask(json!({"ipam": {"operator": {"clusterPoolIPv4MaskSize": "abc"}}}), "- at '/ipam/operator/clusterPoolIPv4MaskSize': got string, want integer")]
#[case::list(json!({"ipam": {"operator": {"clusterPoolIPv4PodCIDRList": 3}}}), "- at '/ipam/operator/clusterPoolIPv4PodCIDRList': got number, want string or array")]
#[case::ipam(json!({"ipam": 5}), "- at '/ipam': got number, want object")]
#[case::kube_proxy(json!({"kubeProxyReplacement": "strict"}), "kubeProxyReplacement must be explicitly set to a valid value (true or false) to continue.")]
#[case::cluster_name(json!({"cluster": {"name": "Foo"}}), "The cluster name is invalid: must consist of")]
#[case::relay_without_hubble(json!({"hubble": {"enabled": false}}), "Hubble Relay requires .Values.hubble.enabled=true")]
#[case::native_without_range(json!({"routingMode": "native", "enableIPv4Masquerade": true}), " ipv4NativeRoutingCIDR must be set when routingMode is native")]
fn refuses(#[case] over: Value, #[case] expected: &str, #[values("1.18.4", "1.19.1", "1.20.2")] version: &str) {
    let error = render(version, over).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[rstest]
#[case("1.18.4", "15")]
#[case("1.19.1", "15s")]
#[case("1.20.2", "15s")]
fn the_pod_watcher_interval_changed_its_type(#[case] version: &str, #[case] expected: &str) {
    assert_eq!(render(version, json!({})).unwrap()["unmanaged-pod-watcher-interval"], expected);
}

#[rstest]
#[case("1.16.0", 18)]
#[case("1.18.9", 18)]
#[case("1.19.1", 19)]
#[case("1.21.0", 20)]
fn takes_the_nearest_chart(#[case] version: &str, #[case] minor: u64) {
    assert_eq!(chart_minor(&version.parse().unwrap()), minor);
}
