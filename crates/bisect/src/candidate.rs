//! What is tried: a release, or images of one's own with a release's chart.

use std::fmt;

use semver::Version;
use serde::{Deserialize, Serialize};
use versions::{AskError, Catalogue};

/// `1.19.1`, or `mybuild@1.20.2`: images with the tag `mybuild`, installed by the chart of 1.20.2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The chart's version, which is also what the scenario takes it for.
    pub version: Version,
    /// The images' tag, where it is not the version's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// A text that means no candidate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CandidateError {
    /// As the versions see it.
    #[error(transparent)]
    Version(#[from] AskError),
    /// A tag that Docker would not take.
    #[error("\"{0}\" is not a tag of an image: letters, digits, `_`, `.` and `-`, such as mybuild@1.20.2")]
    Tag(String),
}

impl Candidate {
    /// A release.
    pub fn release(version: Version) -> Self {
        Self { version, tag: None }
    }

    /// What one text means: of a range, its newest known version, with the sentence that says so.
    ///
    /// # Errors
    /// When it means nothing.
    pub fn one(text: &str, known: &Catalogue) -> Result<(Self, Option<String>), CandidateError> {
        let text = text.trim();
        let (tag, version) = match text.split_once('@') {
            Some((tag, version)) => (Some(image_tag(tag)?), version),
            None => (None, text),
        };
        let one = versions::one(version, known)?;
        Ok((Self { version: one.version, tag }, one.note))
    }

    /// All that a list means, in its order, each once.
    ///
    /// # Errors
    /// When an item means nothing.
    pub fn many(text: &str, known: &Catalogue) -> Result<Vec<Self>, CandidateError> {
        // Only stretches without a tag are lists of versions: commas are part of ranges there.
        let mut all: Vec<Self> = Vec::new();
        let mut add = |candidate: Self| {
            if !all.contains(&candidate) {
                all.push(candidate);
            }
        };
        let mut stretch: Vec<&str> = Vec::new();
        for item in text.split(',').map(Some).chain([None]) {
            match item {
                Some(item) if !item.contains('@') => stretch.push(item),
                end => {
                    if !stretch.is_empty() {
                        versions::many(&stretch.join(","), known)?.into_iter().map(Self::release).for_each(&mut add);
                        stretch.clear();
                    }
                    if let Some(tagged) = end {
                        add(Self::one(tagged, known)?.0);
                    }
                }
            }
        }
        Ok(all)
    }

    /// The tag of its images.
    pub fn image_tag(&self) -> String {
        self.tag.clone().unwrap_or_else(|| format!("v{}", self.version))
    }
}

fn image_tag(text: &str) -> Result<String, CandidateError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let good = !text.is_empty() && text.len() <= 128 && text.chars().all(fits) && !text.starts_with(['.', '-']);
    if good { Ok(text.to_owned()) } else { Err(CandidateError::Tag(text.to_owned())) }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tag {
            Some(tag) => write!(f, "{tag}@{}", self.version),
            None => write!(f, "{}", self.version),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1.18.4,1.19.1", &["1.18.4", "1.19.1"])]
    #[case("mybuild@1.20.2", &["mybuild@1.20.2"])]
    #[case("1.20.1,mybuild@1.20.2, other@1.20.2,1.20.1", &["1.20.1", "mybuild@1.20.2", "other@1.20.2"])]
    #[case("a@1.20.2,>=1.19.2,<1.20.1,b@1.20.2", &["a@1.20.2", "1.19.2", "1.19.3", "1.20.0", "b@1.20.2"])]
    #[case("a@1.19", &["a@1.19.3"])]
    fn lists(#[case] text: &str, #[case] expected: &[&str]) {
        let all = Candidate::many(text, versions::known()).unwrap();
        assert_eq!(all.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[rstest]
    #[case("1.19.77", "nearest known is 1.19.3")]
    #[case("my build@1.20.2", "\"my build\" is not a tag")]
    #[case("@1.20.2", "\"\" is not a tag")]
    #[case("mybuild@1.21.0", "nearest known is 1.20.2")]
    fn what_means_none(#[case] text: &str, #[case] why: &str) {
        let error = Candidate::many(text, versions::known()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn images_bear_the_tag() {
        let one = |text: &str| Candidate::one(text, versions::known()).unwrap().0.image_tag();
        assert_eq!((one("1.20.2"), one("mine@1.20.2")), ("v1.20.2".to_owned(), "mine".to_owned()));
    }
}
