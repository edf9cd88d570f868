//! Known bugs.

use super::VersionRange;

/// A known bug that makes a scenario fail: it must fail, and in the way that is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Xfail {
    /// Where it is written up: `cilium/cilium#44832`, or a URL.
    pub issue: String,
    /// What goes wrong, in one sentence.
    pub reason: String,
    /// The Cilium versions that have it.
    pub versions: VersionRange,
    /// Regular expression that the failure's text must match (`match`); another failure is a failure.
    pub pattern: String,
    /// Whether it shows only now and then. Then a pass is told and not counted as wrong.
    pub intermittent: bool,
    /// Line in the file, from 1.
    pub line: usize,
}
