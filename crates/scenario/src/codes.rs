//! Every code that a diagnostic can have, with what it means.

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The scenario can run, but probably does not mean what is written.
    Warning,
    /// The scenario cannot run.
    Error,
}

impl Severity {
    /// The word in rendered text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Kebab-case; what `allow` names.
    pub name: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// Whether a scenario can be meant that way, so that `allow` may name it.
    pub allowable: bool,
    /// What it means, in a line.
    pub meaning: &'static str,
}

macro_rules! codes {
    ($($ident:ident $name:literal $severity:ident $allow:literal $meaning:literal;)*) => {
        $(pub(crate) static $ident: Code =
            Code { name: $name, severity: Severity::$severity, allowable: $allow, meaning: $meaning };)*

        /// All codes, in the order of the checks.
        pub static ALL: &[&Code] = &[$(&$ident),*];
    };
}

codes! {
    // The file.
    TOO_LARGE "too-large" Error false "the file is larger than 1 MiB";
    NOT_TEXT "not-text" Error false "the file is not UTF-8 text";
    EMPTY_FILE "empty-file" Error false "the file holds no scenario";
    MANY_DOCUMENTS "many-documents" Error false "the file holds more than one YAML document";
    YAML_SYNTAX "yaml-syntax" Error false "the file is not YAML";
    TAB "tab" Error false "a tab is used for indentation";
    DUPLICATE_KEY "duplicate-key" Error false "a map has a key twice";
    // The shape.
    UNKNOWN_FIELD "unknown-field" Error false "a field that the format does not have";
    UNKNOWN_ACTION "unknown-action" Error false "a step with an action that does not exist";
    UNKNOWN_CHECK "unknown-check" Error false "an expect with a check that does not exist";
    WRONG_TYPE "wrong-type" Error false "a value of the wrong type or out of range";
    MISSING_FIELD "missing-field" Error false "a field that must be there is not";
    EMPTY_VALUE "empty-value" Error false "a value that says nothing: an empty text, list or map";
    UNKNOWN_WORD "unknown-word" Error false "a word that is none of those allowed there";
    NOT_ONE_ACTION "not-one-action" Error false "a step with no action, or with several";
    NOT_ONE_CHOICE "not-one-choice" Error false "none or several of fields that exclude each other";
    EMPTY_STEPS "empty-steps" Error false "a scenario without steps";
    EMPTY_EXPECT "empty-expect" Error false "an expect without checks";
    WITHIN_OUTSIDE_EXPECT "within-outside-expect" Error false "an expect's deadline is written beside it, not in it";
    FAILS_NOTHING "fails-nothing" Error false "a refusal is expected of a step that nobody can refuse";
    // Names.
    BAD_NAME "bad-name" Error false "a name of the wrong form";
    NAME_NOT_STEM "name-not-stem" Error false "the scenario's name is not that of its file";
    DUPLICATE_NAME "duplicate-name" Error false "two scenarios have the same name";
    DUPLICATE_LABEL "duplicate-label" Error false "two steps have the same name";
    DUPLICATE_ITEM "duplicate-item" Error false "a list names something twice";
    RESERVED_NAME "reserved-name" Error false "a workload or step has a name that already means something else";
    CLUSTERS_REASON "clusters-reason" Error false "clusters are limited without a reason, or a reason is given without limit";
    // Addresses.
    BAD_CIDR "bad-cidr" Error true "not an IP range";
    WRONG_FAMILY "wrong-family" Error true "an IPv6 range where IPv4 is meant, or the reverse";
    POOL_SMALLER_THAN_MASK "pool-smaller-than-mask" Error true "a pool that has not room for one node's range";
    MASK_OUT_OF_RANGE "mask-out-of-range" Error true "a mask size that the address family does not have";
    MASK_TOO_FAR "mask-too-far" Error true "an IPv6 pool that would hold more than 65536 node ranges";
    OVERLAPPING_RANGES "overlapping-ranges" Error true "two ranges that must be apart overlap";
    // Cilium.
    UNKNOWN_MODE "unknown-mode" Error true "an IPAM mode that Cilium does not know";
    IPAM_IN_VALUES "ipam-in-values" Error false "an IPAM setting in cilium.values that has a place of its own";
    BAD_VERSION_RANGE "bad-version-range" Error false "not a range of versions";
    NO_KNOWN_VERSION "no-known-version" Error false "a range that no known version of Cilium is in";
    // Known bugs.
    BAD_ISSUE "bad-issue" Error false "a known bug whose issue cannot be opened";
    MATCHES_ANYTHING "matches-anything" Error false "a known bug whose match takes every failure for it";
    STALE_XFAIL "stale-xfail" Error false "a known bug for versions that the scenario is never run with";
    // References.
    UNKNOWN_WORKLOAD "unknown-workload" Error false "a workload that the scenario does not have";
    UNUSED_WORKLOAD "unused-workload" Warning true "a workload that no step deploys";
    NOT_DEPLOYED "not-deployed" Error false "a step works on a workload that no earlier step deploys";
    UNKNOWN_NODE "unknown-node" Error false "a node that the cluster does not have";
    NODE_NOT_REMOVED "node-not-removed" Error false "a node is added that was not removed";
    NODE_REMOVED "node-removed" Error false "a step works on a node that an earlier step removed";
    RESTORE_WITHOUT_BACKUP "restore-without-backup" Error false "a restore without an earlier backup";
    UNKNOWN_LABEL "unknown-label" Error false "a step name that no earlier step has";
    UNKNOWN_RANGE "unknown-range" Error false "a range by a name that does not exist";
    UNKNOWN_VARIABLE "unknown-variable" Error false "a variable in a text that does not exist";
    UNKNOWN_INVARIANT "unknown-invariant" Error false "an invariant that does not exist";
    UNKNOWN_KIND "unknown-kind" Error false "a kind whose apiVersion is not known";
    // Values.
    BAD_FAULT "bad-fault" Error false "not a fault that can be injected";
    BAD_DURATION "bad-duration" Error false "not a span of time";
    ZERO_DURATION "zero-duration" Error false "a span of time without length";
    BAD_REGEX "bad-regex" Error false "not a regular expression";
    // Exceptions.
    UNKNOWN_CODE "unknown-code" Error false "allow names a code that does not exist or cannot be allowed";
    STALE_ALLOW "stale-allow" Error false "allow names a code that does not occur in the file";
}

/// The code of that name.
pub fn find(name: &str) -> Option<&'static Code> {
    ALL.iter().find(|code| code.name == name).copied()
}

/// Codes that `allow` may name as well although parsing cannot tell whether such a line is needed: those of the domain rules
/// (`crates/lint`), and those that need to know which versions there are. Whoever judges by them says so.
pub static DOMAIN: &[&str] = &[
    "chart-refuses",
    "no-known-version",
    "no-pool",
    "operator-refuses",
    "pool-of-disabled-family",
    "pool-outside-native-routing-cidr",
    "pool-overlaps-pod-subnet",
    "pool-overlaps-service-cidr",
    "pool-too-small-for-nodes",
    "range-too-small-for-pods",
    "removed-key",
    "unaligned-pool",
    "unknown-key",
    "unreadable-value",
];
