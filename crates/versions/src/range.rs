//! Ranges of Cilium versions.

use semver::{Version, VersionReq};

use crate::{Catalogue, Minor};

/// What stands before a minor release and means its newest patch.
const LATEST: &str = "latest-patch-of";

/// A range of Cilium versions. `1.18` means every 1.18 release; `>=1.18, <1.20` both; `1.18 || 1.20` either; `latest-patch-of 1.19`
/// the newest known 1.19.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// As written.
    pub text: String,
    /// Alternatives, one of which must match.
    pub alternatives: Vec<VersionReq>,
}

impl Range {
    /// Reads a range, with the versions that are built in.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_with(text, crate::known())
    }

    /// The same with other known versions.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to write.
    pub fn parse_with(text: &str, known: &Catalogue) -> Result<Self, String> {
        let parts = text.split("||").map(|part| parse_one(part.trim(), known));
        let alternatives = parts.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { text: text.trim().to_owned(), alternatives })
    }

    /// The range that holds every version.
    pub fn any() -> Self {
        Self { text: "*".to_owned(), alternatives: vec![VersionReq::STAR] }
    }

    /// Whether `version` is in the range. A pre-release counts as its release.
    pub fn contains(&self, version: &Version) -> bool {
        let release = Version::new(version.major, version.minor, version.patch);
        self.alternatives.iter().any(|range| range.matches(&release))
    }
}

fn parse_one(part: &str, known: &Catalogue) -> Result<VersionReq, String> {
    let hint = "write a range such as \">=1.18\", \"<1.20\", \"1.18\", \">=1.18, <1.20\" or \"latest-patch-of 1.19\"";
    if part.is_empty() {
        return Err(format!("an empty version range; {hint}"));
    }
    if let Some(minor) = part.strip_prefix(LATEST) {
        return latest(minor, known);
    }
    // A bare `1.18` is a caret range for semver (below 2.0); here it means that minor.
    let comparators: Vec<String> = part
        .split(',')
        .map(str::trim)
        .map(|one| {
            let bare = one.strip_prefix('v').unwrap_or(one);
            if bare.starts_with(|c: char| c.is_ascii_digit()) && !bare.contains('*') {
                match bare.matches('.').count() {
                    2 => format!("={bare}"),
                    _ => format!("~{bare}"),
                }
            } else {
                bare.to_owned()
            }
        })
        .collect();
    VersionReq::parse(&comparators.join(", ")).map_err(|e| format!("\"{part}\" is not a version range ({e}); {hint}"))
}

/// The one version that is the newest of a minor.
fn latest(minor: &str, known: &Catalogue) -> Result<VersionReq, String> {
    let minor: Minor = minor.trim().parse().map_err(|why| format!("\"{LATEST}{minor}\": {why}"))?;
    let release = known.cilium.releases.iter().find(|release| release.minor == minor);
    let newest = release
        .and_then(|release| release.versions().next_back())
        .ok_or_else(|| format!("no version of Cilium {minor} is known; known are {}", known.in_words()))?;
    VersionReq::parse(&format!("={newest}")).map_err(|error| error.to_string())
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1.18", &["1.18.0", "1.18.4", "1.18.4-rc.1"], &["1.17.4", "1.19.0"])]
    #[case(">=1.18, <1.20", &["1.18.0", "1.19.1"], &["1.20.0", "1.17.4"])]
    #[case("1.18 || 1.20", &["1.18.4", "1.20.2"], &["1.19.1"])]
    #[case("v1.18.4", &["1.18.4"], &["1.18.3"])]
    #[case("latest-patch-of 1.19", &["1.19.3"], &["1.19.1", "1.19.2", "1.20.0"])]
    #[case("latest-patch-of 1.19 || <1.18", &["1.19.3", "1.17.0"], &["1.19.1", "1.18.4"])]
    #[case("*", &["1.16.0", "1.20.2"], &[])]
    fn holds_what_it_says(#[case] text: &str, #[case] inside: &[&str], #[case] outside: &[&str]) {
        let range = Range::parse(text).unwrap();
        let contains = |text: &&str| range.contains(&text.parse().unwrap());
        assert!(inside.iter().all(contains), "{text}: {inside:?}");
        assert!(!outside.iter().any(contains), "{text}: {outside:?}");
    }

    #[rstest]
    #[case("", "an empty version range")]
    #[case("1.18 ||", "an empty version range")]
    #[case("1.l8", "\"1.l8\" is not a version range")]
    #[case("latest-patch-of 1.99", "no version of Cilium 1.99 is known; known are 1.16.0 to 1.16.12, ")]
    #[case("latest-patch-of", "is not a minor release: write one such as 1.19")]
    #[case("latest-patch-of 1.19.1", "is not a minor release")]
    fn refuses_what_is_none(#[case] text: &str, #[case] why: &str) {
        let error = Range::parse(text).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
