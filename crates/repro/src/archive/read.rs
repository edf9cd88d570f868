//! Reading what a stranger sent. Everything is counted while it is unpacked, into memory alone.

use std::collections::BTreeMap;
use std::io::{self, Read};

use camino::{Utf8Component, Utf8Path};
use serde_json::Value;

use super::{Archive, FORMAT, MANIFEST, Manifest};

/// How much an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries, folders included.
    pub entries: usize,
    /// Bytes of one file.
    pub file: u64,
    /// Bytes of all files.
    pub total: u64,
    /// How many times its packed size it may unpack to, once that is more than a megabyte.
    pub ratio: u64,
    /// Bytes of a path.
    pub path: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 2000, file: 64 << 20, total: 256 << 20, ratio: 300, path: 240 }
    }
}

/// Below this, nobody is harmed by any ratio.
const RATIO_FROM: u64 = 1 << 20;

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not a gzipped tar, or damaged.
    #[error("it cannot be unpacked: {0}")]
    Damaged(String),
    /// It ends too early.
    #[error("it was cut short: {0}")]
    Short(String),
    /// A path that leaves its folder, or is none.
    #[error("it has the path `{path}`, {why}")]
    Path {
        /// As it is there, made printable.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A link, a device or the like.
    #[error("`{path}` is {what}: an archive holds plain files alone")]
    Entry {
        /// As it is there, made printable.
        path: String,
        /// A link, a device.
        what: &'static str,
    },
    /// A bound was met.
    #[error("it holds {0}")]
    TooMuch(String),
    /// A newer version of this tool wrote it.
    #[error("it has format {found} (tool version {tool}), this version reads up to {FORMAT}: use a newer version")]
    Newer {
        /// Its format.
        found: u64,
        /// Who wrote it.
        tool: String,
    },
    /// Its list of files is missing or does not fit.
    #[error("it is no reproducer: {0}")]
    Manifest(String),
}

/// Reads an archive of `size` packed bytes.
///
/// # Errors
/// Everything that an honest archive does not have.
pub fn read(from: impl Read, size: u64, limits: Limits) -> Result<Archive, ReadError> {
    let allowed = limits.total.min(size.saturating_mul(limits.ratio).max(RATIO_FROM));
    let unpacked =
        Counted { inner: flate2::read::GzDecoder::new(from), left: allowed.saturating_add(TAR), over: false };
    let mut tar = tar::Archive::new(unpacked);
    let files = entries(&mut tar, size, limits);
    let mut rest = tar.into_inner();
    let over = rest.over;
    let files = files.map_err(|error| if over { too_large(size, limits) } else { error })?;
    // To the very end, where the checksum is.
    io::copy(&mut rest, &mut io::sink())
        .map_err(|error| if rest.over { too_large(size, limits) } else { unpack(&error) })?;
    whole(files)
}

/// What a tar adds to its files, at the most, for so many entries.
const TAR: u64 = 8 << 20;

/// Ends with an error once more was read than is allowed, whatever the headers say.
struct Counted<R> {
    inner: R,
    left: u64,
    over: bool,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => {
                self.over = true;
                return Err(io::Error::other("too much"));
            }
        }
        Ok(count)
    }
}

fn too_large(size: u64, limits: Limits) -> ReadError {
    ReadError::TooMuch(format!(
        "more than is taken: {} bytes are packed; {} times as much, and {} bytes in all, are allowed",
        size, limits.ratio, limits.total
    ))
}

fn unpack(error: &io::Error) -> ReadError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ReadError::Short("its packed data ends in the middle".to_owned()),
        _ => ReadError::Damaged(error.to_string()),
    }
}

