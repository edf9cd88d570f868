//! An agent's CiliumNode: what it writes and what it reads of it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipam::agent::{Agent, CiliumNodeView, PodCidrWrite};
use ipam::operator::Family;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::controllers::nodes::NodeFacts;
use crate::store::{Resource, Stored, WriteOptions};
use crate::world::{Context, Key, or_default};

/// The Node annotations that a CiliumNode shows: those of `cilium.io` and below (pkg/annotation/k8s.go).
pub(super) fn annotations(node: &Stored) -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    struct View {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(default, deserialize_with = "or_default")]
        annotations: BTreeMap<String, String>,
    }
    let all = node.read::<View>().map(|view| view.metadata.annotations).unwrap_or_default();
    let of_cilium = |key: &str| {
        let group = key.split('/').next().unwrap_or_default();
        key.contains('/') && (group == "cilium.io" || group.ends_with(".cilium.io"))
    };
    all.into_iter().filter(|(key, _)| of_cilium(key)).collect()
}

/// What an agent reads of it.
pub(super) fn view(object: &Stored) -> CiliumNodeView {
    let node = cilium::CiliumNode::from_value(&object.value()).unwrap_or_default();
    let parse = |list: &[String]| -> Vec<IpAddr> { list.iter().filter_map(|ip| ip.parse().ok()).collect() };
    CiliumNodeView {
        internal_ips: parse(&node.router_ips),
        health_ips: parse(&node.health_ips),
        ingress_ips: Vec::new(),
        pod_cidrs: node.pod_cidrs,
    }
}

/// Creates or updates a node's object. Without an agent: before it has addresses of its own.
pub(super) fn write(cx: &mut Context, node: &NodeFacts, agent: Option<&Agent>, cidrs: Option<&PodCidrWrite>) {
    let mut addresses: Vec<Value> =
        node.internal_ips.iter().map(|ip| json!({"type": "InternalIP", "ip": ip})).collect();
    // Families without a router, by whether they are IPv4.
    let mut off = Vec::new();
    let mut health = json!({});
    let mut ingress = json!({});
    for family in [Family::V4, Family::V6] {
        let Some(own) = agent.map(|agent| agent.infra(family)) else { continue };
        let key = if family == Family::V4 { "ipv4" } else { "ipv6" };
        match own.router {
            Some(ip) => addresses.push(json!({"type": "CiliumInternalIP", "ip": ip.to_string()})),
            None => off.push(family == Family::V4),
        }
        if let Some(ip) = own.health {
            health[key] = ip.to_string().into();
        }
        if let Some(ip) = own.ingress {
            ingress[key] = ip.to_string().into();
        }
    }
    let boot = cx
        .store
        .find(Resource::Node, "", &node.name)
        .map(|object| object.value()["status"]["nodeInfo"]["bootID"].clone());
    let metadata = json!({
        "labels": node.labels,
        "annotations": annotations(&node.object),
        "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": node.name, "uid": node.uid}],
    });
    let fill = |object: &mut Value| {
        for key in ["labels", "ownerReferences"] {
            object["metadata"][key] = metadata[key].clone();
        }
        match metadata["annotations"].as_object().filter(|map| !map.is_empty()) {
            Some(map) => object["metadata"]["annotations"] = Value::Object(map.clone()),
            None => {
                if let Some(map) = object["metadata"].as_object_mut() {
                    map.remove("annotations");
                }
            }
        }
        let spec = &mut object["spec"];
        for key in ["alibaba-cloud", "azure", "encryption", "eni"] {
            if spec[key].is_null() {
                spec[key] = json!({});
            }
        }
        if agent.is_some() || spec["addresses"].is_null() {
            // The router's address in a family that has been turned off stays: the agent takes it over from the object, and nobody
            // takes it out.
            let stays = |address: &&Value| {
                let ip: Option<IpAddr> = address["ip"].as_str().and_then(|ip| ip.parse().ok());
                address["type"] == "CiliumInternalIP" && ip.is_some_and(|ip| off.contains(&ip.is_ipv4()))
            };
            let kept: Vec<Value> = spec["addresses"].as_array().into_iter().flatten().filter(stays).cloned().collect();
            spec["addresses"] = addresses.into_iter().chain(kept).collect();
            spec["health"] = health;
            spec["ingress"] = ingress;
        }
        if let Some(boot) = boot.filter(|boot| boot.is_string()) {
            spec["bootid"] = boot;
        }
        if spec["ipam"].is_null() {
            spec["ipam"] = json!({"pools": {}});
        }
        if let Some(PodCidrWrite::Set(list)) = cidrs {
            spec["ipam"]["podCIDRs"] = json!(list);
        }
    };
    if cx.store.find(Resource::CiliumNode, "", &node.name).is_some() {
        let key = Key::new("", &node.name);
        cx.change(Resource::CiliumNode, &key, fill);
    } else {
        let mut object = json!({"metadata": {"name": node.name}, "spec": {}});
        fill(&mut object);
        // The Node went in this very moment: then the object has no owner and nobody needs it.
        let _ = cx.store.create(Resource::CiliumNode, "", object, &WriteOptions::default());
    }
}
