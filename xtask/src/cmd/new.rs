//! `new`: a scenario file to fill in.

use anyhow::{Context, Result};
use events::exit;
use repro::{Issue, skeleton};

use crate::cli::New;
use crate::outcome::BadInput;
use crate::project;

pub(crate) fn run(args: &New) -> Result<u8> {
    let issue = Issue::parse(&args.from_issue).map_err(BadInput)?;
    let name = args.name.clone().unwrap_or_else(|| format!("issue-{}", issue.number));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 63 || !name.chars().all(plain) || name.starts_with('-') || name.ends_with('-') {
        return Err(BadInput(format!("--name {name}: write small letters, digits and -, such as pool-ignored")).into());
    }
    let dir = project::short_root().join("scenarios/regressions");
    let path = dir.join(format!("{name}.yaml"));
    fs_err::create_dir_all(&dir).with_context(|| format!("create folder {dir}"))?;
    let text = skeleton(&name, &issue, "../schema.json");
    // Never over what somebody has filled in.
    let written = fs_err::OpenOptions::new().write(true).create_new(true).open(&path).and_then(|mut file| {
        use std::io::Write as _;
        file.write_all(text.as_bytes())
    });
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(BadInput(format!("{path} is there already: give the new one another name with --name")).into());
        }
        Err(error) => return Err(error).with_context(|| format!("write {path}")),
    }
    say!("{path}: fill in what its comments ask for, then");
    say!("  cargo xtask lint {name}");
    say!("  cargo xtask e2e {name} --cilium VERSION");
    Ok(exit::PASSED)
}
