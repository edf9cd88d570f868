//! `commands.log`: every program that was run for a cluster, with its duration and how it ended.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

/// Appends a line for each program that has ended. Arguments hold no secrets (those go through files and standard input);
/// user and password in a URL are blanked all the same.
#[derive(Debug, Clone)]
pub struct Transcript {
    path: Utf8PathBuf,
}

impl Transcript {
    /// A transcript in this folder.
    pub fn new(dir: &Utf8Path) -> Self {
        Self { path: dir.join("commands.log") }
    }

    /// Writes a line. A transcript that cannot be written stops nothing: the folder may be gone after removal.
    pub(super) fn line(&self, command: &str, took: Duration, end: &str) {
        let line = format!("{:.0} {:>8.3}s  {end:<10} {command}\n", jiff::Timestamp::now(), took.as_secs_f64());
        let file = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path);
        if let Ok(mut file) = file {
            file.write_all(line.as_bytes()).ok();
        }
    }
}

/// A command line that a POSIX shell reads back as the same words.
pub fn quote<S: AsRef<str>>(program: &str, args: &[S]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%^".contains(c);
    std::iter::once(program)
        .chain(args.iter().map(AsRef::as_ref))
        .map(|word| {
            let word = blank_credentials(word);
            if !word.is_empty() && word.chars().all(plain) {
                word
            } else {
                format!("'{}'", word.replace('\'', r"'\''"))
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// `scheme://user:password@host` becomes `scheme://***@host`.
fn blank_credentials(word: &str) -> String {
    let Some(start) = word.find("://").map(|at| at + 3) else { return word.to_owned() };
    let end = word[start..].find('/').map_or(word.len(), |at| start + at);
    match word[start..end].rfind('@') {
        Some(at) => format!("{}***{}", &word[..start], &word[start + at..]),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&["ps", "-a", "--filter", "label=a=b"], "docker ps -a --filter label=a=b")]
    #[case(&["exec", "n", "sh", "-c", "a && b"], "docker exec n sh -c 'a && b'")]
    #[case(&["it's", ""], r"docker 'it'\''s' ''")]
    #[case(&["http://u:p@proxy:1/x@y"], "docker 'http://***@proxy:1/x@y'")]
    #[case(&["https://host/a@b"], "docker https://host/a@b")]
    fn command_lines(#[case] args: &[&str], #[case] expected: &str) {
        assert_eq!(quote("docker", args), expected);
    }

    #[test]
    fn lines_are_appended_and_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let log = Transcript::new(dir);
        log.line("docker ps", Duration::from_millis(1500), "exit 0");
        log.line("kind version", Duration::ZERO, "exit 1");
        let file = dir.join("commands.log");
        let text = fs_err::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].contains("1.500s  exit 0     docker ps"), "{text}");
        assert_eq!(fs_err::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
