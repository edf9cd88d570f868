//! Pools and masks: what the operator does not start with, and what it starts with and nobody means.
//!
//! Who is right about a list is the model of the operator: each element is given to it alone, then with those before it. So an error
//! here is a refusal there, in the same release, in the same words.

use ipam::operator::{
    ConfigError, Family, Operator, OperatorConfig, PoolConfig, PoolError, PoolShapeError, StartError, Timing,
};
use ipam::{Release, cidr};

use crate::settings::{Element, Settings, family_keys};
use crate::{Finding, Severity, rules};

/// Lists longer than this are compared by arithmetic alone.
const ASKED_PAIRS: usize = 64;

pub(super) fn check(settings: &Settings, findings: &mut Vec<Finding>) {
    let config = match OperatorConfig::from_config_map(&settings.config, settings.release) {
        Ok(config) => config,
        Err(error) => return unreadable(settings, &error, findings),
    };
    let before = findings.len();
    for family in Family::BOTH {
        let (enabled, pool) = config.family(family);
        let elements = settings.elements(family);
        let key = family_keys(family).pools;
        match (enabled, elements.is_empty()) {
            (true, true) => findings.push(
                Finding::new(
                    &rules::NO_POOL,
                    settings.place(key),
                    format!(
                        "{family} is on and has no pool: the operator exits with \"{}\"",
                        StartError::Missing(family)
                    ),
                )
                .help(format!("set `{key}`, or switch {family} off (`{}: \"false\"`)", enable_key(family))),
            ),
            (false, false) => findings.push(
                Finding::new(
                    &rules::POOL_OF_DISABLED_FAMILY,
                    settings.place(key),
                    format!(
                        "{family} is off and has pools: the operator exits with \"{}\"",
                        StartError::NotWanted(family)
                    ),
                )
                .help(format!("remove `{key}`, or switch {family} on (`{}: \"true\"`)", enable_key(family))),
            ),
            (false, true) => {}
            (true, false) => list(settings, family, pool, &elements, findings),
        }
    }
    let said = findings[before..].iter().any(|finding| finding.severity == Severity::Error);
    if let (Err(error), false) = (Operator::start(&config, settings.release, Timing::default()), said) {
        let message = format!("the operator exits with \"{error}\"");
        findings.push(Finding::new(&rules::OPERATOR_REFUSES, settings.top.clone(), message));
    }
}

fn enable_key(family: Family) -> &'static str {
    match family {
        Family::V4 => ipam::operator::keys::ENABLE_IPV4,
        Family::V6 => ipam::operator::keys::ENABLE_IPV6,
    }
}

fn unreadable(settings: &Settings, error: &ConfigError, findings: &mut Vec<Finding>) {
    let (ConfigError::Flag { key, .. } | ConfigError::Decode { key, .. }) = error;
    let value = settings.config.get(key).map(String::as_str).unwrap_or_default();
    let help = if key.starts_with("enable-") {
        format!("write `{key}: \"true\"` or \"false\"")
    } else {
        format!("write a whole number, such as `{key}: \"24\"`")
    };
    let message = format!("`{key}: \"{value}\"` cannot be read: every process exits with \"{}\"", error.log().message);
    findings.push(Finding::new(&rules::UNREADABLE_VALUE, settings.place(key), message).help(help));
}

/// The operator's answer to a list of one family.
fn ask(family: Family, cidrs: Vec<String>, mask: i64, release: Release) -> Option<PoolError> {
    let off = PoolConfig { cidrs: Vec::new(), mask: 24 };
    let on = PoolConfig { cidrs, mask };
    let (v4, v6) = match family {
        Family::V4 => (on, off),
        Family::V6 => (off, on),
    };
    let config = OperatorConfig { ipv4: family == Family::V4, ipv6: family == Family::V6, v4, v6 };
    match Operator::start(&config, release, Timing::default()) {
        Err(StartError::Pools { cause, .. }) => Some(cause),
        _ => None,
    }
}

fn list(settings: &Settings, family: Family, pool: &PoolConfig, elements: &[Element], findings: &mut Vec<Finding>) {
    let release = settings.release;
    let mut sound: Vec<&Element> = Vec::new();
    let mut mask_said = false;
    for element in elements {
        match ask(family, vec![element.text.clone()], pool.mask, release) {
            None => {}
            // Said once. The range itself may be sound, and overlap another.
            Some(PoolError::Shape(PoolShapeError::InvalidMask)) if mask_said => {}
            Some(PoolError::Shape(PoolShapeError::InvalidMask)) => {
                mask_said = true;
                findings.push(mask_out_of_range(settings, family, pool.mask));
            }
            Some(cause) => {
                findings.push(refused(settings, family, pool.mask, element, &cause));
                continue;
            }
        }
        if let Some(earlier) = sound.iter().find(|earlier| collide(family, earlier, element, release, elements.len())) {
            let same = earlier.net.map(|net| net.trunc()) == element.net.map(|net| net.trunc());
            let how = if same { "is the same range as" } else { "overlaps" };
            findings.push(
                Finding::new(
                    &rules::OVERLAPPING_RANGES,
                    element.place.clone(),
                    format!("pool {} {how} {} before it: the operator exits", element.text, earlier.text),
                )
                .help("remove one of them, or make them ranges without a common address")
                .related(earlier.place.clone(), "the earlier pool"),
            );
            continue;
        }
        sound.push(element);
    }
    if mask_said {
        return;
    }
    for element in sound {
        unaligned(element, findings);
        small(settings, family, pool.mask, element, findings);
    }
}

