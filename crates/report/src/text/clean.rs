//! Strings from a cluster, made safe to print.

use std::borrow::Cow;
use std::fmt::Write;

/// Makes a text harmless and visible: colour sequences go, line ends become `\n`, tabs become spaces, and every other
/// character that controls a terminal, cannot be in XML or reverses the reading order is shown as `\u{..}`.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c != '\n' && must_go(c)) {
        return Cow::Borrowed(text);
    }
    let stripped = console::strip_ansi_codes(text);
    let mut clean = String::with_capacity(stripped.len());
    let mut chars = stripped.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => clean.push('\n'),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' => clean.push('\n'),
            '\t' => clean.push_str("    "),
            c if must_go(c) => {
                let _ = write!(clean, "{}", c.escape_unicode());
            }
            c => clean.push(c),
        }
    }
    Cow::Owned(clean)
}

/// The same on one line: line ends and the blanks around them become one blank.
pub fn one_line(text: &str) -> String {
    clean(text).lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

fn must_go(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{2028}' | '\u{2029}')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("10.0.0.0/24 -> ü", "10.0.0.0/24 -> ü")]
    #[case::colours("\u{1b}[31mred\u{1b}[0m", "red")]
    #[case::cursor("a\u{1b}[2Kb", "ab")]
    #[case::half_sequence("a\u{1b}", "a\\u{1b}")]
    #[case::line_ends("a\r\nb\rc\n", "a\nb\nc\n")]
    #[case::tab("a\tb", "a    b")]
    #[case::null("a\0b", "a\\u{0}b")]
    #[case::not_xml("a\u{ffff}b", "a\\u{ffff}b")]
    #[case::reversed("a\u{202e}b", "a\\u{202e}b")]
    fn harmless_and_visible(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(clean(text), expected);
    }

    #[test]
    fn one_line_joins_what_is_there() {
        assert_eq!(one_line("  a\n\n\tb \r\n c"), "a b c");
        assert_eq!(one_line(""), "");
    }
}
