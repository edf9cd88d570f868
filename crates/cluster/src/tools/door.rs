//! What all runs share: settings, the environment that programs get, the transcript.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use semver::Version;
use tokio::time::Duration;

use super::{Captured, Invocation, LookupError, Running, Tool, ToolError, Transcript};
use crate::Settings;

/// Variable in the environment of every program that is run for a cluster, with the cluster's name: finds what a killed run left
/// running.
pub const MARK: &str = "IPAM_E2E_CLUSTER";

/// Variables that would let the user's own cluster, release settings or container engine in.
const REMOVED: &[&str] = &[
    "KUBECONFIG",
    "HELM_KUBEAPISERVER",
    "HELM_KUBEASGROUPS",
    "HELM_KUBEASUSER",
    "HELM_KUBECAFILE",
    "HELM_KUBECONTEXT",
    "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
    "HELM_KUBETLS_SERVER_NAME",
    "HELM_KUBETOKEN",
    "HELM_NAMESPACE",
    "HELM_DRIVER",
    "HELM_DEBUG",
    "KIND_CLUSTER_NAME",
    "KIND_EXPERIMENTAL_DOCKER_NETWORK",
    "KUBERNETES_MASTER",
];

/// Runs programs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Door {
    settings: Arc<Settings>,
    env: Vec<(String, String)>,
    transcript: Option<Transcript>,
}

