//! The CustomResourceDefinitions that an operator registers when it begins to lead, in their real schemas' shapes.

use ipam::Release;
use ipam::version::Behaviour;
use serde_json::{Value, json};

use cilium::group::{
    CILIUM_ENDPOINT, CILIUM_ENDPOINTS, CILIUM_NODE, CILIUM_NODES, CILIUM_POD_IP_POOL, CILIUM_POD_IP_POOLS, GROUP,
    SCHEMA_VERSION_LABEL, schema_version,
};

use crate::store::{Resource, WriteOptions};
use crate::world::{Context, Key};

/// Creates what is missing and brings schemas of older releases up to date.
pub(super) fn register(cx: &mut Context, release: Release) {
    for crd in definitions(release) {
        let name = crd["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if cx.store.find(Resource::CustomResourceDefinition, "", &name).is_some() {
            cx.change(Resource::CustomResourceDefinition, &Key::new("", &name), |old| {
                old["spec"]["versions"] = crd["spec"]["versions"].clone();
                old["metadata"]["labels"] = crd["metadata"]["labels"].clone();
            });
        } else {
            // It was looked for just now.
            let _ = cx.store.create(Resource::CustomResourceDefinition, "", crd, &WriteOptions::default());
        }
    }
}

fn definitions(release: Release) -> [Value; 4] {
    [
        definition(
            release,
            ("v2", CILIUM_NODE, CILIUM_NODES, "Cluster"),
            &["cn", "ciliumn"],
            true,
            json!([
                {"description": "Cilium internal IP for this node", "jsonPath": ".spec.addresses[?(@.type==\"CiliumInternalIP\")].ip", "name": "CiliumInternalIP", "type": "string"},
                {"description": "IP of the node", "jsonPath": ".spec.addresses[?(@.type==\"InternalIP\")].ip", "name": "InternalIP", "type": "string"},
                {"description": "Time duration since creation of Ciliumnode", "jsonPath": ".metadata.creationTimestamp", "name": "Age", "type": "date"},
            ]),
            node_schema(release),
        ),
        definition(
            release,
            ("v2", CILIUM_ENDPOINT, CILIUM_ENDPOINTS, "Namespaced"),
            &["cep", "ciliumep"],
            false,
            json!([
                {"description": "Security Identity", "jsonPath": ".status.identity.id", "name": "Security Identity", "type": "integer"},
                {"description": "Ingress enforcement in the endpoint", "jsonPath": ".status.policy.ingress.state", "name": "Ingress Enforcement", "priority": 1, "type": "string"},
                {"description": "Egress enforcement in the endpoint", "jsonPath": ".status.policy.egress.state", "name": "Egress Enforcement", "priority": 1, "type": "string"},
                {"description": "Endpoint current state", "jsonPath": ".status.state", "name": "Endpoint State", "type": "string"},
                {"description": "Endpoint IPv4 address", "jsonPath": ".status.networking.addressing[0].ipv4", "name": "IPv4", "type": "string"},
                {"description": "Endpoint IPv6 address", "jsonPath": ".status.networking.addressing[0].ipv6", "name": "IPv6", "type": "string"},
            ]),
            endpoint_schema(),
        ),
        definition(
            release,
            ("v2", "CiliumIdentity", "ciliumidentities", "Cluster"),
            &["ciliumid"],
            false,
            json!([
                {"description": "The namespace of the entity", "jsonPath": ".metadata.labels.io\\.kubernetes\\.pod\\.namespace", "name": "Namespace", "type": "string"},
                {"description": "The age of the identity", "jsonPath": ".metadata.creationTimestamp", "name": "Age", "type": "date"},
            ]),
            json!({
                "description": "CiliumIdentity is a CRD that represents an identity managed by Cilium.",
                "properties": {
                    "security-labels": {
                        "additionalProperties": {"type": "string"},
                        "description": "SecurityLabels is the source-of-truth set of labels for this identity.",
                        "type": "object",
                    },
                },
                "required": ["metadata", "security-labels"],
                "type": "object",
            }),
        ),
        definition(
            release,
            ("v2alpha1", CILIUM_POD_IP_POOL, CILIUM_POD_IP_POOLS, "Cluster"),
            &["cpip"],
            false,
            json!([]),
            pool_schema(),
        ),
    ]
}

fn definition(
    release: Release,
    (version, kind, plural, scope): (&str, &str, &str, &str),
    short: &[&str],
    status: bool,
    columns: Value,
    mut schema: Value,
) -> Value {
    schema["properties"]["apiVersion"] = json!({"type": "string"});
    schema["properties"]["kind"] = json!({"type": "string"});
    schema["properties"]["metadata"] = json!({"type": "object"});
    json!({
        "metadata": {
            "name": format!("{plural}.{GROUP}"),
            "labels": {SCHEMA_VERSION_LABEL: schema_version(release.minor())},
        },
        "spec": {
            "group": GROUP,
            "names": {
                "categories": ["cilium"],
                "kind": kind,
                "listKind": format!("{kind}List"),
                "plural": plural,
                "shortNames": short,
                "singular": kind.to_lowercase(),
            },
            "scope": scope,
            "versions": [{
                "name": version,
                "served": true,
                "storage": true,
                "additionalPrinterColumns": columns,
                "schema": {"openAPIV3Schema": schema},
                "subresources": if status { json!({"status": {}}) } else { json!({}) },
            }],
        },
    })
}

