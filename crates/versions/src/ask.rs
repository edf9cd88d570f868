//! What a text on the command line means: a version, a range of them, a list of both.

use semver::Version;

use crate::{Catalogue, Range};

/// What one version was chosen for a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct One {
    /// The version.
    pub version: Version,
    /// A sentence to be said, where the text left it open which version is meant.
    pub note: Option<String>,
}

/// A text that means no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// A version that is not in the file.
    #[error(
        "unknown Cilium version {given}; the nearest known is {nearest}. `cargo xtask versions` lists all; kind/versions.yaml takes more"
    )]
    Unknown {
        /// As given.
        given: Version,
        /// The known version next to it.
        nearest: Version,
    },
    /// A range that holds no known version.
    #[error("no known version of Cilium is in \"{range}\"; known are {known}")]
    Empty {
        /// As given.
        range: String,
        /// All known versions.
        known: String,
    },
    /// Neither a version nor a range.
    #[error("{0}")]
    Unreadable(String),
}

/// The one version that a text means: itself, or the newest known of a range.
///
/// # Errors
/// When there is none.
pub fn one(text: &str, known: &Catalogue) -> Result<One, AskError> {
    match exact(text) {
        Some(version) => Ok(One { version: of_known(version, known)?, note: None }),
        None => {
            let range = range(text, known)?;
            let version = known.all().rfind(|version| range.contains(version)).ok_or_else(|| empty(&range, known))?;
            let note = format!("Cilium {version}: the newest known version in \"{range}\"");
            Ok(One { version, note: Some(note) })
        }
    }
}

/// The same, where a newer patch of a known minor will do as well: what is known of the minor is taken for it, and that is said.
///
/// # Errors
/// When there is none.
pub fn one_or_newer_patch(text: &str, known: &Catalogue) -> Result<One, AskError> {
    if let Some(version) = exact(text).filter(|version| version.pre.is_empty()) {
        let minor = format!("{}.{}", version.major, version.minor);
        let newest = known.all().filter(|other| (other.major, other.minor) == (version.major, version.minor)).max();
        if newest.is_some_and(|newest| version > newest) {
            let note =
                format!("Cilium {version} is newer than what kind/versions.yaml lists; it is taken as a {minor}");
            return Ok(One { version, note: Some(note) });
        }
    }
    one(text, known)
}

