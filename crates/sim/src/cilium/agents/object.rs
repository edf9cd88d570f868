//! An agent's CiliumNode: what it writes and what it reads of it.

use std::net::IpAddr;

use ecow::EcoString;
use ipam::agent::{Agent, CiliumNodeView, PodCidrWrite};
use ipam::operator::Family;

use crate::controllers::nodes::NodeFacts;
use crate::store::{Resource, Stored, WriteOptions};
use crate::tree::{Tree, tree};
use crate::world::{Context, Key};

/// The Node annotations that a CiliumNode shows: those of `cilium.io` and below (pkg/annotation/k8s.go).
fn annotations(node: &Stored) -> impl Iterator<Item = (&EcoString, &Tree)> {
    let all = node.tree()["metadata"]["annotations"].as_object().into_iter().flatten();
    all.filter(|(key, _)| {
        let group = key.split('/').next().unwrap_or_default();
        key.contains('/') && (group == "cilium.io" || group.ends_with(".cilium.io"))
    })
}

/// Whether a CiliumNode shows something of a Node's newer version that it does not show of the older one.
pub(super) fn shows_other(older: &Stored, newer: &Stored) -> bool {
    !older.tree()["metadata"].is_same(&newer.tree()["metadata"])
        && (older.meta.labels != newer.meta.labels || annotations(older).ne(annotations(newer)))
}

/// What an agent reads of it.
pub(super) fn view(object: &Stored) -> CiliumNodeView {
    let spec = &object.tree()["spec"];
    let parse = |value: &Tree| -> Option<IpAddr> { value.as_str()?.parse().ok() };
    let addresses = spec["addresses"].as_array().into_iter().flatten();
    let cidrs = spec["ipam"]["podCIDRs"].as_array().into_iter().flatten();
    CiliumNodeView {
        internal_ips: addresses
            .filter(|one| one["type"] == "CiliumInternalIP")
            .filter_map(|one| parse(&one["ip"]))
            .collect(),
        health_ips: ["ipv4", "ipv6"].iter().filter_map(|family| parse(&spec["health"][*family])).collect(),
        ingress_ips: Vec::new(),
        pod_cidrs: cidrs.filter_map(Tree::as_str).map(str::to_owned).collect(),
    }
}

/// Creates or updates a node's object. Without an agent: before it has addresses of its own.
pub(super) fn write(cx: &mut Context, node: &NodeFacts, agent: Option<&Agent>, cidrs: Option<&PodCidrWrite>) {
    let mut addresses: Vec<Tree> = node.internal_ips.iter().map(|ip| tree!({"type": "InternalIP", "ip": ip})).collect();
    // Families without a router, by whether they are IPv4.
    let mut off = Vec::new();
    let mut health = tree!({});
    let mut ingress = tree!({});
    for family in [Family::V4, Family::V6] {
        let Some(own) = agent.map(|agent| agent.infra(family)) else { continue };
        let key = if family == Family::V4 { "ipv4" } else { "ipv6" };
        let outside = if family == Family::V4 { "198.51.100.1" } else { "2001:db8::1" };
        let flawed = outside.parse().ok().filter(|_| cx.breaks(events::Invariant::RouterInPodCidr));
        match own.router.map(|ip| flawed.unwrap_or(ip)) {
            Some(ip) => addresses.push(tree!({"type": "CiliumInternalIP", "ip": ip.to_string()})),
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
        .map(|object| object.tree()["status"]["nodeInfo"]["bootID"].clone());
    let metadata = tree!({
        "labels": node.labels().iter().map(|(key, value)| (key.clone(), value.clone())).collect::<Tree>(),
        "annotations": annotations(&node.object).map(|(key, value)| (key.clone(), value.clone())).collect::<Tree>(),
        "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": node.name, "uid": node.uid}],
    });
    let fill = |object: &mut Tree| {
        for key in ["labels", "ownerReferences"] {
            object["metadata"][key] = metadata[key].clone();
        }
        match metadata["annotations"].as_object().filter(|map| !map.is_empty()) {
            Some(map) => object["metadata"]["annotations"] = Tree::Object(map.clone()),
            None => {
                if let Some(map) = object["metadata"].as_object_mut() {
                    map.remove("annotations");
                }
            }
        }
        let spec = &mut object["spec"];
        for key in ["alibaba-cloud", "azure", "encryption", "eni"] {
            if spec[key].is_null() {
                spec[key] = tree!({});
            }
        }
        if agent.is_some() || spec["addresses"].is_null() {
            // The router's address in a family that has been turned off stays: the agent takes it over from the object, and nobody
            // takes it out.
            let stays = |address: &&Tree| {
                let ip: Option<IpAddr> = address["ip"].as_str().and_then(|ip| ip.parse().ok());
                address["type"] == "CiliumInternalIP" && ip.is_some_and(|ip| off.contains(&ip.is_ipv4()))
            };
            let kept: Vec<Tree> = spec["addresses"].as_array().into_iter().flatten().filter(stays).cloned().collect();
            spec["addresses"] = addresses.into_iter().chain(kept).collect();
            spec["health"] = health;
            spec["ingress"] = ingress;
        }
        if let Some(boot) = boot.filter(|boot| boot.is_string()) {
            spec["bootid"] = boot;
        }
        if spec["ipam"].is_null() {
            spec["ipam"] = tree!({"pools": {}});
        }
        if let Some(PodCidrWrite::Set(list)) = cidrs {
            spec["ipam"]["podCIDRs"] = tree!(list);
        }
    };
    if cx.store.find(Resource::CiliumNode, "", &node.name).is_some() {
        let key = Key::new("", &node.name);
        cx.change(Resource::CiliumNode, &key, fill);
    } else {
        let mut object = tree!({"metadata": {"name": node.name}, "spec": {}});
        fill(&mut object);
        // The Node went in this very moment: then the object has no owner and nobody needs it.
        let _ = cx.store.create(Resource::CiliumNode, "", object, &WriteOptions::default());
    }
}
