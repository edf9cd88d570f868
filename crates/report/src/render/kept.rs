//! What stays after a scenario.

use events::Kept;

use crate::text::{Line, Role};

/// How to reach what stays, and how to remove it.
pub fn kept(kept: &Kept) -> Vec<Line> {
    let what = Line::plain("  ")
        .with(Role::Warn, "kept")
        .column(12)
        .with(Role::Strong, &kept.cluster)
        .with(Role::Plain, &format!(", {}", kept.reason));
    let command =
        |label: &str, command: &str| Line::plain("  ").with(Role::Faint, label).column(12).with(Role::Command, command);
    let mut lines = vec![what];
    if let Some(kubeconfig) = &kept.kubeconfig {
        lines.push(command("use", &format!("export KUBECONFIG={}", quoted(kubeconfig))));
    }
    lines.push(command("remove", &kept.remove));
    lines
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !path.is_empty() && path.chars().all(harmless) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("target/e2e/r1/kubeconfig", "target/e2e/r1/kubeconfig")]
    #[case::blank("my runs/kubeconfig", "'my runs/kubeconfig'")]
    #[case::quote("it's", r"'it'\''s'")]
    #[case::command("$(reboot)", "'$(reboot)'")]
    #[case::empty("", "''")]
    fn a_path_can_be_pasted(#[case] path: &str, #[case] expected: &str) {
        assert_eq!(quoted(path), expected);
    }
}
