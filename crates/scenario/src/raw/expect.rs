//! Checks, raw.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{OneOrMany, Text, Texts, Written};
use crate::located::{Entries, Field};

/// Checks that must all hold at one moment, and when.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Expect", transform = crate::schema::at_least_one_check)]
pub(crate) struct RawExpect {
    /// Addresses of live pods.
    #[serde(default, rename = "podIPs")]
    pub(crate) pod_ips: Field<OneOrMany<PodIpsCheck>>,
    /// CiliumNodes' `status.ipam.operator-status`.
    #[serde(default)]
    pub(crate) operator_status: Field<OneOrMany<StatusCheck>>,
    /// Nodes' pod ranges.
    #[serde(default, rename = "podCIDRs")]
    pub(crate) pod_cidrs: Field<OneOrMany<PodCidrsCheck>>,
    /// Live pods.
    #[serde(default)]
    pub(crate) pods: Field<OneOrMany<PodsCheck>>,
    /// Keys of `cilium-config`; null for one that must not be there.
    #[serde(default)]
    pub(crate) config: Field<OneOrMany<ConfigCheck>>,
    /// Running agents.
    #[serde(default)]
    pub(crate) agents: Field<OneOrMany<AgentsCheck>>,
    /// A CEL expression over objects.
    #[serde(default)]
    pub(crate) cel: Field<OneOrMany<CelCheck>>,
    /// Whether pods reach each other by ping.
    #[serde(default)]
    pub(crate) reachability: Field<OneOrMany<Reachability>>,
    /// Deadline. Default 60s.
    #[serde(default)]
    pub(crate) within: Field<String>,
    /// The checks hold from now on for this span: `5s`, `{steps: 2}`, `{steps: rest}`.
    #[serde(default)]
    pub(crate) holds: Field<RawSpan>,
    /// The checks hold at no moment of this span.
    #[serde(default)]
    pub(crate) never: Field<RawSpan>,
}

/// Fields of an expect that are no check.
pub(crate) const EXPECT_TIMING: [&str; 3] = ["within", "holds", "never"];

/// Keys of `cilium-config`.
pub(crate) type ConfigCheck = Entries<Written>;

/// A stretch of time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "$shape", rename_all = "lowercase")]
#[schemars(rename = "Span", untagged)]
pub(crate) enum RawSpan {
    /// `5s`.
    Text(Text),
    /// Until later steps have ended.
    Map(StepsForm),
}

/// A stretch of steps.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StepsForm {
    /// Until so many steps more have ended, or `rest`: until the scenario's end.
    pub(crate) steps: Field<RawSteps>,
}

