//! What a file that can be read may still have wrong.

use std::collections::BTreeSet;

use semver::Version;

use crate::Catalogue;

/// Every problem, each as a sentence; none when the file is in order.
pub fn check(catalogue: &Catalogue) -> Vec<String> {
    let mut problems = Vec::new();
    let Catalogue { cilium, kubernetes } = catalogue;
    if cilium.releases.is_empty() {
        problems.push("cilium.releases: there is none".to_owned());
    }
    for pair in cilium.releases.windows(2) {
        if pair[0].minor >= pair[1].minor {
            problems.push(format!("cilium.releases: {} does not come after {}", pair[1].minor, pair[0].minor));
        }
    }
    for release in &cilium.releases {
        let minor = release.minor;
        if release.patches.is_empty() {
            problems.push(format!("cilium.releases: {minor} has no patches"));
        }
        if !release.patches.windows(2).all(|pair| pair[0] < pair[1]) {
            problems.push(format!("cilium.releases: the patches of {minor} do not ascend"));
        }
        if release.kubernetes.is_empty() && release.why.is_none() {
            problems.push(format!("cilium.releases: {minor} has no Kubernetes, and no `why`"));
        }
        for wanted in &release.kubernetes {
            if !kubernetes.node_images.keys().any(|image| (image.major, image.minor) == (wanted.major, wanted.minor)) {
                problems.push(format!(
                    "cilium.releases: {minor} wants Kubernetes {wanted}, which kubernetes.nodeImages does not have"
                ));
            }
        }
    }
    let known: BTreeSet<Version> = catalogue.all().collect();
    for version in cilium.proven.iter().filter(|version| !known.contains(version)) {
        problems.push(format!("cilium.proven: {version} is not among cilium.releases"));
    }
    for version in cilium.proven.iter().filter(|version| !catalogue.supports(version, &kubernetes.default)) {
        problems.push(format!("cilium.proven: {version} is not for Kubernetes {}", kubernetes.default));
    }
    if !cilium.proven.contains(&cilium.default) {
        problems.push(format!("cilium.default: {} is not among cilium.proven", cilium.default));
    }
    if cilium.images.is_empty() {
        problems.push("cilium.images: there is none".to_owned());
    }
    for image in
        cilium.images.iter().filter(|image| image.rsplit('/').next().is_none_or(|name| name.contains([':', '@'])))
    {
        problems.push(format!("cilium.images: {image} has a tag; it is given by the version"));
    }
    if !cilium.chart.file.contains("VERSION") {
        problems.push(format!("cilium.chart.file: {} does not say where its VERSION stands", cilium.chart.file));
    }
    if !kubernetes.node_images.contains_key(&kubernetes.default) {
        problems.push(format!("kubernetes.default: {} is not among kubernetes.nodeImages", kubernetes.default));
    }
    for (version, image) in &kubernetes.node_images {
        let tag = image.rsplit_once(':').map(|(_, tag)| tag.split('@').next().unwrap_or_default());
        if tag != Some(format!("v{version}").as_str()) {
            problems.push(format!("kubernetes.nodeImages: {image} is not tagged v{version}"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const TEXT: &str = include_str!("../../../kind/versions.yaml");

    #[test]
    fn the_file_is_in_order() {
        assert_eq!(check(crate::known()), Vec::<String>::new());
    }

    #[rstest]
    #[case("proven: [1.18.4, 1.19.1, 1.20.2]", "proven: [1.18.4, 1.30.0]", "cilium.proven: 1.30.0 is not among")]
    #[case("default: 1.18.4", "default: 1.18.3", "cilium.default: 1.18.3 is not among cilium.proven")]
    #[case("default: 1.34.4", "default: 1.35.0", "kubernetes.default: 1.35.0 is not among")]
    #[case("[0, 1, 2, 3]", "[0, 2, 1, 3]", "the patches of 1.19 do not ascend")]
    #[case("minor: \"1.19\"", "minor: \"1.17\"", "1.17 does not come after 1.18")]
    #[case("kubernetes: [\"1.34\"]", "kubernetes: [\"1.36\"]", "1.20 wants Kubernetes 1.36")]
    #[case("kubernetes: [\"1.34\"]", "kubernetes: []", "1.20 has no Kubernetes, and no `why`")]
    #[case("quay.io/cilium/hubble-relay]", "quay.io/cilium/hubble-relay:v1]", "hubble-relay:v1 has a tag")]
    #[case(
        "1.33.4: kindest/node:v1.33.4",
        "1.33.4: kindest/node:v1.33.1",
        "kindest/node:v1.33.1 is not tagged v1.33.4"
    )]
    #[case("cilium-VERSION.tgz", "cilium.tgz", "does not say where its VERSION stands")]
    fn what_is_wrong_is_said(#[case] right: &str, #[case] wrong: &str, #[case] problem: &str) {
        assert!(TEXT.contains(right), "{right}");
        let problems = check(&Catalogue::parse(&TEXT.replacen(right, wrong, 1)).unwrap());
        assert!(problems.iter().any(|one| one.contains(problem)), "{problems:#?}");
    }

    #[rstest]
    #[case("minor: \"1.20\"", "minor: twenty")]
    #[case("proven:", "provn:")]
    #[case("default: 1.18.4", "default: 1.18")]
    fn what_cannot_be_read_is_said_with_its_place(#[case] right: &str, #[case] wrong: &str) {
        let error = Catalogue::parse(&TEXT.replacen(right, wrong, 1)).unwrap_err().to_string();
        assert!(error.starts_with("kind/versions.yaml: ") && error.contains("line"), "{error}");
    }
}
