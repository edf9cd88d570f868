//! What a fresh kind cluster without a CNI plugin has.

use serde_json::{Value, json};

use super::{Context, Machine, Name, Shape, kubeadm};
use crate::store::{Part, Resource, WriteOptions};
use crate::tree::{Tree, tree};

pub(super) fn create(cx: &Context, resource: Resource, namespace: &str, object: impl Into<Tree>) {
    let made = cx.store.create(resource, namespace, object, &WriteOptions { part: Part::Whole, dry_run: false });
    debug_assert!(made.is_ok(), "{resource:?}: {made:?}");
}

/// Namespaces, kube-proxy, CoreDNS and the `kubernetes` Service.
pub(crate) fn furnish(cx: &Context, shape: &Shape) {
    for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
        create(cx, Resource::Namespace, "", tree!({"metadata": {"name": name}}));
    }
    kubeadm::furnish(cx, shape);
    create(
        cx,
        Resource::Service,
        "default",
        tree!({
            "metadata": {"name": "kubernetes", "labels": {"component": "apiserver", "provider": "kubernetes"}},
            "spec": {
                "clusterIP": service_address(shape, 1),
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
                "type": "ClusterIP",
            },
        }),
    );
    create(
        cx,
        Resource::Service,
        "kube-system",
        tree!({
            "metadata": {
                "name": "kube-dns",
                "labels": {"k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"},
                "annotations": {"prometheus.io/port": "9153", "prometheus.io/scrape": "true"},
            },
            "spec": {
                "clusterIP": service_address(shape, 10),
                "ports": [
                    {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                    {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
                    {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
                ],
                "selector": {"k8s-app": "kube-dns"},
            },
        }),
    );
    create(cx, Resource::DaemonSet, "kube-system", kube_proxy(shape));
    create(cx, Resource::Deployment, "kube-system", coredns());
}

/// An address that kubeadm gives by its place in the cluster's first range for Services.
fn service_address(shape: &Shape, place: u8) -> Option<String> {
    let first = shape.service_subnet.split(',').next()?.trim().parse::<ipnet::IpNet>().ok()?;
    first.hosts().nth(usize::from(place) - usize::from(first.addr().is_ipv4())).map(|ip| ip.to_string())
}

fn kube_proxy(shape: &Shape) -> Tree {
    tree!({
        "metadata": {"name": "kube-proxy", "labels": {"k8s-app": "kube-proxy"}},
        "spec": {
            "selector": {"matchLabels": {"k8s-app": "kube-proxy"}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
            "template": {
                "metadata": {"labels": {"k8s-app": "kube-proxy"}},
                "spec": {
                    "hostNetwork": true,
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "priorityClassName": "system-node-critical",
                    "serviceAccountName": "kube-proxy",
                    "tolerations": [{"operator": "Exists"}],
                    "containers": [{
                        "name": "kube-proxy",
                        "image": format!("registry.k8s.io/kube-proxy:{}", shape.kubernetes),
                        "command": ["/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf"],
                    }],
                },
            },
        },
    })
}

fn coredns() -> Value {
    let probe = |path: &str, port: &str| json!({"path": path, "port": port, "scheme": "HTTP"});
    let port =
        |number: u16, name: &str, protocol: &str| json!({"containerPort": number, "name": name, "protocol": protocol});
    json!({
        "metadata": {"name": "coredns", "labels": {"k8s-app": "kube-dns"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"k8s-app": "kube-dns"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": "25%"}},
            "template": {
                "metadata": {"labels": {"k8s-app": "kube-dns"}},
                "spec": {
                    "dnsPolicy": "Default",
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "priorityClassName": "system-cluster-critical",
                    "serviceAccountName": "coredns",
                    "tolerations": [
                        {"key": "CriticalAddonsOnly", "operator": "Exists"},
                        {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
                    ],
                    "containers": [{
                        "name": "coredns",
                        "image": "registry.k8s.io/coredns/coredns:v1.12.1",
                        "args": ["-conf", "/etc/coredns/Corefile"],
                        "ports": [
                            port(53, "dns", "UDP"),
                            port(53, "dns-tcp", "TCP"),
                            port(9153, "metrics", "TCP"),
                            port(8080, "liveness-probe", "TCP"),
                            port(8181, "readiness-probe", "TCP"),
                        ],
                        "livenessProbe": {
                            "httpGet": probe("/health", "liveness-probe"),
                            "initialDelaySeconds": 60,
                            "timeoutSeconds": 5,
                            "failureThreshold": 5,
                        },
                        "readinessProbe": {"httpGet": probe("/ready", "readiness-probe")},
                        "resources": {"limits": {"memory": "170Mi"}, "requests": {"cpu": "100m", "memory": "70Mi"}},
                        "volumeMounts": [{"mountPath": "/etc/coredns", "name": "config-volume", "readOnly": true}],
                    }],
                    "volumes": [{
                        "name": "config-volume",
                        "configMap": {"name": "coredns", "items": [{"key": "Corefile", "path": "Corefile"}]},
                    }],
                },
            },
        },
    })
}

/// The control plane's static pods, as their kubelet mirrors them.
pub(crate) fn static_pods(cx: &mut Context, node: &Name, machine: &Machine, version: &str) {
    let Some(owner) = cx.store.find(Resource::Node, "", node) else { return };
    let now = cx.stamp();
    let ips: Vec<Tree> = machine.addresses.iter().map(|ip| tree!({"ip": ip.to_string()})).collect();
    let first = machine.addresses.first().map(ToString::to_string).unwrap_or_default();
    for component in ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
        let name = format!("{component}-{node}");
        if cx.store.find(Resource::Pod, "kube-system", &name).is_some() {
            continue;
        }
        let image = match component {
            "etcd" => "registry.k8s.io/etcd:3.6.5-0".to_owned(),
            _ => format!("registry.k8s.io/{component}:{version}"),
        };
        let condition =
            |kind: &str| tree!({"type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": now});
        let conditions =
            ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition);
        let pod = tree!({
            "metadata": {
                "name": name,
                "labels": {"component": component, "tier": "control-plane"},
                "annotations": {
                    "kubernetes.io/config.hash": owner.meta.uid.replace("-", ""),
                    "kubernetes.io/config.mirror": owner.meta.uid.replace("-", ""),
                    "kubernetes.io/config.seen": now,
                    "kubernetes.io/config.source": "file",
                },
                "ownerReferences": [{"apiVersion": "v1", "controller": true, "kind": "Node", "name": **node, "uid": owner.meta.uid}],
            },
            "spec": {
                "hostNetwork": true,
                "nodeName": **node,
                "priorityClassName": "system-node-critical",
                "tolerations": [{"effect": "NoExecute", "operator": "Exists"}],
                "containers": [{"name": component, "image": image, "command": [component]}],
            },
            "status": {
                "phase": "Running",
                "hostIP": first,
                "hostIPs": ips,
                "podIP": first,
                "podIPs": ips,
                "startTime": now,
                "conditions": conditions,
                "containerStatuses": [{
                    "name": component,
                    "image": image,
                    "imageID": "",
                    "ready": true,
                    "restartCount": 0,
                    "started": true,
                    "state": {"running": {"startedAt": now}},
                    "lastState": {},
                }],
            },
        });
        create(cx, Resource::Pod, "kube-system", pod);
    }
}
