//! The chart's objects, as far as something on the simulated cluster reads them (rendered from the charts of 1.18.4, 1.19.1 and
//! 1.20.2 with Helm 3.19; volumes, security contexts and environment are left out).

use std::collections::BTreeMap;

use ipam::Release;
use semver::Version;
use serde_json::{Map, Value, json};

use cilium::components::{AGENT, CONFIG_DIR, CONFIG_INIT_CONTAINER, Component, HUBBLE_RELAY, NAMESPACE, OPERATOR};
use cilium::values::lookup;

use crate::store::Resource;
use crate::world::Key;

/// One object.
pub(super) struct Manifest {
    pub(super) resource: Resource,
    pub(super) key: Key,
    pub(super) value: Value,
}

struct Chart<'a> {
    version: &'a Version,
    release: Release,
    values: &'a Map<String, Value>,
}

/// Every object, in the order in which Helm creates them.
pub(super) fn render(
    version: &Version,
    release: Release,
    values: &Map<String, Value>,
    config: BTreeMap<String, String>,
) -> Vec<Manifest> {
    let chart = Chart { version, release, values };
    let relay = chart.truthy("hubble.relay.enabled", false);
    let hubble = chart.truthy("hubble.enabled", true);
    let mut all = Vec::new();
    let mut add = |resource: Resource, namespace: &str, name: &str, mut value: Value| {
        value["metadata"]["name"] = name.into();
        if !namespace.is_empty() {
            value["metadata"]["namespace"] = namespace.into();
        }
        if release.minor() >= 20 {
            value["metadata"]["labels"]["helm.sh/chart"] = chart.label().into();
        }
        all.push(Manifest { resource, key: Key::new(namespace, name), value });
    };
    if release.minor() >= 17 {
        let labels = json!({"app.kubernetes.io/part-of": "cilium"});
        add(Resource::Namespace, "", "cilium-secrets", json!({"metadata": {"labels": labels}}));
    }
    for name in ["cilium", "cilium-operator"].into_iter().chain(relay.then_some("hubble-relay")) {
        add(Resource::ServiceAccount, NAMESPACE, name, json!({}));
    }
    if hubble {
        let opaque = |text: &str| base64_of(text);
        add(
            Resource::Secret,
            NAMESPACE,
            "cilium-ca",
            json!({"data": {"ca.crt": opaque("simulated"), "ca.key": opaque("simulated")}}),
        );
        for name in ["hubble-server-certs"].into_iter().chain(relay.then_some("hubble-relay-client-certs")) {
            let data =
                json!({"ca.crt": opaque("simulated"), "tls.crt": opaque("simulated"), "tls.key": opaque("simulated")});
            add(Resource::Secret, NAMESPACE, name, json!({"type": "kubernetes.io/tls", "data": data}));
        }
    }
    let checksum = checksum(&config);
    add(Resource::ConfigMap, NAMESPACE, cilium::config::CONFIG_MAP, json!({"data": config}));
    if relay {
        let text = "cluster-name: default\npeer-service: \"hubble-peer.kube-system.svc.cluster.local.:443\"\nlisten-address: :4245\n";
        add(Resource::ConfigMap, NAMESPACE, "hubble-relay-config", json!({"data": {"config.yaml": text}}));
        add(
            Resource::Service,
            NAMESPACE,
            "hubble-relay",
            json!({
                "metadata": {"labels": labels_of(&HUBBLE_RELAY)},
                "spec": {
                    "type": "ClusterIP",
                    "selector": {"k8s-app": "hubble-relay"},
                    "ports": [{"protocol": "TCP", "port": 80, "targetPort": "grpc"}],
                },
            }),
        );
    }
    if hubble {
        add(
            Resource::Service,
            NAMESPACE,
            "hubble-peer",
            json!({
                "metadata": {"labels": {"app.kubernetes.io/name": "hubble-peer", "app.kubernetes.io/part-of": "cilium", "k8s-app": "cilium"}},
                "spec": {
                    "selector": {"k8s-app": "cilium"},
                    "ports": [{"name": "peer-service", "port": 443, "protocol": "TCP", "targetPort": 4244}],
                    "internalTrafficPolicy": "Local",
                },
            }),
        );
    }
    add(Resource::DaemonSet, NAMESPACE, AGENT.name, chart.agent(&checksum));
    add(Resource::Deployment, NAMESPACE, OPERATOR.name, chart.operator(&checksum));
    if relay {
        add(Resource::Deployment, NAMESPACE, HUBBLE_RELAY.name, chart.relay());
    }
    all
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn labels_of(component: &Component) -> Value {
    component.labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect()
}

fn selector_of(component: &Component) -> Value {
    component.selector.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect()
}

/// 64 hexadecimal digits that change with the ConfigMap.
fn checksum(config: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for round in 0..4_u64 {
        let mut word = 0xcbf2_9ce4_8422_2325_u64 ^ round;
        for byte in config.iter().flat_map(|(key, value)| key.bytes().chain([0]).chain(value.bytes()).chain([1])) {
            word = (word ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        text.push_str(&format!("{word:016x}"));
    }
    text
}

fn neighbour(key: &str, value: &str) -> Value {
    json!({
        "requiredDuringSchedulingIgnoredDuringExecution": [{
            "labelSelector": {"matchLabels": {key: value}},
            "topologyKey": "kubernetes.io/hostname",
        }],
    })
}

impl Chart<'_> {
    fn truthy(&self, path: &str, default: bool) -> bool {
        lookup(self.values, path).and_then(Value::as_bool).unwrap_or(default)
    }

    fn label(&self) -> String {
        format!("cilium-{}", self.version)
    }

    /// `repository:tag`, or what `override` says. Digests are not simulated: images are never pulled.
    fn image(&self, path: &str, repository: &str, suffix: &str) -> String {
        let text = |key: &str| lookup(self.values, &format!("{path}.{key}")).and_then(Value::as_str);
        if let Some(whole) = text("override").filter(|text| !text.is_empty()) {
            return whole.to_owned();
        }
        let tag = text("tag").map_or_else(|| format!("v{}", self.version), str::to_owned);
        format!("{}{suffix}:{tag}", text("repository").unwrap_or(repository))
    }

    fn policy(&self, path: &str) -> &str {
        lookup(self.values, &format!("{path}.pullPolicy")).and_then(Value::as_str).unwrap_or("IfNotPresent")
    }

    fn template_labels(&self, component: &Component) -> Value {
        let mut labels = labels_of(component);
        if self.release.minor() >= 20 {
            labels["helm.sh/chart"] = self.label().into();
        }
        labels
    }

    /// Charts before 1.19 have no named ports for health checks.
    fn health_port(&self, number: u16) -> Value {
        if self.release.minor() >= 19 { "health".into() } else { number.into() }
    }

    fn ports(&self, all: &[(&str, u16)]) -> Value {
        let port = |(name, number): &(&str, u16)| json!({"containerPort": number, "hostPort": number, "name": name, "protocol": "TCP"});
        if self.release.minor() >= 19 { all.iter().map(port).collect() } else { json!([]) }
    }

    fn operator_ports(&self) -> Value {
        let mut ports = self.ports(&[("health", 9234)]);
        if let Some(list) = ports.as_array_mut() {
            list.push(json!({"containerPort": 9963, "hostPort": 9963, "name": "prometheus", "protocol": "TCP"}));
        }
        ports
    }

    fn agent(&self, checksum: &str) -> Value {
        let image = self.image("image", "quay.io/cilium/cilium", "");
        let policy = self.policy("image");
        let init = |name: &str, command: &[&str]| {
            json!({
                "name": name,
                "image": image,
                "imagePullPolicy": policy,
                "command": command,
                "terminationMessagePolicy": "FallbackToLogsOnError",
            })
        };
        let probe = |failures: u32, period: u32| {
            json!({
                "httpGet": {
                    "host": "127.0.0.1",
                    "path": "/healthz",
                    "port": self.health_port(9879),
                    "scheme": "HTTP",
                    "httpHeaders": [{"name": "brief", "value": "true"}],
                },
                "failureThreshold": failures,
                "periodSeconds": period,
                "successThreshold": 1,
            })
        };
        let mut startup = probe(if self.release.minor() <= 17 { 105 } else { 300 }, 2);
        startup["initialDelaySeconds"] = 5.into();
        let patient = |failures: u32| {
            let mut probe = probe(failures, 30);
            probe["timeoutSeconds"] = 5.into();
            probe
        };
        let mut config = init(CONFIG_INIT_CONTAINER, &["cilium-dbg", "build-config"]);
        config["volumeMounts"] = json!([{"mountPath": "/tmp", "name": "tmp"}]);
        let mut annotations = json!({"kubectl.kubernetes.io/default-container": AGENT.container});
        if self.truthy("rollOutCiliumPods", false) {
            annotations["cilium.io/cilium-configmap-checksum"] = checksum.into();
        }
        json!({
            "metadata": {"labels": labels_of(&AGENT)},
            "spec": {
                "selector": {"matchLabels": selector_of(&AGENT)},
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}},
                "template": {
                    "metadata": {"annotations": annotations, "labels": self.template_labels(&AGENT)},
                    "spec": {
                        "affinity": {"podAntiAffinity": neighbour("k8s-app", "cilium")},
                        "automountServiceAccountToken": true,
                        "hostNetwork": true,
                        "nodeSelector": {"kubernetes.io/os": "linux"},
                        "priorityClassName": "system-node-critical",
                        "restartPolicy": "Always",
                        "serviceAccountName": "cilium",
                        "terminationGracePeriodSeconds": 1,
                        "tolerations": [{"operator": "Exists"}],
                        "initContainers": [
                            config,
                            init("mount-cgroup", &["sh", "-ec", "cp /usr/bin/cilium-mount /hostbin/cilium-mount;"]),
                            init("apply-sysctl-overwrites", &["sh", "-ec", "cp /usr/bin/cilium-sysctlfix /hostbin/cilium-sysctlfix;"]),
                            init("mount-bpf-fs", &["/bin/bash", "-c", "--"]),
                            init("clean-cilium-state", &["/init-container.sh"]),
                            init("install-cni-binaries", &["/install-plugin.sh"]),
                        ],
                        "containers": [{
                            "name": AGENT.container,
                            "image": image,
                            "imagePullPolicy": policy,
                            "command": ["cilium-agent"],
                            "args": [format!("--config-dir={CONFIG_DIR}")],
                            "ports": self.ports(&[("health", 9879), ("peer-service", 4244)]),
                            "startupProbe": startup,
                            "livenessProbe": patient(10),
                            "readinessProbe": patient(3),
                            "terminationMessagePolicy": "FallbackToLogsOnError",
                            "volumeMounts": [
                                {"mountPath": "/var/run/cilium", "name": "cilium-run"},
                                {"mountPath": "/tmp", "name": "tmp"},
                            ],
                        }],
                        "volumes": [
                            {"emptyDir": {}, "name": "tmp"},
                            {"hostPath": {"path": "/var/run/cilium", "type": "DirectoryOrCreate"}, "name": "cilium-run"},
                        ],
                    },
                },
            },
        })
    }

    fn operator(&self, checksum: &str) -> Value {
        let replicas = lookup(self.values, "operator.replicas").and_then(Value::as_u64).unwrap_or(2);
        let tolerations = if self.release.minor() <= 17 {
            json!([{"operator": "Exists"}])
        } else {
            let keys = [
                "node-role.kubernetes.io/control-plane",
                "node-role.kubernetes.io/master",
                "node.kubernetes.io/not-ready",
                "node.cloudprovider.kubernetes.io/uninitialized",
                cilium::components::AGENT_NOT_READY_TAINT,
            ];
            keys.iter().map(|key| json!({"key": key, "operator": "Exists"})).collect()
        };
        let probe = || json!({"httpGet": {"host": "127.0.0.1", "path": "/healthz", "port": self.health_port(9234), "scheme": "HTTP"}, "timeoutSeconds": 3});
        let mut liveness = probe();
        liveness["initialDelaySeconds"] = 60.into();
        let mut readiness = probe();
        readiness["periodSeconds"] = 5.into();
        readiness["failureThreshold"] = 5.into();
        let mut annotations = json!({"prometheus.io/port": "9963", "prometheus.io/scrape": "true"});
        if self.truthy("operator.rollOutPods", false) {
            annotations["cilium.io/cilium-configmap-checksum"] = checksum.into();
        }
        json!({
            "metadata": {"labels": labels_of(&OPERATOR)},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": selector_of(&OPERATOR)},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": if replicas == 1 { "100%" } else { "50%" }}},
                "template": {
                    "metadata": {"annotations": annotations, "labels": self.template_labels(&OPERATOR)},
                    "spec": {
                        "affinity": {"podAntiAffinity": neighbour("io.cilium/app", "operator")},
                        "automountServiceAccountToken": true,
                        "hostNetwork": true,
                        "nodeSelector": {"kubernetes.io/os": "linux"},
                        "priorityClassName": "system-cluster-critical",
                        "restartPolicy": "Always",
                        "serviceAccountName": "cilium-operator",
                        "tolerations": tolerations,
                        "containers": [{
                            "name": OPERATOR.container,
                            "image": self.image("operator.image", "quay.io/cilium/operator", "-generic"),
                            "imagePullPolicy": self.policy("operator.image"),
                            "command": ["cilium-operator-generic"],
                            "args": [format!("--config-dir={CONFIG_DIR}"), "--debug=$(CILIUM_DEBUG)"],
                            "ports": self.operator_ports(),
                            "livenessProbe": liveness,
                            "readinessProbe": readiness,
                            "terminationMessagePolicy": "FallbackToLogsOnError",
                            "volumeMounts": [{"mountPath": CONFIG_DIR, "name": "cilium-config-path", "readOnly": true}],
                        }],
                        "volumes": [{"configMap": {"name": cilium::config::CONFIG_MAP}, "name": "cilium-config-path"}],
                    },
                },
            },
        })
    }

    fn relay(&self) -> Value {
        let probe = || json!({"grpc": {"port": 4222}});
        let mut startup = probe();
        startup["initialDelaySeconds"] = 10.into();
        startup["periodSeconds"] = 3.into();
        startup["failureThreshold"] = 20.into();
        let mut liveness = probe();
        liveness["initialDelaySeconds"] = 10.into();
        liveness["failureThreshold"] = 12.into();
        let mut readiness = probe();
        readiness["timeoutSeconds"] = 3.into();
        json!({
            "metadata": {"labels": labels_of(&HUBBLE_RELAY)},
            "spec": {
                "replicas": lookup(self.values, "hubble.relay.replicas").and_then(Value::as_u64).unwrap_or(1),
                "selector": {"matchLabels": selector_of(&HUBBLE_RELAY)},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
                "template": {
                    "metadata": {"labels": self.template_labels(&HUBBLE_RELAY)},
                    "spec": {
                        "affinity": {"podAffinity": neighbour("k8s-app", "cilium")},
                        "automountServiceAccountToken": false,
                        "nodeSelector": {"kubernetes.io/os": "linux"},
                        "restartPolicy": "Always",
                        "serviceAccountName": "hubble-relay",
                        "terminationGracePeriodSeconds": 1,
                        "containers": [{
                            "name": HUBBLE_RELAY.container,
                            "image": self.image("hubble.relay.image", "quay.io/cilium/hubble-relay", ""),
                            "imagePullPolicy": self.policy("hubble.relay.image"),
                            "command": ["hubble-relay"],
                            "args": ["serve"],
                            "ports": [{"containerPort": 4245, "name": "grpc"}],
                            "startupProbe": startup,
                            "livenessProbe": liveness,
                            "readinessProbe": readiness,
                            "terminationMessagePolicy": "FallbackToLogsOnError",
                        }],
                    },
                },
            },
        })
    }
}