/// Every file, by its path inside the one folder.
fn entries(
    tar: &mut tar::Archive<impl Read>,
    size: u64,
    limits: Limits,
) -> Result<BTreeMap<String, Vec<u8>>, ReadError> {
    let mut files = BTreeMap::new();
    let (mut count, mut total) = (0, 0_u64);
    let mut folder: Option<String> = None;
    for entry in tar.entries().map_err(|error| unpack(&error))? {
        let mut entry = entry.map_err(|error| unpack(&error))?;
        count += 1;
        if count > limits.entries {
            return Err(ReadError::TooMuch(format!("more than {} entries", limits.entries)));
        }
        let raw = entry.path_bytes().into_owned();
        let (top, path) = safe(&raw, limits.path)?;
        if folder.get_or_insert_with(|| top.clone()) != &top {
            return Err(ReadError::Path { path: printable(&raw), why: "outside the archive's one folder" });
        }
        let what = match entry.header().entry_type() {
            tar::EntryType::Regular => None,
            tar::EntryType::Directory => continue,
            tar::EntryType::Symlink | tar::EntryType::Link => Some("a link"),
            tar::EntryType::Char | tar::EntryType::Block => Some("a device"),
            tar::EntryType::Fifo => Some("a pipe"),
            _ => Some("something special"),
        };
        if let Some(what) = what {
            return Err(ReadError::Entry { path: printable(&raw), what });
        }
        let Some(path) = path else {
            return Err(ReadError::Path { path: printable(&raw), why: "a file where the folder should be" });
        };
        total = total.saturating_add(entry.size());
        if entry.size() > limits.file {
            return Err(ReadError::TooMuch(format!(
                "`{path}` with {} bytes; {} are allowed",
                entry.size(),
                limits.file
            )));
        }
        if total > limits.total {
            return Err(too_large(size, limits));
        }
        let mut bytes = Vec::new();
        let wanted = entry.size();
        entry.read_to_end(&mut bytes).map_err(|error| unpack(&error))?;
        if bytes.len() as u64 != wanted {
            return Err(ReadError::Short(format!("`{path}` ends after {} of {wanted} bytes", bytes.len())));
        }
        if files.insert(path.clone(), bytes).is_some() {
            return Err(ReadError::Path { path, why: "twice" });
        }
    }
    Ok(files)
}

/// The folder and the path inside it, if the path is one of plain names and nothing else.
fn safe(raw: &[u8], longest: usize) -> Result<(String, Option<String>), ReadError> {
    let refuse = |why| ReadError::Path { path: printable(raw), why };
    let text = std::str::from_utf8(raw).map_err(|_| refuse("which is not UTF-8"))?;
    if text.len() > longest {
        return Err(refuse("which is too long"));
    }
    if text.chars().any(|c| c.is_control() || c == '\\' || c == ':') {
        return Err(refuse("with a character that no path here has"));
    }
    let mut names = Vec::new();
    for part in Utf8Path::new(text).components() {
        match part {
            Utf8Component::Normal(name) => names.push(name),
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => return Err(refuse("which leaves its folder")),
            Utf8Component::RootDir | Utf8Component::Prefix(_) => return Err(refuse("which is absolute")),
        }
    }
    match names.split_first() {
        None => Err(refuse("which names nothing")),
        Some((folder, [])) => Ok(((*folder).to_owned(), None)),
        Some((folder, rest)) => Ok(((*folder).to_owned(), Some(rest.join("/")))),
    }
}

fn printable(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw).chars().take(120).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The archive, if all that its list names is there.
fn whole(mut files: BTreeMap<String, Vec<u8>>) -> Result<Archive, ReadError> {
    let text =
        files.remove(MANIFEST).ok_or_else(|| ReadError::Manifest(format!("there is no {MANIFEST} in its folder")))?;
    let value: Value = serde_json::from_slice(&text)
        .map_err(|error| ReadError::Manifest(format!("{MANIFEST} is not JSON: {error}")))?;
    // Before anything else of it is read: a newer format may have anything there.
    match value["format"].as_u64() {
        Some(format) if format <= u64::from(FORMAT) => {}
        Some(found) => {
            let tool =
                value["tool"].as_str().unwrap_or("unknown").chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(ReadError::Newer { found, tool });
        }
        None => return Err(ReadError::Manifest(format!("{MANIFEST} names no format"))),
    }
    let manifest: Manifest = serde_json::from_value(value)
        .map_err(|error| ReadError::Manifest(format!("{MANIFEST} is not as this version writes it: {error}")))?;
    // Both are printed, and are parts of file names.
    let plain = |text: &str| {
        !text.is_empty() && text.len() <= 80 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-.+".contains(c))
    };
    if !plain(&manifest.scenario) || !plain(&manifest.cilium) || !plain(&manifest.tool) {
        return Err(ReadError::Manifest(format!("{MANIFEST} has a name that is none")));
    }
    for (path, size) in &manifest.files {
        match files.get(path) {
            None => return Err(ReadError::Short(format!("`{path}` is missing"))),
            Some(bytes) if bytes.len() as u64 != *size => {
                return Err(ReadError::Short(format!("`{path}` has {} of {size} bytes", bytes.len())));
            }
            Some(_) => {}
        }
    }
    if let Some(extra) = files.keys().find(|path| !manifest.files.contains_key(*path)) {
        return Err(ReadError::Manifest(format!("`{extra}` is not in its list of files")));
    }
    Ok(Archive { manifest, files })
}
