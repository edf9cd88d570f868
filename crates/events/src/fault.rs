//! Faults on request: what a simulated cluster can be asked to do wrong.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::Invariant;

/// Something that goes wrong on request. The text form is the same in scenarios (`inject: agent-crash=worker`) and on the command line.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// `errors=0.05`: this share (0 to 1) of the API requests that follow fails with 500. `errors=0` ends it.
    Errors(f64),
    /// `slow-writes=200ms`: writes that follow take this long. `slow-writes=0s` ends it.
    SlowWrites(Duration),
    /// `drop-watches`: the connection of every watch is cut.
    DropWatches,
    /// `expire-watches`: every watch ends with 410 Expired.
    ExpireWatches,
    /// `agent-crash=worker`: the agent's process on a node is killed; its container starts again with the configuration it had.
    AgentCrash(String),
    /// `operator-crash`: the leading operator's process is killed.
    OperatorCrash,
    /// `lost-leader`: the leading operator loses its lease and ends.
    LostLeader,
    /// `node-loss=worker2`: a machine stops. Its Node object stays.
    NodeLoss(String),
    /// `image-missing=alpine:3.22`: no node has images whose name begins so any more, and none can be pulled.
    ImageMissing(String),
    /// `disk-full=worker`: a node's disk is full: it says so and takes no more pods.
    DiskFull(String),
    /// `violate=podcidrs-disjoint`: from now on operator and agents have the flaw that breaks this invariant.
    Violate(Invariant),
}

/// Every form, for help texts and errors.
pub const FAULTS: [&str; 11] = [
    "errors=0.05",
    "slow-writes=200ms",
    "drop-watches",
    "expire-watches",
    "agent-crash=worker",
    "operator-crash",
    "lost-leader",
    "node-loss=worker2",
    "image-missing=alpine:3.22",
    "disk-full=worker",
    "violate=podcidrs-disjoint",
];

/// A text that is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no fault: {why} (known: {})", FAULTS.join(", "))]
pub struct NoFault {
    text: String,
    why: String,
}

impl FromStr for Fault {
    type Err = NoFault;

    fn from_str(text: &str) -> Result<Self, NoFault> {
        let no = |why: &str| NoFault { text: text.to_owned(), why: why.to_owned() };
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let node = |value: Option<&str>| match value {
            Some(node) if !node.is_empty() => Ok(node.to_owned()),
            _ => Err(no(&format!("{name} needs a node"))),
        };
        let alone = |fault| match value {
            None => Ok(fault),
            Some(_) => Err(no(&format!("{name} takes no value"))),
        };
        match name {
            "errors" => {
                let share = value.and_then(|value| value.parse().ok()).filter(|share| (0.0..=1.0).contains(share));
                share.map(Self::Errors).ok_or_else(|| no("errors needs a share from 0 to 1"))
            }
            "slow-writes" => {
                let span = value.and_then(|value| humantime::parse_duration(value).ok());
                span.map(Self::SlowWrites).ok_or_else(|| no("slow-writes needs a duration"))
            }
            "drop-watches" => alone(Self::DropWatches),
            "expire-watches" => alone(Self::ExpireWatches),
            "operator-crash" => alone(Self::OperatorCrash),
            "lost-leader" => alone(Self::LostLeader),
            "agent-crash" => node(value).map(Self::AgentCrash),
            "node-loss" => node(value).map(Self::NodeLoss),
            "disk-full" => node(value).map(Self::DiskFull),
            "image-missing" => match value {
                Some(image) if !image.is_empty() => Ok(Self::ImageMissing(image.to_owned())),
                _ => Err(no("image-missing needs an image's name, or its beginning")),
            },
            "violate" => value
                .unwrap_or_default()
                .parse()
                .map(Self::Violate)
                .map_err(|error: crate::NoInvariant| no(&error.to_string())),
            _ => Err(no("nothing goes by that name")),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errors(share) => write!(f, "errors={share}"),
            Self::SlowWrites(span) => write!(f, "slow-writes={}", humantime::format_duration(*span)),
            Self::DropWatches => f.write_str("drop-watches"),
            Self::ExpireWatches => f.write_str("expire-watches"),
            Self::AgentCrash(node) => write!(f, "agent-crash={node}"),
            Self::OperatorCrash => f.write_str("operator-crash"),
            Self::LostLeader => f.write_str("lost-leader"),
            Self::NodeLoss(node) => write!(f, "node-loss={node}"),
            Self::ImageMissing(image) => write!(f, "image-missing={image}"),
            Self::DiskFull(node) => write!(f, "disk-full={node}"),
            Self::Violate(invariant) => write!(f, "violate={invariant}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_form_is_read_and_written_back() {
        for text in FAULTS {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_fault_says_why() {
        for (text, why) in [
            ("errors=2", "errors needs a share from 0 to 1"),
            ("slow-writes=soon", "slow-writes needs a duration"),
            ("agent-crash", "agent-crash needs a node"),
            ("lost-leader=worker", "lost-leader takes no value"),
            ("violate=peace", "there is no invariant \"peace\" (known: podcidrs-disjoint"),
            ("flood", "nothing goes by that name (known: errors=0.05"),
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
