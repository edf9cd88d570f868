//! Which programs there are, where they are found, and which versions will do.

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::AccessFlags;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::Settings;

/// A program that this crate runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    /// The Docker client.
    Docker,
    /// Kubernetes in Docker.
    Kind,
    /// Helm.
    Helm,
    /// kubectl. Nothing needs it; it is looked up so that printed commands can be checked.
    Kubectl,
}

impl Tool {
    /// All of them, in the order in which they are needed.
    pub const ALL: [Self; 4] = [Self::Docker, Self::Kind, Self::Helm, Self::Kubectl];

    /// Name of the program.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Kind => "kind",
            Self::Helm => "helm",
            Self::Kubectl => "kubectl",
        }
    }

    /// Environment variable with its path.
    pub fn env(self) -> &'static str {
        match self {
            Self::Docker => "IPAM_E2E_DOCKER",
            Self::Kind => "IPAM_E2E_KIND",
            Self::Helm => "IPAM_E2E_HELM",
            Self::Kubectl => "IPAM_E2E_KUBECTL",
        }
    }

    /// Oldest version that will do, and why.
    ///
    /// Docker: `run --cgroupns` and `container create` over API 1.41. kind: first release for Kubernetes 1.32 nodes' containerd 2
    /// configuration. Helm: `upgrade --install` with `--history-max` and OCI repositories without a feature gate.
    pub fn minimum(self) -> Version {
        match self {
            Self::Docker => Version::new(20, 10, 0),
            Self::Kind => Version::new(0, 24, 0),
            Self::Helm => Version::new(3, 8, 0),
            Self::Kubectl => Version::new(1, 28, 0),
        }
    }

    /// Arguments that make it print its own version.
    pub fn version_args(self) -> &'static [&'static str] {
        match self {
            Self::Docker => &["--version"],
            Self::Kind => &["version"],
            Self::Helm => &["version", "--template", "{{.Version}}"],
            Self::Kubectl => &["version", "--client"],
        }
    }

    /// How to get it.
    pub fn install(self) -> &'static str {
        match self {
            Self::Docker => "install Docker Engine: https://docs.docker.com/engine/install/",
            Self::Kind => {
                "install kind: go install sigs.k8s.io/kind@latest, or https://kind.sigs.k8s.io/docs/user/quick-start/"
            }
            Self::Helm => "install Helm 3.8 or newer: https://helm.sh/docs/intro/install/",
            Self::Kubectl => "install kubectl: https://kubernetes.io/docs/tasks/tools/",
        }
    }

    /// The version in what the program printed: the first word that is one, with or without `v` and further parts
    /// (`Docker version 20.10.24+dfsg1, build 297e128`, `kind v0.33.0 go1.25.4 linux/amd64`, `v3.19.0`).
    pub fn parse_version(text: &str) -> Option<Version> {
        text.split([' ', '\n', ',', '"', '(', '\t']).find_map(|word| {
            let word = word.trim().strip_prefix('v').unwrap_or(word.trim());
            let plain = word.split(['-', '+']).next()?;
            let mut parts = plain.split('.');
            let version = Version::new(
                parts.next()?.parse().ok()?,
                parts.next()?.parse().ok()?,
                parts.next().map_or(Ok(0), |p| p.parse()).ok()?,
            );
            parts.next().is_none().then_some(version)
        })
    }

    /// Finds the program: the path given for it, else the first match on `PATH`.
    ///
    /// # Errors
    /// When the given path is no program, or `PATH` has none.
    pub fn locate(self, settings: &Settings) -> Result<Utf8PathBuf, LookupError> {
        if let Some(path) = settings.programs.get(&self) {
            return if is_program(path) {
                Ok(path.clone())
            } else {
                Err(LookupError::NotAProgram { tool: self, path: path.clone() })
            };
        }
        settings
            .path
            .split(':')
            .filter(|dir| !dir.is_empty())
            .map(|dir| Utf8Path::new(dir).join(self.name()))
            .find(|path| is_program(path))
            .ok_or(LookupError::NotFound { tool: self })
    }
}

fn is_program(path: &Utf8Path) -> bool {
    path.is_file() && nix::unistd::access(path.as_std_path(), AccessFlags::X_OK).is_ok()
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A program that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// Not on `PATH`.
    #[error("find {tool}: not on PATH ({env} may name it)", env = .tool.env())]
    NotFound {
        /// Which.
        tool: Tool,
    },
    /// The path that was given is not one.
    #[error("find {tool}: {env} names {path}, which is not an executable file", env = .tool.env())]
    NotAProgram {
        /// Which.
        tool: Tool,
        /// What was given.
        path: Utf8PathBuf,
    },
}

impl LookupError {
    /// What to do about it.
    pub fn fix(&self) -> String {
        match self {
            Self::NotFound { tool } => tool.install().to_owned(),
            Self::NotAProgram { tool, .. } => format!("unset {}, or let it name the {tool} program", tool.env()),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Docker version 20.10.24+dfsg1, build 297e128", Some((20, 10, 24)))]
    #[case("Docker version 28.2.2, build e6534b4", Some((28, 2, 2)))]
    #[case("kind v0.33.0 go1.25.4 linux/amd64", Some((0, 33, 0)))]
    #[case("kind v0.30.0-alpha+1234 go1.24 linux/arm64", Some((0, 30, 0)))]
    #[case("v3.19.0", Some((3, 19, 0)))]
    #[case("v4.0.1\n", Some((4, 0, 1)))]
    #[case("Client Version: v1.34.4\nKustomize Version: v5.7.1", Some((1, 34, 4)))]
    #[case("Client: 1.2", Some((1, 2, 0)))]
    #[case("podman whatever", None)]
    #[case("built 2024.01.02.03 of it", None)]
    #[case("", None)]
    fn version_texts(#[case] text: &str, #[case] expected: Option<(u64, u64, u64)>) {
        assert_eq!(Tool::parse_version(text), expected.map(|(a, b, c)| Version::new(a, b, c)));
    }

    #[test]
    fn a_program_is_found_on_path_in_order_and_only_if_it_can_be_run() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        for (sub, mode) in [("a", 0o644), ("b", 0o755), ("c", 0o755)] {
            fs_err::create_dir(root.join(sub)).unwrap();
            let file = root.join(sub).join("kind");
            fs_err::write(&file, "").unwrap();
            fs_err::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = format!("{root}/none::{root}/a:{root}/b:{root}/c");
        let settings = Settings::from_env(|name| (name == "PATH").then(|| path.clone())).unwrap();
        assert_eq!(Tool::Kind.locate(&settings), Ok(root.join("b/kind")));
        assert_eq!(Tool::Helm.locate(&settings), Err(LookupError::NotFound { tool: Tool::Helm }));
    }

    #[test]
    fn a_given_path_is_not_second_guessed() {
        let settings = Settings::from_env(|name| match name {
            "IPAM_E2E_KIND" => Some("/nonexistent/kind".to_owned()),
            "PATH" => Some("/usr/bin:/bin".to_owned()),
            _ => None,
        })
        .unwrap();
        let error = Tool::Kind.locate(&settings).unwrap_err();
        assert_eq!(
            error.to_string(),
            "find kind: IPAM_E2E_KIND names /nonexistent/kind, which is not an executable file"
        );
        assert!(error.fix().contains("unset IPAM_E2E_KIND"));
    }
}
