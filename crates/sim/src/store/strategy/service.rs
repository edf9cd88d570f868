//! Services: defaults and cluster addresses.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Context;
use super::defaults::set;
use crate::store::{Cause, Resource, Status};
use crate::tree::{List, Tree, tree};

pub(super) fn defaults(service: &mut Tree) {
    set(service, "/spec/type", || "ClusterIP".into());
    set(service, "/spec/sessionAffinity", || "None".into());
    if service["spec"]["sessionAffinity"] == "ClientIP" {
        set(service, "/spec/sessionAffinityConfig/clientIP/timeoutSeconds", || 10800.into());
    }
    let external = service["spec"]["type"] == "ExternalName";
    if !external {
        set(service, "/spec/internalTrafficPolicy", || "Cluster".into());
    }
    if matches!(service["spec"]["type"].as_str(), Some("NodePort" | "LoadBalancer")) {
        set(service, "/spec/externalTrafficPolicy", || "Cluster".into());
    }
    if service["spec"]["type"] == "LoadBalancer" {
        set(service, "/spec/allocateLoadBalancerNodePorts", || true.into());
    }
    for port in service["spec"].get_mut("ports").and_then(Tree::as_array_mut).into_iter().flatten() {
        set(port, "/protocol", || "TCP".into());
        let number = port["port"].clone();
        if port["targetPort"].is_null() || port["targetPort"] == 0 || port["targetPort"] == "" {
            port["targetPort"] = number;
        }
    }
    set(service, "/status/loadBalancer", || tree!({}));
}

/// Gives a service its addresses, families and node ports; an update keeps what the old one had.
pub(super) fn allocate(context: &mut Context<'_>, service: &mut Tree, old: Option<&Tree>) -> Result<(), Status> {
    if service["spec"]["type"] == "ExternalName" {
        return Ok(());
    }
    if let Some(old) = old {
        for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            let given = &service["spec"][key];
            let empty = given.is_null() || given == "";
            if empty && let Some(value) = old["spec"].get(key) {
                service["spec"][key] = value.clone();
            }
        }
    }
    if let Some(given) = service["spec"]["clusterIP"].as_str().filter(|ip| !ip.is_empty()).map(str::to_owned) {
        set(service, "/spec/clusterIPs", || tree!([given]));
    }
    let headless = service["spec"]["clusterIP"] == "None";
    // Without addresses and without a selector a service may have endpoints of any family.
    let selects = service["spec"]["selector"].as_object().is_some_and(|s| !s.is_empty());
    let any = headless && !selects;
    let usual = if any { "RequireDualStack" } else { "SingleStack" };
    let policy = service["spec"]["ipFamilyPolicy"].as_str().unwrap_or(usual).to_owned();
    let ranges = context.config.service_subnets.clone();
    let wanted = if policy == "SingleStack" { 1 } else { ranges.len() };
    let families: Vec<&str> = match service["spec"]["ipFamilies"].as_array() {
        Some(list) if !list.is_empty() => list.iter().filter_map(Tree::as_str).map(family_name).collect(),
        _ if any && policy != "SingleStack" => {
            let first = ranges.first().map_or("IPv4", |r| family(r.addr()));
            vec![first, if first == "IPv4" { "IPv6" } else { "IPv4" }]
        }
        _ => ranges.iter().take(wanted).map(|r| family(r.addr())).collect(),
    };
    if !headless {
        let mut ips = service["spec"]["clusterIPs"].as_array().cloned().unwrap_or_default();
        for wanted in families.iter().skip(ips.len()) {
            let range = ranges.iter().find(|r| family(r.addr()) == *wanted);
            let ip = range.and_then(|r| free_address(context, r)).ok_or_else(|| full(service))?;
            ips.push(ip.to_string());
        }
        if let Some(first) = ips.first() {
            service["spec"]["clusterIP"] = first.clone();
        }
        service["spec"]["clusterIPs"] = ips.into();
    }
    service["spec"]["ipFamilies"] = families.into();
    service["spec"]["ipFamilyPolicy"] = policy.into();
    node_ports(context, service);
    Ok(())
}

