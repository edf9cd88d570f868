//! The folder of entries: written durably, one file each, with a lock between processes.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use tokio::time::{Instant, sleep};

use super::Entry;

/// The ledger could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{operation} ledger {path}: {cause}")]
pub struct LedgerError {
    /// `write`, `read`, `lock`.
    pub operation: &'static str,
    /// File or folder.
    pub path: Utf8PathBuf,
    /// Why.
    pub cause: String,
}

/// The ledger in a folder.
#[derive(Debug, Clone)]
pub struct Ledger {
    dir: Utf8PathBuf,
}

/// Held while others must wait. Freed on drop, also by a kill.
#[derive(Debug)]
pub struct LedgerLock(#[expect(dead_code, reason = "held for its drop")] Flock<std::fs::File>);

impl Ledger {
    /// The ledger in this folder, which is made (mode 0700) when it is first written.
    pub fn new(dir: &Utf8Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Its folder as an absolute path, as far as that can be said.
    pub fn absolute(&self) -> Utf8PathBuf {
        self.dir.canonicalize_utf8().or_else(|_| camino::absolute_utf8(&self.dir)).unwrap_or_else(|_| self.dir.clone())
    }

    /// Where an entry is, or would be.
    pub fn path(&self, name: &str) -> Utf8PathBuf {
        self.dir.join(format!("{name}.json"))
    }

    /// Writes an entry. When this returns, it is on disk.
    ///
    /// # Errors
    /// When it is not.
    pub fn write(&self, entry: &Entry) -> Result<(), LedgerError> {
        let path = self.path(&entry.name);
        let act = || -> std::io::Result<()> {
            self.make_dir()?;
            let temporary = self.dir.join(format!(".{}.{}.tmp", entry.name, entry.owner.pid));
            let mut file =
                std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&temporary)?;
            serde_json::to_writer_pretty(&mut file, entry)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs_err::rename(&temporary, &path)?;
            // The name is durable only with the folder.
            fs_err::File::open(&self.dir)?.sync_all()
        };
        act().map_err(|error| LedgerError { operation: "write", path: path.clone(), cause: error.to_string() })
    }

    /// Removes an entry; one that is not there is no error.
    ///
    /// # Errors
    /// When it stays.
    pub fn remove(&self, name: &str) -> Result<(), LedgerError> {
        let path = self.path(name);
        match fs_err::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(LedgerError { operation: "remove entry from", path, cause: error.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(&self, name: &str) -> Result<Option<Entry>, LedgerError> {
        let path = self.path(name);
        match fs_err::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LedgerError { operation: "read", path, cause: error.to_string() }),
            Ok(text) => serde_json::from_str(&text).map(Some).map_err(|error| LedgerError {
                operation: "read",
                path,
                cause: error.to_string(),
            }),
        }
    }

    /// All entries by name, and what could not be read: a file that is not understood hides no other.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn list(&self) -> Result<(Vec<Entry>, Vec<LedgerError>), LedgerError> {
        let items = match self.dir.read_dir_utf8() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
            Err(error) => {
                return Err(LedgerError { operation: "read", path: self.dir.clone(), cause: error.to_string() });
            }
            Ok(items) => items,
        };
        let mut names: Vec<String> = items
            .filter_map(Result::ok)
            .filter_map(|item| item.file_name().strip_suffix(".json").map(str::to_owned))
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        let (mut entries, mut errors) = (Vec::new(), Vec::new());
        for name in names {
            match self.read(&name) {
                Ok(entry) => entries.extend(entry),
                Err(error) => errors.push(error),
            }
        }
        Ok((entries, errors))
    }

    /// Waits until no other process holds the ledger, for at most `deadline`.
    ///
    /// # Errors
    /// When it is still held then, or cannot be locked.
    pub async fn lock(&self, deadline: Duration) -> Result<LedgerLock, LedgerError> {
        let path = self.dir.join("lock");
        let fail = |cause: String| LedgerError { operation: "lock", path: path.clone(), cause };
        self.make_dir().map_err(|error| fail(error.to_string()))?;
        let end = Instant::now() + deadline;
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| fail(error.to_string()))?;
        // flock has no deadline of its own, and a thread that waits in it could not be given up.
        loop {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(LedgerLock(lock)),
                Err((file, Errno::EWOULDBLOCK)) if Instant::now() < end => file,
                Err((_, Errno::EWOULDBLOCK)) => {
                    return Err(fail(format!("another run has held it for {} s", deadline.as_secs())));
                }
                Err((_, errno)) => return Err(fail(errno.to_string())),
            };
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn make_dir(&self) -> std::io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Owner, Target};

    fn entry(name: &str) -> Entry {
        Entry {
            format: Entry::FORMAT,
            name: name.to_owned(),
            run: "r".to_owned(),
            scenario: "fresh".to_owned(),
            owner: Owner::current(),
            created: jiff::Timestamp::UNIX_EPOCH,
            dir: "target/e2e/r/fresh".into(),
            kept: None,
            target: Target::Kind { nodes: vec![format!("{name}-control-plane")], network: name.to_owned() },
        }
    }

    #[test]
    fn entries_come_back_sorted_private_and_past_a_broken_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(&Utf8Path::from_path(dir.path()).unwrap().join("a/ledger"));
        assert!(ledger.list().unwrap().0.is_empty());
        ledger.write(&entry("ipam-e2e-r-2")).unwrap();
        ledger.write(&entry("ipam-e2e-r-1")).unwrap();
        fs_err::write(ledger.path("ipam-e2e-r-0"), "{").unwrap();
        let (entries, errors) = ledger.list().unwrap();
        assert_eq!(entries, [entry("ipam-e2e-r-1"), entry("ipam-e2e-r-2")]);
        assert_eq!(errors.len(), 1);
        assert!(errors[0].to_string().contains("ipam-e2e-r-0.json"), "{}", errors[0]);
        let mode = |path: &Utf8Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&ledger.dir), mode(&ledger.path("ipam-e2e-r-1"))), (0o700, 0o600));
        ledger.remove("ipam-e2e-r-1").unwrap();
        ledger.remove("ipam-e2e-r-1").unwrap();
        assert_eq!(ledger.read("ipam-e2e-r-1").unwrap(), None);
    }

    #[tokio::test]
    async fn the_lock_excludes_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(Utf8Path::from_path(dir.path()).unwrap());
        let lock = ledger.lock(Duration::from_secs(1)).await.unwrap();
        let error = ledger.lock(Duration::ZERO).await.unwrap_err();
        assert!(error.cause.contains("another run has held it"), "{error}");
        drop(lock);
        ledger.lock(Duration::from_secs(1)).await.unwrap();
    }
}