fn text(description: &str) -> Value {
    json!({"description": description, "type": "string"})
}

fn open() -> Value {
    json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

fn pair() -> Value {
    json!({"properties": {"ipv4": {"type": "string"}, "ipv6": {"type": "string"}}, "type": "object"})
}

fn node_schema(release: Release) -> Value {
    let mut cidr = json!({"description": "CIDR is a CIDR", "type": "string"});
    if release.has(Behaviour::ValidatesPodCidrs) {
        cidr["format"] = "cidr".into();
    }
    json!({
        "description": "CiliumNode represents a node managed by Cilium. It contains a specification to control various node specific configuration aspects and a status section to represent the status of the node.",
        "properties": {
            "spec": {
                "description": "Spec defines the desired specification/configuration of the node.",
                "properties": {
                    "addresses": {
                        "description": "Addresses is the list of all node addresses.",
                        "items": {
                            "description": "NodeAddress is a node address.",
                            "properties": {"ip": text("IP is an IP of a node"), "type": text("Type is the type of the node address")},
                            "type": "object",
                        },
                        "type": "array",
                    },
                    "alibaba-cloud": open(),
                    "azure": open(),
                    "bootid": text("BootID is a unique node identifier generated on boot"),
                    "encryption": {"properties": {"key": {"type": "integer"}}, "type": "object"},
                    "eni": open(),
                    "health": pair(),
                    "ingress": pair(),
                    "instance-id": {"type": "string"},
                    "ipam": {
                        "description": "IPAM is the address management specification. This section can be populated by a user or it can be automatically populated by an IPAM operator.",
                        "properties": {
                            "max-above-watermark": {"minimum": 0, "type": "integer"},
                            "max-allocate": {"minimum": 0, "type": "integer"},
                            "min-allocate": {"minimum": 0, "type": "integer"},
                            "podCIDRs": {
                                "description": "PodCIDRs is the list of CIDRs available to the node for allocation. When an IP is used, the IP will be added to Status.IPAM.Used",
                                "items": cidr,
                                "type": "array",
                            },
                            "pool": open(),
                            "pools": open(),
                            "pre-allocate": {"minimum": 0, "type": "integer"},
                        },
                        "type": "object",
                    },
                    "nodeidentity": {"format": "int64", "type": "integer"},
                },
                "type": "object",
            },
            "status": {
                "description": "Status defines the realized specification/configuration and status of the node.",
                "properties": {
                    "alibaba-cloud": open(),
                    "azure": open(),
                    "eni": open(),
                    "ipam": {
                        "description": "IPAM is the IPAM status of the node.",
                        "properties": {
                            "operator-status": {
                                "description": "Operator is the Operator status of the node",
                                "properties": {"error": text("Error is the error message set by cilium-operator.")},
                                "type": "object",
                            },
                            "pod-cidrs": open(),
                            "release-ips": open(),
                            "used": open(),
                        },
                        "type": "object",
                    },
                },
                "type": "object",
            },
        },
        "required": ["metadata", "spec"],
        "type": "object",
    })
}

fn endpoint_schema() -> Value {
    json!({
        "description": "CiliumEndpoint is the status of a Cilium policy rule.",
        "properties": {
            "status": {
                "description": "EndpointStatus is the status of a Cilium endpoint.",
                "properties": {
                    "encryption": open(),
                    "external-identifiers": open(),
                    "id": {"format": "int64", "type": "integer"},
                    "identity": {
                        "properties": {
                            "id": {"format": "int64", "type": "integer"},
                            "labels": {"items": {"type": "string"}, "type": "array"},
                        },
                        "type": "object",
                    },
                    "named-ports": {"items": open(), "type": "array"},
                    "networking": {
                        "properties": {
                            "addressing": {"items": pair(), "type": "array"},
                            "node": {"type": "string"},
                        },
                        "required": ["addressing"],
                        "type": "object",
                    },
                    "policy": open(),
                    "service-account": {"type": "string"},
                    "state": {
                        "enum": ["creating", "waiting-for-identity", "not-ready", "waiting-to-regenerate", "regenerating", "restoring", "ready", "disconnecting", "disconnected", "invalid"],
                        "type": "string",
                    },
                },
                "type": "object",
            },
        },
        "required": ["metadata"],
        "type": "object",
    })
}

fn pool_schema() -> Value {
    let family = |most: u32| {
        json!({
            "properties": {
                "cidrs": {"items": {"format": "cidr", "type": "string"}, "minItems": 1, "type": "array"},
                "maskSize": {"maximum": most, "minimum": 1, "type": "integer"},
            },
            "required": ["cidrs", "maskSize"],
            "type": "object",
        })
    };
    json!({
        "description": "CiliumPodIPPool defines an IP pool that can be used for pooled IPAM (i.e. the multi-pool IPAM mode).",
        "properties": {"spec": {"properties": {"ipv4": family(32), "ipv6": family(128)}, "type": "object"}},
        "required": ["metadata", "spec"],
        "type": "object",
    })
}