/// How many steps.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "$shape", rename_all = "lowercase")]
#[schemars(rename = "Steps", untagged)]
pub(crate) enum RawSteps {
    /// So many.
    Number(u32),
    /// `rest`.
    Text(#[schemars(extend("const" = "rest"))] String),
}

/// The form of a matcher under `exactly`: with the number beside it.
pub(crate) trait Exactly<M> {
    /// The number, and what must match: none where that is not written, or could not be read.
    fn split(self) -> (Field<u32>, Option<M>);
}

/// Declares a matcher and the same with `count`, so that both are closed.
macro_rules! matcher {
    (
        $(#[$doc:meta])*
        $name:ident, $exactly:ident {
            $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[schemars(extend("minProperties" = 1))]
        pub(crate) struct $name {
            $($(#[$field_meta])* #[serde(default)] pub(crate) $field: Field<$type>,)*
        }

        $(#[$doc])*
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[schemars(extend("minProperties" = 2))]
        pub(crate) struct $exactly {
            /// So many, no more and no fewer.
            count: Field<u32>,
            $($(#[$field_meta])* #[serde(default)] $field: Field<$type>,)*
        }

        impl Exactly<$name> for $exactly {
            fn split(self) -> (Field<u32>, Option<$name>) {
                (self.count, Some($name { $($field: self.$field,)* }))
            }
        }
    };
}

/// Declares a check with its quantifiers.
macro_rules! quantified {
    (
        $(#[$doc:meta])*
        $name:ident of $matcher:ty, $exactly:ty {
            $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[schemars(transform = crate::schema::at_least_one_quantifier)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: Field<$type>,)*
            /// All of them, and there is at least one.
            #[serde(default)]
            pub(crate) every: Field<$matcher>,
            /// At least one.
            #[serde(default)]
            pub(crate) some: Field<$matcher>,
            /// Not one, though there are some.
            #[serde(default)]
            pub(crate) none: Field<$matcher>,
            /// So many, no more and no fewer.
            #[serde(default)]
            pub(crate) exactly: Field<$exactly>,
        }
    };
}

matcher! {
    /// What an address must be.
    IpMatch, ExactlyIps {
        /// In one of these, taken for the pod's own node: `ciliumNode.podCIDRs`, `node.podCIDR`, `agent.podCIDRs`, each possibly
        /// with `@start` or `@NAME`; `pool`; a CIDR; a list of CIDRs.
        within: Texts,
    }
}

quantified! {
    /// Addresses of live pods.
    PodIpsCheck of IpMatch, ExactlyIps {
        /// A workload, coredns or hubble-relay.
        of: String,
        /// Only on these nodes.
        #[serde(default)]
        #[schemars(length(min = 1))]
        on: Vec<Text>,
    }
}

/// What operator-status must be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "$shape", rename_all = "lowercase")]
#[schemars(rename = "Status", untagged)]
pub(crate) enum RawStatus {
    /// `clear`: no error.
    Text(#[schemars(extend("const" = "clear"))] Text),
    /// An error.
    Map(StatusMatch),
}

matcher! {
    /// An operator-status: exactly one of these.
    StatusMatch, ExactlyStatus {
        /// No error.
        clear: bool,
        /// Exactly this error; may hold variables such as `${ciliumNode.podCIDRs@start}`.
        error: String,
        /// An error that this regular expression matches.
        matches: String,
    }
}

impl Exactly<RawStatus> for ExactlyStatus {
    fn split(self) -> (Field<u32>, Option<RawStatus>) {
        let (count, status) = Exactly::<StatusMatch>::split(self);
        (count, status.map(RawStatus::Map))
    }
}

quantified! {
    /// CiliumNodes' `status.ipam.operator-status`.
    StatusCheck of RawStatus, ExactlyStatus {
        /// Only of these nodes.
        #[serde(default)]
        #[schemars(length(min = 1))]
        on: Vec<Text>,
    }
}

matcher! {
    /// What pod ranges must be; all of it.
    CidrMatch, ExactlyCidrs {
        /// These ranges in this order.
        equal: Texts,
        /// Each inside one of these.
        within: Texts,
        /// None overlaps any of these.
        disjoint: Texts,
        /// As they were: `start`, or an earlier step's name.
        unchanged: String,
        /// Each has this prefix length.
        mask: u8,
        /// There are none (true), or at least one (false).
        empty: bool,
    }
}

quantified! {
    /// Nodes' pod ranges.
    PodCidrsCheck of CidrMatch, ExactlyCidrs {
        /// Whose word: ciliumNode, node or agent.
        of: String,
        /// Only of these nodes.
        #[serde(default)]
        #[schemars(length(min = 1))]
        on: Vec<Text>,
    }
}

/// Live pods.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Pods")]
pub(crate) struct PodsCheck {
    /// A workload, coredns or hubble-relay.
    pub(crate) of: Field<String>,
    /// Only on these nodes.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub(crate) on: Field<Vec<Text>>,
    /// Same pods with the same addresses and no restart since the workload was last rolled out (true), or since `start` or an
    /// earlier step's end (its name).
    #[serde(default)]
    pub(crate) unchanged: Field<Since>,
    /// So many live ones.
    #[serde(default)]
    pub(crate) count: Field<u32>,
    /// So many ready ones.
    #[serde(default)]
    pub(crate) ready: Field<u32>,
    /// So many of them have a CiliumEndpoint.
    #[serde(default)]
    pub(crate) endpoints: Field<u32>,
}

/// Since when.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "$shape", rename_all = "lowercase")]
#[schemars(rename = "Since", untagged)]
pub(crate) enum Since {
    /// `true`: since the last roll-out.
    Flag(#[schemars(extend("const" = true))] bool),
    /// `start`, or an earlier step's name.
    Text(String),
}

matcher! {
    /// What a running agent must be; all of it.
    AgentMatch, ExactlyAgents {
        /// The IPAM mode that it runs.
        ipam: String,
        /// Whether its pod is ready.
        ready: bool,
        /// Whether its container restarts again and again.
        crash_looping: bool,
    }
}

quantified! {
    /// Running agents.
    AgentsCheck of AgentMatch, ExactlyAgents {
        /// Only on these nodes.
        #[serde(default)]
        #[schemars(length(min = 1))]
        on: Vec<Text>,
    }
}

/// A CEL expression that so many objects must match.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ExactlyCel {
    /// So many, no more and no fewer.
    count: Field<u32>,
    /// The expression; `self` is the object.
    cel: Field<String>,
}

impl Exactly<String> for ExactlyCel {
    fn split(self) -> (Field<u32>, Option<String>) {
        (self.count, self.cel.into_value())
    }
}

quantified! {
    /// A CEL expression over objects of one kind.
    CelCheck of String, ExactlyCel {
        /// `cilium.io/v2`. May be left out for well-known kinds.
        #[serde(default)]
        api_version: String,
        /// `CiliumNode`.
        kind: String,
        /// Only in this namespace.
        #[serde(default)]
        namespace: String,
        /// Only this one. For Node and CiliumNode, `worker2` and the like mean that node.
        #[serde(default)]
        name: super::NodeOrName,
    }
}

/// What so many pairs must be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ExactlyPairs {
    /// So many, no more and no fewer.
    count: Field<u32>,
    /// Whether they answer.
    reach: Field<RawReach>,
}

impl Exactly<RawReach> for ExactlyPairs {
    fn split(self) -> (Field<u32>, Option<RawReach>) {
        (self.count, self.reach.into_value())
    }
}

/// Whether a ping is answered.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Reach")]
pub(crate) enum RawReach {
    /// It is.
    Reachable,
    /// It is not.
    Unreachable,
}

quantified! {
    /// Whether pods reach each other by ping: every ordered pair of two distinct pods.
    Reachability of RawReach, ExactlyPairs {
        /// Where the ping starts: a workload, coredns or hubble-relay.
        from: String,
        /// Whom it seeks: a workload, coredns or hubble-relay.
        to: String,
    }
}