/// All versions that a list means, in its order, each once; a range stands for every known version in it, oldest first.
///
/// Items are separated by commas. Comparators that follow each other belong together: `1.18.4,>=1.19,<1.20` is a version and a range.
///
/// # Errors
/// When an item means none.
pub fn many(text: &str, known: &Catalogue) -> Result<Vec<Version>, AskError> {
    let mut versions = Vec::new();
    for item in items(text) {
        let found = match exact(&item) {
            Some(version) => vec![of_known(version, known)?],
            None => {
                let range = range(&item, known)?;
                let found: Vec<Version> = known.all().filter(|version| range.contains(version)).collect();
                if found.is_empty() {
                    return Err(empty(&range, known));
                }
                found
            }
        };
        for version in found {
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
    }
    Ok(versions)
}

/// Items of a list, with comparators that follow each other put together.
fn items(text: &str) -> Vec<String> {
    let compares = |item: &str| item.starts_with(['<', '>', '=', '~', '^']);
    let mut items: Vec<String> = Vec::new();
    for item in text.split(',').map(str::trim) {
        match items.last_mut() {
            Some(last) if compares(item) && last.rsplit(['|', ',']).next().is_some_and(|end| compares(end.trim())) => {
                last.push_str(", ");
                last.push_str(item);
            }
            _ => items.push(item.to_owned()),
        }
    }
    items
}

/// A text with three numbers, and no sign that it is a range.
fn exact(text: &str) -> Option<Version> {
    let bare = text.trim();
    Version::parse(bare.strip_prefix('v').unwrap_or(bare)).ok()
}

fn range(text: &str, known: &Catalogue) -> Result<Range, AskError> {
    Range::parse_with(text, known).map_err(|why| match why.split_once("; write ") {
        // Whoever means one version most likely wrote it wrongly.
        Some((what, hint)) => {
            AskError::Unreadable(format!("{what}; write a version such as {}, or {hint}", known.cilium.default))
        }
        None => AskError::Unreadable(why),
    })
}

fn of_known(version: Version, known: &Catalogue) -> Result<Version, AskError> {
    match known.nearest(&version) {
        Some(nearest) if !known.knows(&version) => Err(AskError::Unknown { given: version, nearest }),
        _ => Ok(version),
    }
}

fn empty(range: &Range, known: &Catalogue) -> AskError {
    AskError::Empty { range: range.text.clone(), known: known.in_words() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::known;

    #[rstest]
    #[case("1.18.4", "1.18.4", false)]
    #[case("v1.20.2", "1.20.2", false)]
    #[case("1.19", "1.19.3", true)]
    #[case(">=1.18, <1.20", "1.19.3", true)]
    #[case("latest-patch-of 1.18", "1.18.6", true)]
    #[case("*", "1.20.2", true)]
    fn one_version(#[case] text: &str, #[case] version: &str, #[case] noted: bool) {
        let one = one(text, known()).unwrap();
        assert_eq!((one.version.to_string().as_str(), one.note.is_some()), (version, noted));
    }

    #[rstest]
    #[case("1.19.99", Ok(("1.19.99", true)))]
    #[case("1.19.1", Ok(("1.19.1", false)))]
    #[case("1.19", Ok(("1.19.3", true)))]
    #[case("1.21.0", Err("the nearest known is 1.20.2"))]
    #[case("1.20.9-rc.1", Err("unknown Cilium version 1.20.9-rc.1"))]
    fn a_newer_patch(#[case] text: &str, #[case] expected: Result<(&str, bool), &str>) {
        match (one_or_newer_patch(text, known()), expected) {
            (Ok(one), Ok(expected)) => assert_eq!((one.version.to_string().as_str(), one.note.is_some()), expected),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (found, _) => panic!("{found:?}"),
        }
    }

    #[rstest]
    #[case("1.18.4,1.19.1,1.20.2", &["1.18.4", "1.19.1", "1.20.2"])]
    #[case("1.20.2, 1.18.4 ,1.20.2", &["1.20.2", "1.18.4"])]
    #[case("1.20", &["1.20.0", "1.20.1", "1.20.2"])]
    #[case("1.18.4,>=1.19.2,<1.20.1", &["1.18.4", "1.19.2", "1.19.3", "1.20.0"])]
    #[case(">=1.19.2,<1.20,1.18.4", &["1.19.2", "1.19.3", "1.18.4"])]
    #[case("1.18.4 || >=1.20, <1.20.1", &["1.18.4", "1.20.0"])]
    #[case("latest-patch-of 1.18,latest-patch-of 1.19", &["1.18.6", "1.19.3"])]
    fn many_versions(#[case] text: &str, #[case] versions: &[&str]) {
        let many: Vec<String> = many(text, known()).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(many, versions);
    }

    #[rstest]
    #[case("1.18.99", "unknown Cilium version 1.18.99; the nearest known is 1.18.6")]
    #[case("1.25.0", "the nearest known is 1.20.2")]
    #[case("1.10.0", "the nearest known is 1.16.12")]
    #[case("1.20.0-rc.1", "unknown Cilium version 1.20.0-rc.1; the nearest known is 1.20.0")]
    #[case(">=1.21", "no known version of Cilium is in \">=1.21\"; known are 1.16.0 to 1.16.12, ")]
    #[case("latest-patch-of 2.1", "no version of Cilium 2.1 is known; known are 1.16.0")]
    #[case("one", "\"one\" is not a version range")]
    #[case("", "write a version such as 1.18.4")]
    #[case("1.18.4,", "an empty version range")]
    fn what_means_none(#[case] text: &str, #[case] why: &str) {
        let error = many(text, known()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    proptest! {
        #[test]
        fn every_known_version_is_itself_and_in_its_minor(at in 0..known().all().count()) {
            let version = known().all().nth(at).unwrap();
            prop_assert_eq!(&one(&version.to_string(), known()).unwrap().version, &version);
            let minor = format!("{}.{}", version.major, version.minor);
            prop_assert!(many(&minor, known()).unwrap().contains(&version));
        }

        #[test]
        fn what_is_chosen_is_known(minor in 10u64..25, patch in 0u64..20) {
            match one(&format!("1.{minor}.{patch}"), known()) {
                Ok(one) => prop_assert!(known().knows(&one.version)),
                Err(AskError::Unknown { nearest, .. }) => prop_assert!(known().knows(&nearest)),
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
    }
}
