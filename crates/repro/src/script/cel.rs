//! Conditions in CEL. The script has jq alone, and no condition is translated yet: a check with one is left out, and both the script
//! and the text beside it say so.

/// What was translated.
#[derive(Debug, Default)]
pub(super) struct Translated;

impl Translated {
    /// The number of a condition's translation; none where there is none.
    pub(super) fn add(&mut self, _api_version: &str, _kind: &str, _expression: &str) -> Option<usize> {
        None
    }

    /// The definition that `prelude/checks.jq` calls.
    pub(super) fn definition(&self) -> &'static str {
        "def cel($number): null;"
    }
}
