//! One run of a program: bounded in time and output, and never outliving its owner.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Captured, LookupError, Tail, Tool, Transcript};

/// Standard output is kept up to this size unless asked otherwise.
const STDOUT_LIMIT: usize = 8 << 20;
/// The end of standard error that is kept.
const STDERR_LIMIT: usize = 64 << 10;
/// Lines of a program's own output that an error carries.
const ERROR_LINES: usize = 15;
/// Between the request to end and the kill.
const GRACE: Duration = Duration::from_secs(2);
/// How long output is read after the program has ended, since a child of it may hold the pipe.
const DRAIN: Duration = Duration::from_secs(1);

/// What a program reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Input {
    /// Nothing.
    #[default]
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
    /// What the caller writes to [`Running::stdin`].
    Piped,
}

/// A program with its arguments and bounds.
#[derive(Debug, Clone)]
pub struct Invocation {
    pub(super) tool: Tool,
    pub(super) purpose: &'static str,
    pub(super) deadline: Duration,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) input: Input,
    pub(super) stdout_limit: usize,
    pub(super) stdout_piped: bool,
}

impl Invocation {
    /// A run of `tool` that must end within `deadline`. `purpose` names the run in errors: `create cluster`, `load images`.
    pub fn new(tool: Tool, purpose: &'static str, deadline: Duration) -> Self {
        Self {
            tool,
            purpose,
            deadline,
            args: Vec::new(),
            env: Vec::new(),
            input: Input::Nothing,
            stdout_limit: STDOUT_LIMIT,
            stdout_piped: false,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable for this run.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Gives it something to read.
    #[must_use]
    pub fn input(mut self, input: Input) -> Self {
        self.input = input;
        self
    }

    /// Keeps the last `bytes` of standard output instead of 8 MiB.
    #[must_use]
    pub fn stdout_limit(mut self, bytes: usize) -> Self {
        self.stdout_limit = bytes;
        self
    }

    /// Leaves standard output to the caller, see [`Running::stdout`].
    #[must_use]
    pub fn stdout_piped(mut self) -> Self {
        self.stdout_piped = true;
        self
    }
}

/// A run that did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The program is not there.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// It could not be started.
    #[error("start `{command}`")]
    Spawn {
        /// The command line.
        command: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It was ended because it took too long.
    #[error("{purpose}: `{command}` did not end within {} s and was stopped", .after.as_secs_f64())]
    Deadline {
        /// What it was for.
        purpose: &'static str,
        /// The command line.
        command: String,
        /// Its bound.
        after: Duration,
        /// The last lines it printed.
        output: String,
    },
    /// It ended with an error.
    #[error("{purpose}: `{command}` {status}")]
    Failed {
        /// What it was for.
        purpose: &'static str,
        /// The command line.
        command: String,
        /// `exited with 1`, `was killed by signal 9`.
        status: String,
        /// Exit code, if it was not killed.
        code: Option<i32>,
        /// The last lines it printed.
        output: String,
    },
}

impl ToolError {
    /// The last lines that the program printed.
    pub fn output(&self) -> Option<&str> {
        match self {
            Self::Deadline { output, .. } | Self::Failed { output, .. } => {
                Some(output).filter(|o| !o.is_empty()).map(String::as_str)
            }
            Self::Lookup(_) | Self::Spawn { .. } => None,
        }
    }

    /// The error in one line: the program's own last line where it says more than an exit code.
    pub fn cause(&self) -> String {
        match (self, self.output().and_then(|o| o.lines().last())) {
            (Self::Failed { .. }, Some(line)) => format!("{self}: {}", line.trim()),
            (Self::Spawn { source, .. }, _) => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }

    /// Whether the program itself said this.
    pub fn says(&self, needle: &str) -> bool {
        self.output().is_some_and(|o| o.to_lowercase().contains(&needle.to_lowercase()))
    }
}

/// A program that runs. Dropped, it is killed with everything it started.
#[derive(Debug)]
pub struct Running {
    child: Child,
    group: Pid,
    purpose: &'static str,
    command: String,
    began: Instant,
    bound: Duration,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    out: Reader,
    err: Reader,
    transcript: Option<Transcript>,
    over: bool,
}

/// What a reading task has gathered.
#[derive(Debug)]
struct Reader {
    tail: Arc<Mutex<Tail>>,
    task: Option<JoinHandle<()>>,
}

impl Reader {
    fn start(limit: usize, pipe: Option<impl AsyncRead + Unpin + Send + 'static>) -> Self {
        let tail = Arc::new(Mutex::new(Tail::new(limit)));
        let task = pipe.map(|mut pipe| {
            let tail = tail.clone();
            tokio::spawn(async move {
                let mut buffer = vec![0; 16 << 10];
                while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
                    tail.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..count]);
                }
            })
        });
        Self { tail, task }
    }

