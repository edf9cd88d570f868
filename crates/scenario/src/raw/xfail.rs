//! Known bugs.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::located::Field;

/// A known bug of Cilium that makes the scenario fail. A pass on these versions is red, unless it is intermittent; so is any other failure.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Xfail")]
pub(crate) struct RawXfail {
    /// Where it is written up: `cilium/cilium#44832`, or a URL.
    pub(crate) issue: Field<String>,
    /// What goes wrong, in one sentence.
    #[schemars(length(min = 1))]
    pub(crate) reason: Field<String>,
    /// The Cilium versions that have it.
    pub(crate) versions: Field<String>,
    /// Regular expression that the failure must match, somewhere: its message, or a line such as `CiliumNode/worker
    /// spec.ipam.podCIDRs: expected unchanged since start, observed []`.
    #[schemars(length(min = 1))]
    pub(crate) r#match: Field<String>,
    /// It shows only now and then: a pass is told and not red. Default false.
    #[serde(default)]
    pub(crate) intermittent: Field<bool>,
}
