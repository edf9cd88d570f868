//! What goes into the operator and what comes out of it.

use std::time::Duration;

use crate::golang::parse_prefix;
use crate::version::{Behaviour, Release};

/// The few fields of a CiliumNode that the operator reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeSnapshot {
    /// Its name.
    pub name: String,
    /// Its version: writes are refused when it has moved on.
    pub resource_version: u64,
    /// `spec.ipam.podCIDRs`, any strings.
    pub pod_cidrs: Vec<String>,
    /// `status.ipam.operator-status.error`; empty when absent.
    pub error: String,
    /// The value of the annotation `ipam.cilium.io/ignore`, if any.
    pub ignore: Option<String>,
    /// Whether it has a deletionTimestamp.
    pub deleting: bool,
}

/// Whether the API server takes a text in `spec.ipam.podCIDRs`: anything up to 1.19, a CIDR from 1.20 on. A refused write
/// leaves the object as it is.
pub fn accepts_pod_cidr(text: &str, release: Release) -> bool {
    !release.has(Behaviour::ValidatesPodCidrs) || parse_prefix(text).is_ok()
}

/// What an update of a CiliumNode touched, seen against the version that the operator knew before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Its spec or its status, or it is new.
    Content,
    /// Labels, annotations, owner references: nothing else.
    Metadata,
}

/// Something that happens to the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A CiliumNode was listed, created or updated.
    Upsert {
        /// As it is now.
        node: NodeSnapshot,
        /// What is new about it.
        change: Change,
    },
    /// A CiliumNode is gone.
    Deleted {
        /// Its name.
        name: String,
    },
    /// Every CiliumNode of the first list was given.
    Synced,
    /// The API server's answer to the request that was put out last.
    Answer(ApiAnswer),
}

/// A request of the operator to the API server. There is never more than one at a time; the operator holds its lock
/// meanwhile, so events that come in before the answer are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiRequest {
    /// Replace the CiliumNode, with these podCIDRs and everything else as it was at that version.
    Update {
        /// Its name.
        name: String,
        /// The version that is replaced.
        resource_version: u64,
        /// New `spec.ipam.podCIDRs`.
        pod_cidrs: Vec<String>,
    },
    /// Replace its status.
    UpdateStatus {
        /// Its name.
        name: String,
        /// The version that is replaced.
        resource_version: u64,
        /// New `status.ipam.operator-status.error`; empty clears it.
        error: String,
    },
    /// Read it, after a conflict.
    Get {
        /// Its name.
        name: String,
    },
}

impl ApiRequest {
    /// The CiliumNode that it is about.
    pub fn name(&self) -> &str {
        match self {
            Self::Update { name, .. } | Self::UpdateStatus { name, .. } | Self::Get { name } => name,
        }
    }
}

/// What the API server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiAnswer {
    /// Done; the object as it is now. A write that changes nothing leaves the version alone.
    Ok(NodeSnapshot),
    /// There is no such CiliumNode.
    NotFound,
    /// It has another version by now.
    Conflict,
    /// Anything else that went wrong. It is tried again.
    Failed,
}

/// A line of the operator's log, as far as people look for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// `info`, `warn`, `error` or `fatal`.
    pub level: &'static str,
    /// The message.
    pub message: String,
    /// The field `error`, or the CIDR that the line is about.
    pub error: Option<String>,
}

/// What the operator does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// It asks the API server; the answer must come back as [`Event::Answer`].
    Request {
        /// When.
        at: Duration,
        /// What.
        request: ApiRequest,
    },
    /// It logs.
    Log {
        /// When.
        at: Duration,
        /// What.
        line: LogLine,
    },
}