fn full(service: &Tree) -> Status {
    let name = service["metadata"]["name"].as_str().unwrap_or_default();
    Status::internal(format!("failed to allocate a serviceIP for {name}: range is full"))
}

fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "IPv4" } else { "IPv6" }
}

fn family_name(text: &str) -> &'static str {
    if text == "IPv6" { "IPv6" } else { "IPv4" }
}

fn addresses(context: &Context<'_>) -> Vec<String> {
    let services = context.state.table(Resource::Service).all();
    services
        .flat_map(|s| s.tree()["spec"]["clusterIPs"].as_array().cloned().unwrap_or_default())
        .filter_map(|ip| ip.as_str().map(str::to_owned))
        .collect()
}

/// A random free address, as the real allocator gives, from the store's seed.
fn free_address(context: &mut Context<'_>, range: &IpNet) -> Option<IpAddr> {
    let used = addresses(context);
    let bits = u32::from(range.max_prefix_len() - range.prefix_len()).min(16);
    let size = 1u64 << bits;
    let start = context.state.ids.bits() % size;
    (0..size).map(|i| (start + i) % size).filter(|i| *i != 0 && *i != size - 1).find_map(|offset| {
        let ip = match range.network() {
            IpAddr::V4(base) => IpAddr::from((u32::from(base) + u32::try_from(offset).ok()?).to_be_bytes()),
            IpAddr::V6(base) => IpAddr::from((u128::from(base) + u128::from(offset)).to_be_bytes()),
        };
        (!used.contains(&ip.to_string())).then_some(ip)
    })
}

fn node_ports(context: &mut Context<'_>, service: &mut Tree) {
    if !matches!(service["spec"]["type"].as_str(), Some("NodePort" | "LoadBalancer")) {
        return;
    }
    for port in service["spec"].get_mut("ports").and_then(Tree::as_array_mut).into_iter().flatten() {
        let number = 30000 + context.state.ids.bits() % 2768;
        set(port, "/nodePort", || number.into());
    }
}

/// Faults of a service.
pub(super) fn validate(service: &Tree, old: Option<&Tree>) -> Vec<Cause> {
    let mut causes = Vec::new();
    let spec = &service["spec"];
    let kinds = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    if !kinds.iter().any(|k| spec["type"] == *k) {
        causes.push(Cause::unsupported("spec.type", &spec["type"], &kinds));
    }
    let headless = spec["clusterIP"] == "None";
    let ports = spec["ports"].as_array().map(List::as_slice).unwrap_or_default();
    if ports.is_empty() && !headless && spec["type"] != "ExternalName" {
        causes.push(Cause::required("spec.ports", ""));
    }
    for (at, port) in ports.iter().enumerate() {
        let number = port["port"].as_i64().unwrap_or_default();
        if !(1..=65535).contains(&number) {
            let detail = "must be between 1 and 65535, inclusive";
            causes.push(Cause::invalid(format!("spec.ports[{at}].port"), &number.into(), detail));
        }
        let target = &port["targetPort"];
        if target.as_i64().is_some_and(|number| !(1..=65535).contains(&number)) {
            let detail = "must be between 1 and 65535, inclusive";
            causes.push(Cause::invalid(format!("spec.ports[{at}].targetPort"), target, detail));
        }
        if ports.len() > 1 && port["name"].as_str().unwrap_or_default().is_empty() {
            causes.push(Cause::required(format!("spec.ports[{at}].name"), ""));
        }
    }
    if let Some(old) = old
        && old["spec"]["type"] != "ExternalName"
        && spec["type"] != "ExternalName"
        && old["spec"]["clusterIP"] != spec["clusterIP"]
    {
        let detail = "may not change once set";
        causes.push(Cause::invalid("spec.clusterIPs[0]", &spec["clusterIPs"], detail));
    }
    causes
}