    async fn drain(&mut self) {
        if let Some(mut task) = self.task.take()
            && timeout(DRAIN, &mut task).await.is_err()
        {
            task.abort();
        }
    }

    fn read<T>(&self, f: impl FnOnce(&Tail) -> T) -> T {
        f(&self.tail.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Running {
    #[expect(clippy::disallowed_methods, reason = "this is the door through which programs are run")]
    pub(super) fn start(
        program: &camino::Utf8Path,
        run: Invocation,
        remove: &[&str],
        env: &[(String, String)],
        transcript: Option<Transcript>,
    ) -> Result<Self, ToolError> {
        let command = super::quote(run.tool.name(), &run.args);
        let mut builder = Command::new(program);
        builder.args(&run.args).process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        builder.stdin(if run.input == Input::Nothing { Stdio::null() } else { Stdio::piped() });
        for name in remove {
            builder.env_remove(name);
        }
        builder.envs(env.iter().cloned()).envs(run.env);
        let mut child = builder.spawn().map_err(|source| ToolError::Spawn { command: command.clone(), source })?;
        let group = Pid::from_raw(child.id().map_or(0, u32::cast_signed));
        let mut stdin = child.stdin.take();
        if let Input::Bytes(bytes) = run.input
            && let Some(mut pipe) = stdin.take()
        {
            // A program that ends without reading everything says so by its exit code.
            tokio::spawn(async move { pipe.write_all(&bytes).await.ok() });
        }
        let mut stdout = child.stdout.take();
        let read = if run.stdout_piped { None } else { stdout.take() };
        Ok(Self {
            out: Reader::start(run.stdout_limit, read),
            err: Reader::start(STDERR_LIMIT, child.stderr.take()),
            child,
            group,
            purpose: run.purpose,
            command,
            began: Instant::now(),
            bound: run.deadline,
            stdin,
            stdout,
            transcript,
            over: false,
        })
    }

    /// Where [`Input::Piped`] is written to. Dropping it ends the program's input.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// Standard output, after [`Invocation::stdout_piped`].
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.stdout.take()
    }

    /// The last lines printed so far.
    pub fn last_lines(&self, count: usize) -> String {
        let err = self.err.read(|tail| tail.lines(count));
        if err.is_empty() { self.out.read(|tail| tail.lines(count)) } else { err }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it ends with anything but 0, or not before its deadline.
    pub async fn finish(mut self) -> Result<Captured, ToolError> {
        self.stdin = None;
        let status = match timeout_at(self.began + self.bound, self.child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                self.stop().await;
                self.out.drain().await;
                self.err.drain().await;
                self.ended("deadline");
                return Err(ToolError::Deadline {
                    purpose: self.purpose,
                    command: self.command.clone(),
                    after: self.bound,
                    output: self.last_lines(ERROR_LINES),
                });
            }
        };
        self.over = true;
        self.out.drain().await;
        self.err.drain().await;
        let status = status.map_err(|source| ToolError::Spawn { command: self.command.clone(), source })?;
        let (short, long) = describe(status);
        self.ended(&short);
        if status.success() {
            return Ok(Captured { stdout: self.out.read(Tail::text), stderr: self.err.read(Tail::text) });
        }
        Err(ToolError::Failed {
            purpose: self.purpose,
            command: self.command.clone(),
            status: long,
            code: status.code(),
            output: self.last_lines(ERROR_LINES),
        })
    }

    /// Asks it to end, then kills it, with everything it started.
    pub async fn stop(&mut self) {
        if self.over {
            return;
        }
        killpg(self.group, Signal::SIGTERM).ok();
        timeout(GRACE, self.child.wait()).await.ok();
        // Children that outlive it keep the group's id taken, so this cannot hit anybody else; where none is left, it hits nobody.
        killpg(self.group, Signal::SIGKILL).ok();
        self.child.wait().await.ok();
        self.over = true;
    }

    fn ended(&self, how: &str) {
        if let Some(transcript) = &self.transcript {
            transcript.line(&self.command, self.began.elapsed(), how);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over {
            killpg(self.group, Signal::SIGKILL).ok();
            self.ended("dropped");
        }
    }
}

fn describe(status: ExitStatus) -> (String, String) {
    match (status.code(), status.signal()) {
        (Some(code), _) => (format!("exit {code}"), format!("exited with {code}")),
        (None, Some(signal)) => (format!("signal {signal}"), format!("was killed by signal {signal}")),
        (None, None) => ("ended".to_owned(), "ended in an unknown way".to_owned()),
    }
}
