use std::io::Write as _;

use rstest::rstest;

use super::*;

fn manifest(files: &BTreeMap<String, Vec<u8>>) -> Manifest {
    Manifest {
        format: FORMAT,
        tool: "0.1.0".to_owned(),
        scenario: "a-case".to_owned(),
        cilium: "1.18.4".to_owned(),
        created: jiff::Timestamp::UNIX_EPOCH,
        files: files.iter().map(|(path, bytes)| (path.clone(), bytes.len() as u64)).collect(),
    }
}

fn archive(files: &[(&str, &[u8])]) -> Archive {
    let files: BTreeMap<_, _> = files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
    Archive { manifest: manifest(&files), files }
}

fn pack(archive: &Archive) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(archive, &mut bytes).unwrap();
    bytes
}

fn unpack(bytes: &[u8]) -> Result<Archive, ReadError> {
    read(bytes, bytes.len() as u64, Limits::default())
}

/// A tar with what [`write`] would never write: paths and types as given, whatever they are.
fn odd(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (path, kind, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        if matches!(kind, tar::EntryType::Symlink | tar::EntryType::Link) {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(bytes);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    gzip(&tar)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[test]
fn what_is_written_is_read_and_is_the_same_each_time() {
    let it = archive(&[(SCRIPT, b"#!/bin/bash\n"), ("observed/logs/a.log", b"x"), (SCENARIO, b"")]);
    let bytes = pack(&it);
    assert_eq!(unpack(&bytes).unwrap(), it);
    assert_eq!(bytes, pack(&it));
}

#[test]
fn a_path_longer_than_a_tar_header_survives() {
    let long = format!("observed/{}/x.log", "a".repeat(150));
    let it = archive(&[(&long, b"x")]);
    assert_eq!(unpack(&pack(&it)).unwrap(), it);
}

#[rstest]
#[case::parent("a/../../etc/passwd", "leaves its folder")]
#[case::parent_alone("../x", "leaves its folder")]
#[case::absolute("/etc/passwd", "absolute")]
#[case::backslash("a\\..\\x", "a character that no path here has")]
#[case::newline("a/x\ny", "a character that no path here has")]
#[case::drive("C:/x", "a character that no path here has")]
#[case::no_folder("manifest.json", "a file where the folder should be")]
fn paths(#[case] path: &str, #[case] expected: &str) {
    let error = unpack(&odd(&[(path, tar::EntryType::Regular, b"x")])).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[rstest]
#[case::symlink(tar::EntryType::Symlink, "a link")]
#[case::hard_link(tar::EntryType::Link, "a link")]
#[case::device(tar::EntryType::Char, "a device")]
#[case::pipe(tar::EntryType::Fifo, "a pipe")]
#[case::sparse(tar::EntryType::GNUSparse, "")]
fn entries(#[case] kind: tar::EntryType, #[case] expected: &str) {
    let error = unpack(&odd(&[("a/x", kind, b"")])).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn one_folder_and_each_file_once() {
    let two = odd(&[("a/x", tar::EntryType::Regular, b""), ("b/x", tar::EntryType::Regular, b"")]);
    assert!(unpack(&two).unwrap_err().to_string().contains("outside the archive's one folder"));
    let twice = odd(&[("a/x", tar::EntryType::Regular, b""), ("a/./x", tar::EntryType::Regular, b"y")]);
    assert!(unpack(&twice).unwrap_err().to_string().contains("twice"));
}

#[test]
fn cut_short_anywhere_is_an_error() {
    let noise: Vec<u8> = (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let bytes = pack(&archive(&[(SCRIPT, b"#!/bin/bash\n"), ("observed/noise", &noise)]));
    for length in (0..bytes.len()).step_by(97).chain([bytes.len() - 1, bytes.len() - 8]) {
        let error = unpack(&bytes[..length]).unwrap_err().to_string();
        assert!(error.contains("cut short") || error.contains("cannot be unpacked"), "{length}: {error}");
    }
}

#[test]
fn a_tar_that_was_cut_before_it_was_packed_misses_files() {
    let it = archive(&[("a", b"1"), ("b", b"2")]);
    let mut less = it.clone();
    less.files.remove("b");
    assert!(unpack(&pack(&less)).unwrap_err().to_string().contains("cut short: `b` is missing"));
    let mut more = it.clone();
    more.files.insert("c".to_owned(), Vec::new());
    assert!(unpack(&pack(&more)).unwrap_err().to_string().contains("`c` is not in its list"));
}

#[test]
fn a_byte_that_fell_over_is_noticed() {
    let mut bytes = pack(&archive(&[("a", &[7; 4000])]));
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    assert!(unpack(&bytes).is_err());
}

#[test]
fn a_newer_format_names_both_versions() {
    let mut it = archive(&[("a", b"1")]);
    it.manifest.format = FORMAT + 1;
    it.manifest.tool = "9.0.0".to_owned();
    let error = unpack(&pack(&it)).unwrap_err().to_string();
    assert_eq!(error, "it has format 2 (tool version 9.0.0), this version reads up to 1: use a newer version");
}

#[test]
fn a_thousand_times_its_size_is_refused_without_being_unpacked() {
    let zeros = vec![0; 32 << 20];
    let bomb = odd(&[("a/x", tar::EntryType::Regular, &zeros)]);
    assert!(zeros.len() / bomb.len() > 900, "{}", bomb.len());
    let error = unpack(&bomb).unwrap_err().to_string();
    assert!(error.contains("300 times as much"), "{error}");
}

#[test]
fn a_bomb_behind_the_end_of_the_tar_is_refused_as_well() {
    let it = archive(&[("a", b"1")]);
    let mut tar = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&pack(&it)[..]), &mut tar).unwrap();
    tar.resize(tar.len() + (64 << 20), 0);
    assert!(unpack(&gzip(&tar)).unwrap_err().to_string().contains("more than is taken"));
}

#[rstest]
#[case::entries(Limits { entries: 2, ..Limits::default() }, "more than 2 entries")]
#[case::file(Limits { file: 3, ..Limits::default() }, "3 are allowed")]
#[case::total(Limits { total: 10, ..Limits::default() }, "10 bytes in all")]
#[case::path(Limits { path: 10, ..Limits::default() }, "too long")]
fn bounds(#[case] limits: Limits, #[case] expected: &str) {
    let bytes = pack(&archive(&[("a", b"1234"), ("b", b"5678"), ("c", b"9")]));
    let error = read(&bytes[..], bytes.len() as u64, limits).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[rstest]
#[case::nothing(b"" as &[u8])]
#[case::text(b"hello, this is not an archive at all")]
#[case::gzip_of_nothing(&[0x1f, 0x8b])]
fn no_archive(#[case] bytes: &[u8]) {
    assert!(unpack(bytes).is_err());
}

#[test]
fn an_empty_tar_is_no_reproducer() {
    let error = unpack(&gzip(&[0; 1024])).unwrap_err().to_string();
    assert!(error.contains("no manifest.json"), "{error}");
}
