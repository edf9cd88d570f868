//! Text for a shell. What comes from a scenario is data, whatever is in it: it can end no quote, no comment and no document.

use std::fmt::Write as _;

/// As one word.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// In one line, without what a terminal would obey.
pub(super) fn flat(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// As a comment.
pub(super) fn comment(text: &str) -> String {
    let mut comment = String::new();
    for line in text.lines() {
        let _ = writeln!(comment, "{}", format!("# {}", flat(line)).trim_end());
    }
    comment
}

/// As a document for a command's standard input. JSON has no line breaks inside its texts, so no line of it is the mark.
pub(super) fn document(mark: &str, json: &str) -> String {
    debug_assert!(json.lines().all(|line| line != mark));
    format!("<<'{mark}'\n{}\n{mark}\n", json.trim_end())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("worker2", "worker2")]
    #[case("", "''")]
    #[case("a b", "'a b'")]
    #[case("it's", "'it'\\''s'")]
    #[case("$(reboot)", "'$(reboot)'")]
    #[case("a\nb", "'a\nb'")]
    fn words(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(word(text), expected);
    }

    #[test]
    fn a_comment_stays_one() {
        assert_eq!(comment("a\nreboot\r\x1b[2J"), "# a\n# reboot  [2J\n");
    }
}
