//! The cluster, Cilium's installation and the workloads.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::context::{COMPONENTS, Context};
use super::pools::{self, Family, PoolSet, Pools};
use crate::codes;
use crate::located::{Entries, Field, Located};
use crate::model::{CiliumSetup, ClusterShape, IpFamily, IpamConfig, IpamMode, VersionRange, Workload};
use crate::problem::Problem;
use crate::raw::{RawCilium, RawCluster, RawIpFamily, RawWorkload, Texts};
use crate::tree::{Node, Shape, Span};

/// A name of the form that Kubernetes wants for objects (RFC 1123 label). Pushes a problem where it has another.
pub(crate) fn dns_label(context: &Context<'_>, span: Span, name: &str, what: &str) -> bool {
    let fine = !name.is_empty()
        && name.len() <= 63
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if !fine {
        let kebab: String =
            name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(63).collect();
        let kebab = kebab.trim_matches('-');
        let problem = Problem::new(
            &codes::BAD_NAME,
            span,
            format!(
                "{what} `{name}` is not made of small letters, digits and hyphens (at most 63, a hyphen neither first nor last)"
            ),
        );
        let kebab = if kebab.is_empty() { "my-name" } else { kebab };
        context.push(problem.help(format!("write `{kebab}`")));
    }
    fine
}

/// The cluster. Missing or broken parts take their defaults.
pub(crate) fn cluster(context: &Context<'_>, raw: Option<&RawCluster>) -> ClusterShape {
    let none = RawCluster::default();
    let raw = raw.unwrap_or(&none);
    let ip_family = match raw.ip_family.value() {
        None | Some(RawIpFamily::Ipv4) => IpFamily::Ipv4,
        Some(RawIpFamily::Ipv6) => IpFamily::Ipv6,
        Some(RawIpFamily::Dual) => IpFamily::Dual,
    };
    // kind's own defaults (sigs.k8s.io/kind: pkg/apis/config/v1alpha4/default.go).
    let pods = subnets(context, &raw.pod_subnet, "podSubnet", ip_family, ["10.244.0.0/16", "fd00:10:244::/56"]);
    let services =
        subnets(context, &raw.service_subnet, "serviceSubnet", ip_family, ["10.96.0.0/16", "fd00:10:96::/112"]);
    for (span, service) in &services {
        if let Some((pod_span, pod)) = pods.iter().find(|(_, pod)| pools::overlap(pod, service))
            && let Some(place) = span.or(*pod_span)
        {
            let mut problem = Problem::new(
                &codes::OVERLAPPING_RANGES,
                place,
                format!("the service range {service} overlaps the pod range {pod}"),
            )
            .help("choose `podSubnet` and `serviceSubnet` without a common address");
            if let (Some(_), Some(pod_span)) = (span, pod_span) {
                problem = problem.related(*pod_span, "the pod range");
            }
            context.push(problem);
        }
    }
    let mut controller_manager = BTreeMap::new();
    if let Some(flags) = raw.kube_controller_manager.value() {
        for (key, key_span, span, value) in flags.iter() {
            if let Some(bare) = key.strip_prefix("--") {
                context.push(
                    Problem::new(&codes::BAD_NAME, key_span, format!("flag `{key}` is written with its dashes"))
                        .help(format!("write `{bare}`")),
                );
            }
            match &value.0 {
                Some(text) => {
                    controller_manager.insert(key.to_owned(), text.clone());
                }
                None => context.push(
                    Problem::new(&codes::WRONG_TYPE, span, format!("flag `{key}` has no value"))
                        .help("write its value, or leave the flag out"),
                ),
            }
        }
    }
    ClusterShape {
        workers: raw.workers.value().copied().unwrap_or(2),
        pod_subnet: pods.into_iter().map(|(_, net)| net).collect(),
        service_subnet: services.into_iter().map(|(_, net)| net).collect(),
        ip_family,
        controller_manager,
    }
}

fn subnets(
    context: &Context<'_>,
    field: &Field<Texts>,
    name: &str,
    ip_family: IpFamily,
    defaults: [&str; 2],
) -> Vec<(Option<Span>, IpNet)> {
    let families: &[Family] = match ip_family {
        IpFamily::Ipv4 => &[Family::V4],
        IpFamily::Ipv6 => &[Family::V6],
        IpFamily::Dual => &[Family::V4, Family::V6],
    };
    let default_of = |family: &Family| if *family == Family::V4 { defaults[0] } else { defaults[1] };
    let Some((span, texts)) = field.get() else {
        return families.iter().filter_map(|family| Some((None, default_of(family).parse().ok()?))).collect();
    };
    let texts = texts.as_slice();
    if texts.len() != families.len() {
        let want: Vec<&str> = families.iter().map(default_of).collect();
        let want = if want.len() == 1 { want[0].to_owned() } else { format!("[{}]", want.join(", ")) };
        let kinds: Vec<&str> = families.iter().map(|family| family.as_str()).collect();
        context.push(
            Problem::new(
                &codes::WRONG_FAMILY,
                span,
                format!("`{name}` must be one range per address family: {}", kinds.join(", then ")),
            )
            .fatal()
            .help(format!("write `{name}: {want}`, or set `ipFamily`")),
        );
        return Vec::new();
    }
    texts
        .iter()
        .zip(families)
        .filter_map(|(text, family)| {
            let net = pools::range(context, text.span, text.value.as_deref()?, *family, name, true)?;
            Some((Some(text.span), net))
        })
        .collect()
}

