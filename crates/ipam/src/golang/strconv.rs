//! Go's `strconv` and `spf13/cast`, as far as the operator's flags go through them.

use std::fmt::Write as _;

/// `strconv.Quote`.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            ' ' => out.push(' '),
            c if c.is_control() || c.is_whitespace() => {
                let code = u32::from(c);
                // Writing to a String cannot fail.
                let _ = match code {
                    0..0x20 | 0x7f => write!(out, "\\x{code:02x}"),
                    0x80..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn syntax(function: &str, text: &str) -> String {
    format!("strconv.{function}: parsing {}: invalid syntax", quote(text))
}

/// `strconv.ParseInt(text, 0, 64)`: base by prefix, a leading zero means octal, underscores may stand between digits.
pub(crate) fn parse_int(text: &str) -> Result<i64, String> {
    let error = || syntax("ParseInt", text);
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, body) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    let underscores = body.contains('_');
    if underscores && (radix == 10 && !underscores_are_between_digits(body) || radix != 10 && !after_prefix(body)) {
        return Err(error());
    }
    let plain: String = body.chars().filter(|c| *c != '_').collect();
    if plain.is_empty() || !plain.chars().all(|c| c.is_digit(radix)) {
        return Err(error());
    }
    let range = || format!("strconv.ParseInt: parsing {}: value out of range", quote(text));
    let magnitude = i128::from_str_radix(&plain, radix).map_err(|_| range())?;
    i64::try_from(if negative { -magnitude } else { magnitude }).map_err(|_| range())
}

fn underscores_are_between_digits(body: &str) -> bool {
    !body.starts_with('_') && !body.ends_with('_') && !body.contains("__")
}

/// After a base prefix an underscore may come first.
fn after_prefix(body: &str) -> bool {
    underscores_are_between_digits(body.strip_prefix('_').unwrap_or(body))
}

/// `cast.ToIntE` for a string: empty is 0, and a decimal part is cut off.
pub(crate) fn to_int(text: &str) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    parse_int(&trim_decimal(text)).map_err(|e| format!("unable to cast {} of type string to int: {e}", quote(text)))
}

/// `cast.trimDecimal`: `24.5` is 24, `-.0` is -0, anything that is not a plain decimal stays.
fn trim_decimal(text: &str) -> String {
    let Some((whole, decimals)) = text.split_once('.') else { return text.to_owned() };
    let digits = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    if !digits.bytes().all(|b| b.is_ascii_digit()) || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return text.to_owned();
    }
    match whole {
        "" | "+" | "-" => format!("{whole}0"),
        whole => whole.to_owned(),
    }
}

/// `strconv.ParseBool`.
pub(crate) fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(syntax("ParseBool", text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("24", Ok(24))]
    #[case("024", Ok(20))]
    #[case("0x18", Ok(24))]
    #[case("0b11", Ok(3))]
    #[case("0o17", Ok(15))]
    #[case("-1", Ok(-1))]
    #[case("+7", Ok(7))]
    #[case("0", Ok(0))]
    #[case("", Ok(0))]
    #[case("24.0", Ok(24))]
    #[case("24.9", Ok(24))]
    #[case(".5", Ok(0))]
    #[case("0_1", Ok(1))]
    #[case("0x_1f", Ok(31))]
    #[case(
        "abc",
        Err("unable to cast \"abc\" of type string to int: strconv.ParseInt: parsing \"abc\": invalid syntax")
    )]
    #[case("08", Err("unable to cast \"08\" of type string to int: strconv.ParseInt: parsing \"08\": invalid syntax"))]
    #[case(
        "24 ",
        Err("unable to cast \"24 \" of type string to int: strconv.ParseInt: parsing \"24 \": invalid syntax")
    )]
    #[case("1_0", Ok(10))]
    #[case("_1", Err("unable to cast \"_1\" of type string to int: strconv.ParseInt: parsing \"_1\": invalid syntax"))]
    #[case(
        "--1",
        Err("unable to cast \"--1\" of type string to int: strconv.ParseInt: parsing \"--1\": invalid syntax")
    )]
    #[case(
        "99999999999999999999",
        Err(
            "unable to cast \"99999999999999999999\" of type string to int: strconv.ParseInt: parsing \"99999999999999999999\": value out of range"
        )
    )]
    fn casts_integers(#[case] text: &str, #[case] expected: Result<i64, &str>) {
        assert_eq!(to_int(text), expected.map_err(str::to_owned));
    }

    #[rstest]
    #[case("a\"b\\", r#""a\"b\\""#)]
    #[case("a\tb\u{1}", r#""a\tb\x01""#)]
    #[case("a\u{a0}é", r#""a\u00a0é""#)]
    fn quotes(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(quote(text), expected);
    }
}
