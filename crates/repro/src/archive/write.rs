//! Writing.

use std::io::{self, Write};

use super::{Archive, MANIFEST};

/// Writes an archive. The same archive gives the same bytes: no time, no owner and no mode of this machine is in it.
///
/// # Errors
/// What the writer says.
pub fn write(archive: &Archive, to: impl Write) -> io::Result<()> {
    let manifest = &archive.manifest;
    let folder = format!("{}-{}", manifest.scenario, manifest.cilium);
    let packed = flate2::GzBuilder::new().mtime(0).write(to, flate2::Compression::default());
    let mut tar = tar::Builder::new(packed);
    let seconds = u64::try_from(manifest.created.as_second()).unwrap_or_default();
    let mut add = |path: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mtime(seconds);
        header.set_mode(if path.ends_with(".sh") { 0o755 } else { 0o644 });
        tar.append_data(&mut header, format!("{folder}/{path}"), bytes)
    };
    let text = serde_json::to_vec_pretty(manifest)?;
    // First, so that a reader knows what is to come.
    add(MANIFEST, &text)?;
    for (path, bytes) in &archive.files {
        add(path, bytes)?;
    }
    tar.into_inner()?.finish()?.flush()
}