/// How Cilium is installed. Sets the pools that later steps start from.
pub(crate) fn cilium(context: &mut Context<'_>, raw: Option<&RawCilium>) -> CiliumSetup {
    let none = RawCilium::default();
    let raw = raw.unwrap_or(&none);
    let versions = context.versions(&raw.versions).unwrap_or_else(VersionRange::any);
    let no_ipam = crate::raw::RawIpam::default();
    let (span, ipam) = raw.ipam.get().unwrap_or((Span::default(), &no_ipam));
    let mode = ipam.mode.get().and_then(|(span, text)| {
        if let Some(problem) = pools::mode(span, text) {
            context.push(problem.fatal());
        }
        IpamMode::parse(text)
    });
    let v4 = set(context, Family::V4, &ipam.ipv4_pools, &ipam.ipv4_mask, "10.0.0.0/8", 24);
    let v6 = set(context, Family::V6, &ipam.ipv6_pools, &ipam.ipv6_mask, "fd00::/104", 120);
    pools::fit(context, Family::V4, &v4, "clusterPoolIPv4MaskSize", span);
    pools::fit(context, Family::V6, &v6, "clusterPoolIPv6MaskSize", span);
    let values = match raw.values.get() {
        Some((_, json)) => {
            pools::typed_in_values(context, &json.0);
            table(context, &json.0, "values")
        }
        None => serde_json::Map::new(),
    };
    let ipam = IpamConfig {
        mode: mode.unwrap_or(IpamMode::ClusterPool),
        ipv4_pools: nets(&v4),
        ipv4_mask: v4.mask.map_or(24, |(_, mask)| mask),
        ipv6_pools: nets(&v6),
        ipv6_mask: v6.mask.map_or(120, |(_, mask)| mask),
    };
    context.flow.pools = Pools { v4, v6 };
    CiliumSetup { versions, ready: raw.ready.value().copied().unwrap_or(true), ipam, values }
}

fn nets(set: &PoolSet) -> Vec<IpNet> {
    set.pools.iter().flatten().map(|(_, net)| *net).collect()
}

fn set(
    context: &Context<'_>,
    family: Family,
    pools: &Field<Vec<Located<String>>>,
    mask: &Field<u8>,
    default: &str,
    default_mask: u8,
) -> PoolSet {
    let name = format!("clusterPoolIP{}PodCIDRList", &family.as_str()[2..]);
    let list = match pools.get() {
        Some((span, list)) => {
            let nets: Vec<_> = context
                .texts(span, list, &name, &format!("[{default}]"))
                .into_iter()
                .filter_map(|(span, text)| {
                    pools::range(context, span, text, family, &name, true).map(|net| (Some(span), net))
                })
                .collect();
            pools::overlaps(context, &nets, span);
            Some(nets)
        }
        None if pools.is_broken() => None,
        None => default.parse().ok().map(|net| vec![(None, net)]),
    };
    let mask = match mask.get() {
        Some((span, mask)) => Some((Some(span), *mask)),
        None if mask.is_broken() => None,
        None => Some((None, default_mask)),
    };
    PoolSet { pools: list, mask }
}

/// The map that Helm values or a patch must be.
pub(crate) fn table(context: &Context<'_>, node: &Node, name: &str) -> serde_json::Map<String, serde_json::Value> {
    match &node.value {
        Shape::Map(table) => table.to_json(),
        _ => {
            let message = format!("`{name}` must be a map, not {}", node.describe());
            context.push(Problem::new(&codes::WRONG_TYPE, node.span, message).help(format!("write `{name}: {{...}}`")));
            serde_json::Map::new()
        }
    }
}

/// The workloads.
pub(crate) fn workloads(context: &Context<'_>, raw: Option<&Entries<RawWorkload>>) -> BTreeMap<String, Workload> {
    let mut workloads = BTreeMap::new();
    let Some(raw) = raw else { return workloads };
    for (name, key_span) in raw.keys() {
        if COMPONENTS.iter().any(|component| component.as_str() == name) {
            context.push(
                Problem::new(
                    &codes::RESERVED_NAME,
                    key_span,
                    format!("`{name}` already means a part of the cluster, so no workload can have that name"),
                )
                .help("choose another name"),
            );
        } else {
            dns_label(context, key_span, name, "workload name");
        }
    }
    for (name, _, _, raw) in raw.iter() {
        let image = raw.image.get().and_then(|(span, text)| context.filled(span, text, "image", "alpine:3.22"));
        let namespace = raw.namespace.get().map(|(span, text)| {
            dns_label(context, span, text, "namespace");
            text.as_str()
        });
        let command = raw.command.get().map(|(span, list)| {
            let texts = context.texts(span, list, "command", "[sleep, \"3600\"]");
            texts.into_iter().map(|(_, text)| text.to_owned()).collect()
        });
        workloads.insert(
            name.to_owned(),
            Workload {
                image: image.unwrap_or("alpine:3.22").to_owned(),
                replicas: raw.replicas.value().copied().unwrap_or(3),
                namespace: namespace.unwrap_or(name).to_owned(),
                command,
                host_network: raw.host_network.value().copied().unwrap_or_default(),
                node: raw.node.get().and_then(|(span, text)| context.any_node(span, text)),
            },
        );
    }
    workloads
}
