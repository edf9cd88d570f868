//! What kubeadm and the control plane leave in a cluster for people to see: nothing here reads it.

use base64::Engine as _;
use serde_json::{Map, Value, json};

use super::boot::create;
use super::{Context, Name, Shape};
use crate::store::{Resource, Stored, WriteOptions};

const SCHEDULER: &str = "kube-scheduler";

/// The ConfigMap that every namespace has.
pub(super) const ROOT_CA: &str = "kube-root-ca.crt";

/// ServiceAccounts of `kube-system`, beside its default one (Kubernetes 1.34: one for each controller, CoreDNS, kube-proxy).
const ACCOUNTS: [&str; 38] = [
    "attachdetach-controller",
    "bootstrap-signer",
    "certificate-controller",
    "clusterrole-aggregation-controller",
    "coredns",
    "cronjob-controller",
    "daemon-set-controller",
    "deployment-controller",
    "disruption-controller",
    "endpoint-controller",
    "endpointslice-controller",
    "endpointslicemirroring-controller",
    "ephemeral-volume-controller",
    "expand-controller",
    "generic-garbage-collector",
    "horizontal-pod-autoscaler",
    "job-controller",
    "kube-proxy",
    "legacy-service-account-token-cleaner",
    "namespace-controller",
    "node-controller",
    "persistent-volume-binder",
    "pod-garbage-collector",
    "pv-protection-controller",
    "pvc-protection-controller",
    "replicaset-controller",
    "replication-controller",
    "resource-claim-controller",
    "resourcequota-controller",
    "root-ca-cert-publisher",
    "service-account-controller",
    "service-cidrs-controller",
    "statefulset-controller",
    "token-cleaner",
    "ttl-after-finished-controller",
    "ttl-controller",
    "validatingadmissionpolicy-status-controller",
    "volumeattributesclass-protection-controller",
];

/// Accounts, configurations, the token with which nodes join, and the leases of the control plane's parts.
pub(super) fn furnish(cx: &Context, shape: &Shape) {
    for name in ACCOUNTS {
        create(cx, Resource::ServiceAccount, "kube-system", json!({"metadata": {"name": name}}));
    }
    for (namespace, name, data) in configurations(cx, shape) {
        create(cx, Resource::ConfigMap, namespace, json!({"metadata": {"name": name}, "data": data}));
    }
    create(
        cx,
        Resource::Secret,
        "kube-system",
        json!({
            "metadata": {"name": "bootstrap-token-abcdef"},
            "type": "bootstrap.kubernetes.io/token",
            "data": {
                "auth-extra-groups": coded("system:bootstrappers:kubeadm:default-node-token"),
                "expiration": coded(&cx.stamp()),
                "token-id": coded("abcdef"),
                "token-secret": coded("simulated"),
                "usage-bootstrap-authentication": coded("true"),
                "usage-bootstrap-signing": coded("true"),
            },
        }),
    );
}

/// The control plane's parts take their leases. They are not renewed: nobody looks at them but people.
pub(super) fn lead(cx: &Context, node: &Name) {
    if cx.store.find(Resource::Lease, "kube-system", SCHEDULER).is_some() {
        return;
    }
    let now = format!("{:.6}", cx.store.now());
    let id = || cx.store.new_uid();
    let server = format!("apiserver-{}", id().replace('-', "").chars().take(26).collect::<String>());
    let lease =
        |name: &str, labels: Value, spec: Value| json!({"metadata": {"name": name, "labels": labels}, "spec": spec});
    let leader = |name: &str| {
        let spec = json!({
            "holderIdentity": format!("{node}_{}", id()),
            "leaseDurationSeconds": 15,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": 0,
        });
        lease(name, json!({}), spec)
    };
    let labels = json!({"apiserver.kubernetes.io/identity": "kube-apiserver", "kubernetes.io/hostname": node});
    let own = json!({"holderIdentity": format!("{server}_{}", id()), "leaseDurationSeconds": 3600, "renewTime": now});
    for object in [lease(&server, labels, own), leader("kube-controller-manager"), leader(SCHEDULER)] {
        create(cx, Resource::Lease, "kube-system", object);
    }
}

/// The root certificate's publisher puts its ConfigMap back where somebody deletes it.
pub(super) fn publish_again(cx: &Context, gone: &Stored) {
    let old = gone.value();
    let object = json!({
        "metadata": {"name": ROOT_CA, "annotations": old["metadata"]["annotations"]},
        "data": old["data"],
    });
    // In a namespace that is going nothing can be made any more.
    let _ = cx.store.create(Resource::ConfigMap, &gone.meta.namespace, object, &WriteOptions::default());
}

fn coded(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

type Configuration = (&'static str, &'static str, Value);

fn configurations(cx: &Context, shape: &Shape) -> Vec<Configuration> {
    let cluster = format!(
        "apiServer: {{}}\napiVersion: kubeadm.k8s.io/v1beta4\nclusterName: {}\nkind: ClusterConfiguration\nkubernetesVersion: {}\nnetworking:\n  podSubnet: {}\n  serviceSubnet: {}\n",
        shape.name, shape.kubernetes, shape.pod_subnet, shape.service_subnet
    );
    let corefile = ".:53 {\n    errors\n    health {\n       lameduck 5s\n    }\n    ready\n    kubernetes cluster.local in-addr.arpa ip6.arpa {\n       pods insecure\n       fallthrough in-addr.arpa ip6.arpa\n       ttl 30\n    }\n    prometheus :9153\n    forward . /etc/resolv.conf {\n       max_concurrent 1000\n    }\n    cache 30\n    loop\n    reload\n    loadbalance\n}\n";
    let headers = [
        ("client-ca-file", ""),
        ("requestheader-allowed-names", "[\"front-proxy-client\"]"),
        ("requestheader-client-ca-file", ""),
        ("requestheader-extra-headers-prefix", "[\"X-Remote-Extra-\"]"),
        ("requestheader-group-headers", "[\"X-Remote-Group\"]"),
        ("requestheader-username-headers", "[\"X-Remote-User\"]"),
    ];
    let headers: Map<String, Value> = headers.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let date: String = cx.stamp().chars().take(10).collect();
    let kubeconfig = "apiVersion: v1\nkind: Config\n";
    let proxy = format!(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nclusterCIDR: {}\nkind: KubeProxyConfiguration\n",
        shape.pod_subnet
    );
    let kubelet = "apiVersion: kubelet.config.k8s.io/v1beta1\ncgroupDriver: systemd\nkind: KubeletConfiguration\n";
    vec![
        ("kube-public", "cluster-info", json!({"jws-kubeconfig-abcdef": "", "kubeconfig": kubeconfig})),
        ("kube-system", "coredns", json!({"Corefile": corefile})),
        ("kube-system", "extension-apiserver-authentication", Value::Object(headers)),
        ("kube-system", "kube-apiserver-legacy-service-account-token-tracking", json!({"since": date})),
        ("kube-system", "kube-proxy", json!({"config.conf": proxy, "kubeconfig.conf": kubeconfig})),
        ("kube-system", "kubeadm-config", json!({"ClusterConfiguration": cluster})),
        ("kube-system", "kubelet-config", json!({"kubelet": kubelet})),
    ]
}