impl Door {
    /// A door for what belongs to no cluster: preflight checks, removal of what dead runs left.
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { settings, env: vec![("KIND_EXPERIMENTAL_PROVIDER".into(), "docker".into())], transcript: None }
    }

    /// A door for one cluster: transcript, helm's and kubectl's caches and homes inside its folder.
    pub fn for_cluster(settings: Arc<Settings>, dir: &Utf8Path, name: &str) -> Self {
        let mut door = Self::new(settings);
        door.transcript = Some(Transcript::new(dir));
        for (variable, sub) in [
            ("HELM_CACHE_HOME", "helm/cache"),
            ("HELM_CONFIG_HOME", "helm/config"),
            ("HELM_DATA_HOME", "helm/data"),
            ("KUBECACHEDIR", "kubectl"),
        ] {
            door.env.push((variable.to_owned(), dir.join(sub).into_string()));
        }
        door.env.push((MARK.to_owned(), name.to_owned()));
        door
    }

    /// What it was made with.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Where a program is.
    ///
    /// # Errors
    /// When it is not there.
    pub fn locate(&self, tool: Tool) -> Result<Utf8PathBuf, LookupError> {
        tool.locate(&self.settings)
    }

    /// Starts a program.
    ///
    /// # Errors
    /// When it is not there or cannot be started.
    pub fn spawn(&self, run: Invocation) -> Result<Running, ToolError> {
        let program = self.locate(run.tool)?;
        Running::start(&program, run, REMOVED, &self.env, self.transcript.clone())
    }

    /// Runs a program to its end.
    ///
    /// # Errors
    /// As [`Door::spawn`] and [`Running::finish`].
    pub async fn run(&self, run: Invocation) -> Result<Captured, ToolError> {
        self.spawn(run)?.finish().await
    }

    /// Runs docker to its end, with a deadline of its own name.
    ///
    /// # Errors
    /// As [`Door::run`].
    pub async fn docker<S: Into<String>>(
        &self,
        purpose: &'static str,
        deadline: Duration,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Captured, ToolError> {
        self.run(Invocation::new(Tool::Docker, purpose, deadline).args(args)).await
    }

    /// The version a program says it has; `None` when it prints something else.
    ///
    /// # Errors
    /// As [`Door::run`].
    pub async fn version(&self, tool: Tool) -> Result<Option<Version>, ToolError> {
        let run =
            Invocation::new(tool, "read version", Duration::from_secs(10)).args(tool.version_args().iter().copied());
        Ok(Tool::parse_version(&self.run(run).await?.stdout))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

    use super::*;
    use crate::tools::Input;

    /// `sh` in docker's place.
    fn door(dir: Option<&Utf8Path>) -> Door {
        let settings = Settings::from_env(|name| (name == "IPAM_E2E_DOCKER").then(|| "/bin/sh".to_owned())).unwrap();
        let settings = Arc::new(settings);
        match dir {
            Some(dir) => Door::for_cluster(settings, dir, "ipam-e2e-test-1"),
            None => Door::new(settings),
        }
    }

    fn sh(script: &str, deadline: Duration) -> Invocation {
        Invocation::new(Tool::Docker, "try", deadline).args(["-c", script])
    }

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn output_and_input_pass_through() {
        let run = sh("cat; echo err >&2", LONG).input(Input::Bytes(b"hello".to_vec()));
        let got = door(None).run(run).await.unwrap();
        assert_eq!((got.stdout.as_str(), got.stderr.as_str()), ("hello", "err\n"));
    }

    #[tokio::test]
    async fn a_program_that_does_not_read_is_no_error() {
        let run = sh("exit 0", LONG).input(Input::Bytes(vec![b'x'; 4 << 20]));
        assert_eq!(door(None).run(run).await.unwrap().stdout, "");
    }

    #[rstest]
    #[case(
        "echo one; echo two >&2; exit 3",
        "exited with 3",
        "try: `docker -c 'echo one; echo two >&2; exit 3'` exited with 3: two"
    )]
    #[case(
        "echo only out; exit 1",
        "exited with 1",
        "try: `docker -c 'echo only out; exit 1'` exited with 1: only out"
    )]
    #[case("kill -9 $$", "was killed by signal 9", "try: `docker -c 'kill -9 $$'` was killed by signal 9")]
    #[tokio::test]
    async fn failures_name_command_status_and_last_line(
        #[case] script: &str,
        #[case] expected: &str,
        #[case] cause: &str,
    ) {
        let error = door(None).run(sh(script, LONG)).await.unwrap_err();
        assert_eq!(error.cause(), cause);
        let ToolError::Failed { status, .. } = error else { panic!("{error:?}") };
        assert_eq!(status, expected);
    }

    #[tokio::test]
    async fn the_deadline_ends_the_program_and_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        // The grandchild ignores SIGTERM and would hold the pipe for a minute.
        let script = format!("(trap '' TERM; sleep 60) & echo $! > {}; echo begun; wait", file.display());
        let error = door(None).run(sh(&script, Duration::from_millis(300))).await.unwrap_err();
        assert!(matches!(&error, ToolError::Deadline { output, .. } if output == "begun"), "{error:?}");
        assert!(error.to_string().contains("did not end within 0.3 s"), "{error}");
        assert_gone(&file).await;
    }

    #[tokio::test]
    async fn dropping_kills_the_group() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let script = format!("sleep 60 & echo $! > {}; echo begun; wait", file.display());
        let mut running = door(None).spawn(sh(&script, LONG).stdout_piped()).unwrap();
        let mut lines = BufReader::new(running.stdout().unwrap()).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("begun"));
        drop(running);
        assert_gone(&file).await;
    }

    /// The process whose id is in `file` ends soon (its parent being gone, init reaps it, or it stays a zombie).
    async fn assert_gone(file: &std::path::Path) {
        let pid = fs_err::read_to_string(file).unwrap().trim().to_owned();
        let gone = async {
            loop {
                match fs_err::read_to_string(format!("/proc/{pid}/stat")) {
                    Err(_) => break,
                    Ok(stat) if stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')) => break,
                    Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the grandchild is gone");
    }

    #[tokio::test]
    async fn a_pipe_held_by_a_stray_child_does_not_hold_the_run() {
        let got = door(None).run(sh("sleep 5 & echo done", LONG)).await.unwrap();
        assert_eq!(got.stdout, "done\n");
    }

    #[tokio::test]
    async fn piped_input_ends_when_it_is_dropped() {
        let mut running = door(None).spawn(sh("cat", LONG).input(Input::Piped)).unwrap();
        let mut stdin = running.stdin().unwrap();
        stdin.write_all(b"abc").await.unwrap();
        drop(stdin);
        assert_eq!(running.finish().await.unwrap().stdout, "abc");
    }

    #[tokio::test]
    async fn output_is_bounded_to_its_end() {
        let run = sh("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done", LONG).stdout_limit(100);
        let got = door(None).run(run).await.unwrap().stdout;
        assert!(got.len() <= 100 && got.ends_with("line 1999\n") && got.starts_with("line "), "{got}");
    }

    #[tokio::test]
    async fn programs_of_a_cluster_get_its_homes_and_its_mark_and_no_ambient_cluster() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let run =
            sh("echo $IPAM_E2E_CLUSTER $HELM_CACHE_HOME $KUBECACHEDIR $KUBECONFIG $KIND_EXPERIMENTAL_PROVIDER", LONG);
        let got = door(Some(dir)).run(run).await.unwrap().stdout;
        assert_eq!(got, format!("ipam-e2e-test-1 {dir}/helm/cache {dir}/kubectl docker\n"));
        let log = fs_err::read_to_string(dir.join("commands.log")).unwrap();
        assert!(log.contains("exit 0") && log.contains("docker -c 'echo $IPAM"), "{log}");
    }

    #[tokio::test]
    async fn a_tool_that_is_not_there_is_named_with_its_variable() {
        let error = door(None).version(Tool::Helm).await.unwrap_err();
        assert_eq!(error.to_string(), "find helm: not on PATH (IPAM_E2E_HELM may name it)");
    }
}
