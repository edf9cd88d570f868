//! kind's configuration of a cluster, as JSON (which is YAML without dialects).

use camino::Utf8Path;
use serde_json::{Value, json};

use crate::ClusterSpec;

/// Names of the node containers that kind will make: its own scheme, in order.
pub(crate) fn node_names(cluster: &str, workers: u32) -> Vec<String> {
    let mut names = vec![format!("{cluster}-control-plane")];
    names.extend((1..=workers).map(|n| match n {
        1 => format!("{cluster}-worker"),
        n => format!("{cluster}-worker{n}"),
    }));
    names
}

/// The configuration of a cluster without anything that belongs to this machine: no node image, no mirror, no mounts.
pub fn plain(spec: &ClusterSpec) -> Value {
    render(spec, None, None, &[])
}

/// The configuration. `mirror` is the folder that nodes get as `/etc/containerd/certs.d`; `mounts` are further `extraMounts` of every
/// node.
pub(super) fn render(
    spec: &ClusterSpec,
    node_image: Option<&str>,
    mirror: Option<&Utf8Path>,
    mounts: &[Value],
) -> Value {
    let node = |role: &str| {
        let mut node = json!({"role": role});
        if let Some(image) = node_image {
            node["image"] = image.into();
        }
        let mirror =
            mirror.map(|dir| json!({"hostPath": dir, "containerPath": "/etc/containerd/certs.d", "readOnly": true}));
        let mounts: Vec<Value> = mirror.into_iter().chain(mounts.iter().cloned()).collect();
        if !mounts.is_empty() {
            node["extraMounts"] = mounts.into();
        }
        node
    };
    let mut nodes = vec![node("control-plane")];
    nodes.extend((0..spec.workers).map(|_| node("worker")));
    let mut networking = json!({
        "disableDefaultCNI": true,
        "ipFamily": spec.ip_family,
        "podSubnet": spec.pod_subnet,
        "serviceSubnet": spec.service_subnet,
    });
    // Not said at all rather than as an empty text, which kind takes for a subnet.
    if let Some(fields) = networking.as_object_mut() {
        fields.retain(|_, value| value != "");
    }
    let mut config = json!({
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": networking,
        "nodes": nodes,
    });
    if !spec.controller_manager.is_empty() {
        // Without apiVersion, so that it fits every kubeadm configuration version; kind turns the map into a list where that needs one.
        let patch =
            json!({"kind": "ClusterConfiguration", "controllerManager": {"extraArgs": spec.controller_manager}});
        config["kubeadmConfigPatches"] = json!([patch.to_string()]);
    }
    if mirror.is_some() {
        // The plugin has one name in containerd 1.x and another in 2.x; each ignores the other's.
        config["containerdConfigPatches"] = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"]
            .iter()
            .map(|plugin| format!("[plugins.\"{plugin}\".registry]\n  config_path = \"/etc/containerd/certs.d\"\n"))
            .collect();
    }
    config
}

/// containerd's `hosts.toml` for every registry: the mirror first, then the registry itself. A mirror address with a path is taken
/// whole, without `/v2` added to it.
pub(super) fn mirror_hosts(mirror: &str) -> String {
    let url = mirror.trim_end_matches('/');
    let has_path = url.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    let path = if has_path { "  override_path = true\n" } else { "" };
    format!("[host.{}]\n  capabilities = [\"pull\", \"resolve\"]\n{path}", Value::from(url))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;

    fn spec() -> ClusterSpec {
        ClusterSpec {
            run: "r".into(),
            scenario: "s".into(),
            dir: "d".into(),
            workers: 2,
            ip_family: "ipv4".into(),
            pod_subnet: "10.224.0.0/16".into(),
            service_subnet: "10.96.0.0/16".into(),
            controller_manager: BTreeMap::new(),
            cilium: "1.18.4".into(),
            images: Vec::new(),
            later: Vec::new(),
            timeout_scale: 1.0,
        }
    }

    #[test]
    fn a_plain_cluster() {
        assert_eq!(
            render(&spec(), None, None, &[]),
            json!({
                "kind": "Cluster",
                "apiVersion": "kind.x-k8s.io/v1alpha4",
                "networking": {
                    "disableDefaultCNI": true,
                    "ipFamily": "ipv4",
                    "podSubnet": "10.224.0.0/16",
                    "serviceSubnet": "10.96.0.0/16",
                },
                "nodes": [{"role": "control-plane"}, {"role": "worker"}, {"role": "worker"}],
            })
        );
    }

    #[test]
    fn what_is_not_said_is_left_to_kind() {
        let got = render(&ClusterSpec { service_subnet: String::new(), ..spec() }, None, None, &[]);
        assert_eq!(got["networking"].get("serviceSubnet"), None);
    }

    #[test]
    fn every_node_has_the_image_and_the_mirror() {
        let got =
            render(&spec(), Some("kindest/node:v1"), Some(Utf8Path::new("/d/certs.d")), &[json!({"hostPath": "/l"})]);
        let nodes = got["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), 3);
        for node in nodes {
            assert_eq!(node["image"], "kindest/node:v1");
            assert_eq!(node["extraMounts"][0]["hostPath"], "/d/certs.d");
            assert_eq!(node["extraMounts"][0]["readOnly"], true);
            assert_eq!(node["extraMounts"][1]["hostPath"], "/l");
        }
        assert_eq!(got["containerdConfigPatches"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn controller_manager_flags_become_a_patch_that_is_itself_json() {
        let flags = BTreeMap::from([("node-cidr-mask-size".to_owned(), "26".to_owned())]);
        let got = render(&ClusterSpec { controller_manager: flags, ..spec() }, None, None, &[]);
        let patch: Value = serde_json::from_str(got["kubeadmConfigPatches"][0].as_str().unwrap()).unwrap();
        assert_eq!(
            patch,
            json!({"kind": "ClusterConfiguration", "controllerManager": {"extraArgs": {"node-cidr-mask-size": "26"}}})
        );
    }

    #[rstest]
    #[case(0, &["c-control-plane"])]
    #[case(1, &["c-control-plane", "c-worker"])]
    #[case(3, &["c-control-plane", "c-worker", "c-worker2", "c-worker3"])]
    fn node_names_are_kinds(#[case] workers: u32, #[case] expected: &[&str]) {
        assert_eq!(node_names("c", workers), expected);
    }

    #[rstest]
    #[case("http://m:5000", "[host.\"http://m:5000\"]\n  capabilities = [\"pull\", \"resolve\"]\n")]
    #[case("http://m:5000/", "[host.\"http://m:5000\"]\n  capabilities = [\"pull\", \"resolve\"]\n")]
    #[case(
        "https://m/v2/proxy",
        "[host.\"https://m/v2/proxy\"]\n  capabilities = [\"pull\", \"resolve\"]\n  override_path = true\n"
    )]
    fn mirrors(#[case] url: &str, #[case] expected: &str) {
        assert_eq!(mirror_hosts(url), expected);
    }
}
