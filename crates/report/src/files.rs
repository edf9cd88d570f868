//! Files that hold what a cluster said: readable by their owner alone.

use std::io::{self, Write};

use camino::Utf8Path;

/// Writes a whole file, or leaves the old one as it was: through a temporary file in the same folder (mode 0600) and a rename.
/// Makes the folder where it is missing.
pub(crate) fn replace(path: &Utf8Path, content: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    fs_err::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.persist(path).map_err(|error| io::Error::new(error.error.kind(), format!("{path}: {}", error.error)))?;
    Ok(())
}

/// The folder a file is in; `.` for a bare name.
pub(crate) fn folder_of(path: &Utf8Path) -> &Utf8Path {
    match path.parent() {
        Some(parent) if parent != "" => parent,
        _ => Utf8Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_belongs_to_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("new/summary.md");
        replace(&path, b"a long first text").unwrap();
        replace(&path, b"short").unwrap();
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "short");
        assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let names: Vec<_> = fs_err::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(names.len(), 1, "no temporary file stays");
    }
}
