//! What is tried: a release, or images of one's own with a release's chart.

use std::fmt;

use semver::Version;
use serde::{Deserialize, Serialize};
use versions::{AskError, Catalogue};

/// `1.19.1`, or `mybuild@1.20.2`: images with the tag `mybuild`, installed by the chart of 1.20.2. `localhost:5000/me:mybuild@1.20.2`:
/// the same with `localhost:5000/me/cilium` in place of `quay.io/cilium/cilium`, and so on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The chart's version, which is also what the scenario takes it for.
    pub version: Version,
    /// The images' tag, where it is not the version's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Where these images are, where it is not where releases are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
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
    /// A place that Docker would not take.
    #[error("\"{0}\" is no place of images, such as localhost:5000/me in localhost:5000/me:mybuild@1.20.2")]
    Place(String),
}

impl Candidate {
    /// A release.
    pub fn release(version: Version) -> Self {
        Self { version, tag: None, place: None }
    }

    /// What one text means: of a range, its newest known version, with the sentence that says so.
    ///
    /// # Errors
    /// When it means nothing.
    pub fn one(text: &str, known: &Catalogue) -> Result<(Self, Option<String>), CandidateError> {
        let text = text.trim();
        let (own, version) = match text.split_once('@') {
            Some((own, version)) => (Some(own), version),
            None => (None, text),
        };
        let (place, tag) = match own.map(|own| own.rsplit_once(':').map_or((None, own), |(at, tag)| (Some(at), tag))) {
            Some((place, tag)) => (place.map(image_place).transpose()?, Some(image_tag(tag)?)),
            None => (None, None),
        };
        let one = versions::one(version, known)?;
        Ok((Self { version: one.version, tag, place }, one.note))
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

    /// The names of its images, in the order of the versions' own: those of one's own need not all be there.
    pub fn images(&self, known: &Catalogue) -> Vec<String> {
        let images = known.images(&self.image_tag()).into_iter();
        images
            .map(|image| match (&self.place, image.rsplit_once('/')) {
                (Some(place), Some((_, name))) => format!("{place}/{name}"),
                _ => image,
            })
            .collect()
    }
}

fn image_place(text: &str) -> Result<String, CandidateError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '-' | ':');
    let good =
        text.split('/').all(|part| part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(fits));
    if good { Ok(text.to_owned()) } else { Err(CandidateError::Place(text.to_owned())) }
}

fn image_tag(text: &str) -> Result<String, CandidateError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let good = !text.is_empty() && text.len() <= 128 && text.chars().all(fits) && !text.starts_with(['.', '-']);
    if good { Ok(text.to_owned()) } else { Err(CandidateError::Tag(text.to_owned())) }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}:")?;
        }
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
    #[case("localhost:5000/me:a@1.19.1,me:b@1.19.1", &["localhost:5000/me:a@1.19.1", "me:b@1.19.1"])]
    fn lists(#[case] text: &str, #[case] expected: &[&str]) {
        let all = Candidate::many(text, versions::known()).unwrap();
        assert_eq!(all.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[rstest]
    #[case("1.19.77", "nearest known is 1.19.3")]
    #[case("my build@1.20.2", "\"my build\" is not a tag")]
    #[case("@1.20.2", "\"\" is not a tag")]
    #[case("mybuild@1.21.0", "nearest known is 1.20.2")]
    #[case("Local/me:a@1.20.2", "\"Local/me\" is no place of images")]
    #[case("me/:a@1.20.2", "\"me/\" is no place of images")]
    #[case("me:@1.20.2", "\"\" is not a tag")]
    fn what_means_none(#[case] text: &str, #[case] why: &str) {
        let error = Candidate::many(text, versions::known()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn images_bear_the_tag() {
        let one = |text: &str| Candidate::one(text, versions::known()).unwrap().0.image_tag();
        assert_eq!((one("1.20.2"), one("mine@1.20.2")), ("v1.20.2".to_owned(), "mine".to_owned()));
        let images = |text: &str| Candidate::one(text, versions::known()).unwrap().0.images(versions::known());
        assert_eq!(images("mine@1.20.2")[0], "quay.io/cilium/cilium:mine");
        assert_eq!(images("localhost:5000/me:mine@1.20.2")[1], "localhost:5000/me/operator-generic:mine");
    }
}
