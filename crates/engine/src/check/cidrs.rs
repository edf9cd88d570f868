//! Ranges by name, and texts with them.

use ipnet::IpNet;
use scenario::model::{At, CidrRef, CidrSource, Template, TemplatePart, Variable};

use super::Context;

/// The ranges that a reference stands for on a node; the error says why there are none to be had.
pub(crate) fn resolve(context: &Context<'_>, reference: &CidrRef, node: &str) -> Result<Vec<IpNet>, String> {
    match reference {
        CidrRef::Of(source, at) => of(context, *source, at, node),
        CidrRef::Pool => Ok(pools(context)),
        CidrRef::Literal(ranges) => Ok(ranges.clone()),
    }
}

/// The ranges of a node by one of the three who know, now or then.
pub(crate) fn of(context: &Context<'_>, source: CidrSource, at: &At, node: &str) -> Result<Vec<IpNet>, String> {
    let world = match at {
        At::Now => context.world,
        At::Label(label) => context.labels.get(label).ok_or_else(|| format!("the step named {label} has not ended"))?,
    };
    match source {
        CidrSource::CiliumNode => match world.cilium_nodes.get(node) {
            // Up to 1.19 the API server takes any text (cilium/cilium: ciliumnodes.yaml); one that is no range is no range here either.
            Some(cilium_node) => cilium_node
                .pod_cidrs
                .iter()
                .map(|text| text.parse().map_err(|_| format!("CiliumNode/{node} has `{text}`, which is not a CIDR")))
                .collect(),
            None => Err(format!("CiliumNode/{node} is not there")),
        },
        CidrSource::Node => match world.nodes.get(node) {
            Some(node) => Ok(node.pod_cidrs.clone()),
            None => Err(format!("Node/{node} is not there")),
        },
        CidrSource::Agent => match world.agent_on(node) {
            Some(agent) => Ok(agent.pod_cidrs.clone()),
            None => Err(world.silence_on(node)),
        },
    }
}

/// The pools in `cilium-config` now.
pub(crate) fn pools(context: &Context<'_>) -> Vec<IpNet> {
    let Some(version) = &context.world.cilium_version else { return Vec::new() };
    let settings = cilium::config::IpamSettings::read(&context.world.config, version);
    settings.ipv4.cidrs.iter().chain(&settings.ipv6.cidrs).filter_map(|cidr| cidr.parse().ok()).collect()
}

/// How a reference reads in a message.
pub(crate) fn name(reference: &CidrRef) -> String {
    match reference {
        CidrRef::Of(source, at) => {
            let source = source_name(*source);
            match at {
                At::Now => source.to_owned(),
                At::Label(label) => format!("{source}@{label}"),
            }
        }
        CidrRef::Pool => "pool".to_owned(),
        CidrRef::Literal(ranges) => go_list(ranges),
    }
}

/// How a source reads in a message.
pub(crate) fn source_name(source: CidrSource) -> &'static str {
    match source {
        CidrSource::CiliumNode => "ciliumNode.podCIDRs",
        CidrSource::Node => "node.podCIDRs",
        CidrSource::Agent => "agent.podCIDRs",
    }
}

/// `[10.0.0.0/24 fd00::/120]`, as Go prints a list and Cilium's texts have it.
pub(crate) fn go_list(ranges: &[IpNet]) -> String {
    let ranges: Vec<String> = ranges.iter().map(ToString::to_string).collect();
    format!("[{}]", ranges.join(" "))
}

/// A template's text for a node.
pub(crate) fn render(context: &Context<'_>, template: &Template, node: &str) -> Result<String, String> {
    let mut text = String::new();
    for part in &template.parts {
        match part {
            TemplatePart::Text(part) => text.push_str(part),
            TemplatePart::Variable(Variable::NodeName) => text.push_str(node),
            TemplatePart::Variable(Variable::List(source, at)) => {
                text.push_str(&go_list(&of(context, *source, at, node)?))
            }
            TemplatePart::Variable(Variable::First(source, at)) => match of(context, *source, at, node)?.first() {
                Some(first) => text.push_str(&first.to_string()),
                None => return Err(format!("{} of {node} is empty", source_name(*source))),
            },
        }
    }
    Ok(text)
}
