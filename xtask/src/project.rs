//! Where things are: the project's folder, the scenarios, the runs' folders.

use camino::Utf8PathBuf;

/// The project's folder. Cargo tells it; a binary that is moved elsewhere takes the current folder.
pub(crate) fn root() -> Utf8PathBuf {
    let manifest = std::env::var("CARGO_MANIFEST_DIR").ok().map(Utf8PathBuf::from);
    manifest.and_then(|dir| dir.parent().map(ToOwned::to_owned)).unwrap_or_else(|| Utf8PathBuf::from("."))
}

/// The same, as short as it can be written from here.
pub(crate) fn short_root() -> Utf8PathBuf {
    let root = root();
    let here = std::env::current_dir().ok().and_then(|dir| Utf8PathBuf::from_path_buf(dir).ok());
    if root == "." || here.as_ref() == Some(&root) { Utf8PathBuf::new() } else { root }
}

/// Everything that runs write: `target/e2e`.
pub(crate) fn state_dir() -> Utf8PathBuf {
    let target = std::env::var("CARGO_TARGET_DIR").ok().map(Utf8PathBuf::from);
    target.unwrap_or_else(|| root().join("target")).join("e2e")
}

/// A new run's id: short, since it is part of cluster, container and host names; it sorts by time.
pub(crate) fn run_id() -> String {
    let mut number = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0);
    let mut text = Vec::new();
    while number > 0 {
        text.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize]);
        number /= 36;
    }
    text.reverse();
    String::from_utf8(text).unwrap_or_default()
}