/// Whether the operator sees two elements that are sound by themselves as one too many. The mask plays no part in it.
fn collide(family: Family, earlier: &Element, later: &Element, release: Release, count: usize) -> bool {
    if count > ASKED_PAIRS
        && let (Some(earlier), Some(later)) = (earlier.net, later.net)
    {
        return cidr::overlaps(&earlier, &later);
    }
    let mask = earlier.net.map_or(0, |net| i64::from(net.prefix_len()));
    let both = vec![earlier.text.clone(), later.text.clone()];
    matches!(ask(family, both, mask, release), Some(PoolError::Collision { .. }))
}

fn mask_out_of_range(settings: &Settings, family: Family, mask: i64) -> Finding {
    let (bits, example) = match family {
        Family::V4 => (32, 24),
        Family::V6 => (128, 120),
    };
    let key = family_keys(family).mask;
    let message =
        format!("{family} has no mask size {mask}: the operator exits with \"{}\"", PoolShapeError::InvalidMask);
    Finding::new(&rules::MASK_OUT_OF_RANGE, settings.place(key), message)
        .help(format!("write a number up to {bits}, such as {example}"))
}

fn refused(settings: &Settings, family: Family, mask: i64, element: &Element, cause: &PoolError) -> Finding {
    let text = &element.text;
    let exits = format!("the operator exits with \"{cause}\"");
    match cause {
        PoolError::WrongFamily { .. } => {
            let other = if family == Family::V4 { Family::V6 } else { Family::V4 };
            Finding::new(
                &rules::WRONG_FAMILY,
                element.place.clone(),
                format!("`{text}` is an {other} range in the list of {family} pools: {exits}"),
            )
            .help(format!("write it under `{}`", family_keys(other).pools))
        }
        PoolError::Shape(PoolShapeError::TooManyBlocks) => {
            let prefix = element.net.map_or(0, |net| i64::from(net.prefix_len()));
            Finding::new(
                &rules::MASK_TOO_FAR,
                element.place.clone(),
                format!("pool {text} with mask size {mask} would hold 2^{} node ranges: {exits}", mask - prefix),
            )
            .help(format!("write a pool of /{} or smaller, or a mask size of {} or less", mask - 16, prefix + 16))
            .related(settings.place(family_keys(family).mask), "the mask size")
        }
        _ => {
            let example = if family == Family::V4 { "10.0.0.0/8" } else { "fd00::/104" };
            let help = if text.contains(',') {
                "separate the ranges with spaces: commas are read from 1.20 on".to_owned()
            } else if text.trim().is_empty() {
                "remove the comma that has nothing behind it".to_owned()
            } else {
                format!("write a range such as {example}")
            };
            Finding::new(&rules::BAD_CIDR, element.place.clone(), format!("`{text}` is not an IP range: {exits}"))
                .help(help)
        }
    }
}

fn unaligned(element: &Element, findings: &mut Vec<Finding>) {
    let Some(net) = element.net.filter(|net| net.addr() != net.network()) else { return };
    findings.push(
        Finding::new(
            &rules::UNALIGNED_POOL,
            element.place.clone(),
            format!("pool {net} does not begin with its network: ranges are cut from all of {}", net.trunc()),
        )
        .help(format!("write {}, or a longer prefix if only a part of it is meant", net.trunc())),
    );
}

fn small(settings: &Settings, family: Family, mask: i64, element: &Element, findings: &mut Vec<Finding>) {
    let Some(net) = element.net.filter(|net| mask < i64::from(net.prefix_len())) else { return };
    let prefix = net.prefix_len();
    findings.push(
        Finding::new(
            &rules::POOL_SMALLER_THAN_MASK,
            element.place.clone(),
            format!("pool {net} has not room for one node's range, a /{mask}: it counts as full from the start"),
        )
        .help(format!("write a pool of /{} or larger, or a mask size of {prefix} or more", mask.max(0)))
        .related(settings.place(family_keys(family).mask), "the mask size"),
    );
}
