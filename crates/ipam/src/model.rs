//! Histories as text in, outcomes as text out.

use serde_json::error::Category;

use crate::history::{self, History, Outcome};
use crate::version::{Release, UnknownRelease};

/// Why a text of histories was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The version is not known.
    #[error(transparent)]
    Release(#[from] UnknownRelease),
    /// The text is not a list of histories.
    #[error("reading histories, line {line}, column {column}: {kind}")]
    Histories {
        /// Where, from 1; 0 when the text is empty.
        line: usize,
        /// Where, from 1.
        column: usize,
        /// What sort of mistake it is.
        kind: &'static str,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The outcomes could not be written as JSON.
    #[error("writing outcomes")]
    Outcomes(#[source] serde_json::Error),
}

/// Reads histories (a list of lists of steps), carries out each from an empty cluster, and answers their outcomes in the
/// same shape, as one line of JSON.
///
/// # Errors
/// When the version is not known, or the text is not a list of histories: then with the line.
pub fn run_json(histories: &str, version: &str) -> Result<String, ModelError> {
    let release: Release = version.parse()?;
    let histories: Vec<History> = parse(histories)?;
    let outcomes: Vec<Vec<Outcome>> = histories.iter().map(|history| history::run(history, release)).collect();
    serde_json::to_string(&outcomes).map_err(ModelError::Outcomes)
}

/// Reads histories.
///
/// # Errors
/// When the text is not a list of histories.
pub fn parse(histories: &str) -> Result<Vec<History>, ModelError> {
    serde_json::from_str(histories).map_err(|source| ModelError::Histories {
        line: source.line(),
        column: source.column(),
        kind: match source.classify() {
            Category::Syntax => "not JSON",
            Category::Eof => "the text ends too early",
            Category::Data | Category::Io => {
                "not a list of histories, each a list of steps such as {\"op\": \"node\", \"name\": \"n1\", \"cidrs\": []}"
            }
        },
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::error::Error;

    #[test]
    fn answers_in_the_same_shape() {
        let text = r#"[[{"op":"start","v4":["10.0.0.0/24"],"mask4":24},{"op":"node","name":"n1","cidrs":[]},{"op":"stop"}],
                       [{"op":"start","v4":["10.0.0.0/8","10.5.0.0/16"],"mask4":24}], []]"#;
        let n1 = r#"{"nodes":{"n1":{"podCIDRs":["10.0.0.0/24"],"error":""}}}"#;
        let error = "requested CIDR 10.5.0.0/16 collides with clusterCIDR: 10.0.0.0/8, nodeMask: 24";
        let expected = format!(r#"[[{{"nodes":{{}}}},{n1},{n1}],[{{"startError":"{error}","nodes":{{}}}}],[]]"#);
        assert_eq!(run_json(text, "1.19.1").unwrap(), expected);
    }

    #[rstest]
    #[case("", 1, "the text ends too early")]
    #[case("[[\n{\"op\": \"node\"\n", 3, "the text ends too early")]
    #[case("[[\n{\"op\": \"node\" \"name\"}]]", 2, "not JSON")]
    #[case("[[{\"op\": \"stop\"},\n\n{\"op\": \"node\"}]]", 3, "not a list of histories")]
    #[case("[[{\"op\": \"explode\"}]]", 1, "not a list of histories")]
    #[case("{}", 1, "not a list of histories")]
    fn says_where_a_text_is_wrong(#[case] text: &str, #[case] line: usize, #[case] kind: &str) {
        let error = run_json(text, "1.19").unwrap_err();
        let message = error.to_string();
        assert!(message.contains(&format!("line {line}, ")) && message.contains(kind), "{message}");
        assert!(error.source().is_some());
    }

    #[test]
    fn refuses_unknown_versions() {
        assert!(run_json("[]", "1.42.0").unwrap_err().to_string().contains("known: 1.16"));
    }
}
