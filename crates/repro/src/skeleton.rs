//! A regression's file to fill in: what an issue says goes where.

/// An issue of Cilium's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// `cilium/cilium`.
    pub repository: String,
    /// Its number.
    pub number: u64,
}

impl Issue {
    /// Reads `41130`, `#41130`, `cilium/cilium#41130` or the issue's (or pull request's) address.
    ///
    /// # Errors
    /// A sentence that says what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("\"{text}\" is no issue: write its number (41130), cilium/cilium#41130 or its address");
        let short = text.trim().trim_end_matches('/');
        let (repository, number) = match short.strip_prefix("https://github.com/") {
            Some(path) => {
                let parts: Vec<&str> = path.split('/').collect();
                let &[owner, name, "issues" | "pull", number] = parts.as_slice() else { return Err(bad()) };
                (format!("{owner}/{name}"), number)
            }
            None => match short.split_once('#') {
                Some(("", number)) => ("cilium/cilium".to_owned(), number),
                Some((repository, number)) => (repository.to_owned(), number),
                None => ("cilium/cilium".to_owned(), short),
            },
        };
        let plain =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        let named = repository.split_once('/').is_some_and(|(owner, name)| plain(owner) && plain(name));
        match number.parse::<u64>() {
            Ok(number) if number > 0 && named => Ok(Self { repository, number }),
            _ => Err(bad()),
        }
    }

    /// Whether a reference of a scenario, short or an address, is this issue.
    pub fn is(&self, reference: &str) -> bool {
        Self::parse(reference).is_ok_and(|other| other == *self)
    }
}

impl std::fmt::Display for Issue {
    /// `cilium/cilium#41130`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.repository, self.number)
    }
}

/// A scenario file for the issue: valid as it is, and with a comment wherever the issue's own words belong.
pub fn skeleton(name: &str, issue: &Issue, schema: &str) -> String {
    format!(
        "# yaml-language-server: $schema={schema}
name: {name}
# What must be true and is not in the affected versions, in one sentence.
summary: What {issue} says must be true.
references: [{issue}]
tags: [regressions]
# The smallest cluster that shows it.
cluster: {{workers: 1, podSubnet: 10.224.0.0/16}}
cilium:
  # Every version that the scenario has something to say about, fixed ones as well.
  versions: \">=1.18\"
  # The reporter's settings.
  ipam: {{mode: cluster-pool, clusterPoolIPv4PodCIDRList: [10.0.0.0/8], clusterPoolIPv4MaskSize: 24}}
workloads:
  alpine: {{replicas: 2}}
# The affected versions: there the scenario fails in the way that `match` has on record. Once it has been seen to, take the # away and
# put in what the failure said; `cargo xtask regress {number}` then says where it is reproduced and where not.
# xfail: {{issue: {issue}, reason: what goes wrong, versions: \">=1.20, <1.20.3\", match: words of the failure}}
steps:
  # What the reporter did.
  - deploy: alpine
  # What should have come of it.
  - expect:
      podIPs: {{of: alpine, every: {{within: ciliumNode.podCIDRs}}}}
      operatorStatus: {{every: clear}}
",
        number = issue.number
    )
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("41130", "cilium/cilium#41130")]
    #[case("#41130", "cilium/cilium#41130")]
    #[case("cilium/cilium#41130", "cilium/cilium#41130")]
    #[case("cilium/charts#7", "cilium/charts#7")]
    #[case("https://github.com/cilium/cilium/issues/41130", "cilium/cilium#41130")]
    #[case("https://github.com/cilium/cilium/pull/44832/", "cilium/cilium#44832")]
    fn issues(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(Issue::parse(text).unwrap().to_string(), expected);
    }

    #[rstest]
    #[case("")]
    #[case("0")]
    #[case("-1")]
    #[case("abc")]
    #[case("cilium#1")]
    #[case("a b/c#1")]
    #[case("https://example.com/cilium/cilium/issues/1")]
    #[case("https://github.com/cilium/cilium")]
    fn no_issues(#[case] text: &str) {
        assert!(Issue::parse(text).unwrap_err().contains("write its number"));
    }

    #[test]
    fn a_reference_in_any_form() {
        let issue = Issue::parse("44832").unwrap();
        assert!(issue.is("https://github.com/cilium/cilium/pull/44832"));
        assert!(!issue.is("https://docs.cilium.io/"));
    }

    #[test]
    fn a_skeleton_is_a_scenario() {
        let text = skeleton("issue-41130", &Issue::parse("41130").unwrap(), "../schema.json");
        let (scenario, problems) = scenario::parse(Utf8Path::new("issue-41130.yaml"), text.as_bytes());
        assert!(scenario.is_some() && problems.is_empty(), "{problems:?}");
    }
}
