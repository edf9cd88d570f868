//! What only the simulated nodes can answer: logs and commands.

use async_trait::async_trait;

use crate::store::{Status, Stored};

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExecResult {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Which part of a log is wanted. Cutting (`tailLines`, `limitBytes`) is the server's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogOptions {
    /// The log of the container's previous run.
    pub previous: bool,
    /// Each line with its time.
    pub timestamps: bool,
    /// Only what is younger, in seconds.
    pub since_seconds: Option<i64>,
    /// Only what is younger than this RFC 3339 time.
    pub since_time: Option<String>,
}

/// The nodes behind the API.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// Runs a command in a container. The pod and the container are there.
    async fn exec(&self, pod: &Stored, container: &str, command: &[String]) -> Result<ExecResult, Status>;

    /// A container's log so far, whole lines. The pod and the container are there.
    fn log(&self, pod: &Stored, container: &str, options: &LogOptions) -> Result<String, Status>;
}

/// No nodes: logs are empty and commands cannot be run.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHooks;

#[async_trait]
impl Hooks for NoHooks {
    async fn exec(&self, _pod: &Stored, _container: &str, _command: &[String]) -> Result<ExecResult, Status> {
        Err(Status::internal("no node answers"))
    }

    fn log(&self, _pod: &Stored, _container: &str, _options: &LogOptions) -> Result<String, Status> {
        Ok(String::new())
    }
}
