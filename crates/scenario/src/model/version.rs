//! Ranges of Cilium versions.

use semver::{Version, VersionReq};

/// A range of Cilium versions. `1.18` means every 1.18 release; `>=1.18, <1.20` both; `1.18 || 1.20` either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRange {
    /// As written.
    pub text: String,
    /// Alternatives, one of which must match.
    pub alternatives: Vec<VersionReq>,
}

impl VersionRange {
    /// Reads a range.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let alternatives = text.split("||").map(|part| parse_one(part.trim())).collect::<Result<Vec<_>, _>>()?;
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

fn parse_one(part: &str) -> Result<VersionReq, String> {
    let hint = "write a range such as \">=1.18\", \"<1.20\", \"1.18\" or \">=1.18, <1.20\"";
    if part.is_empty() {
        return Err(format!("an empty version range; {hint}"));
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

impl std::fmt::Display for VersionRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}
