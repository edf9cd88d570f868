//! `net.ParseCIDR` and `netip.ParsePrefix`, with Go's error texts.

use super::net::Net;
use super::strconv::quote;

/// Why an address was refused: `netip.parseAddrError`.
struct AddrError<'a> {
    message: &'static str,
    at: &'a str,
}

/// An address as `netip.ParseAddr` reads it.
enum Addr<'a> {
    V4(u32),
    V6(u128, &'a str),
}

fn fail<T>(message: &'static str) -> Result<T, AddrError<'static>> {
    Err(AddrError { message, at: "" })
}

fn parse_addr(text: &str) -> Result<Addr<'_>, AddrError<'_>> {
    match text.bytes().find(|b| matches!(b, b'.' | b':' | b'%')) {
        Some(b'.') => parse_v4(text).map(Addr::V4),
        Some(b':') => parse_v6(text),
        Some(_) => fail("missing IPv6 address"),
        None => fail("unable to parse IP"),
    }
}

fn parse_v4(text: &str) -> Result<u32, AddrError<'_>> {
    let bytes = text.as_bytes();
    let (mut fields, mut value, mut digits, mut position) = ([0_u8; 4], 0_u32, 0, 0);
    for (i, byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                if digits == 1 && value == 0 {
                    return fail("IPv4 field has octet with leading zero");
                }
                value = value * 10 + u32::from(byte - b'0');
                digits += 1;
                if value > 255 {
                    return fail("IPv4 field has value >255");
                }
            }
            b'.' => {
                if i == 0 || i == bytes.len() - 1 || bytes[i - 1] == b'.' {
                    return Err(AddrError { message: "IPv4 field must have at least one digit", at: &text[i..] });
                }
                if position == 3 {
                    return fail("IPv4 address too long");
                }
                fields[position] = u8::try_from(value).unwrap_or(u8::MAX);
                position += 1;
                (value, digits) = (0, 0);
            }
            _ => return Err(AddrError { message: "unexpected character", at: tail(text, i) }),
        }
    }
    if position < 3 {
        return fail("IPv4 address too short");
    }
    fields[3] = u8::try_from(value).unwrap_or(u8::MAX);
    Ok(u32::from_be_bytes(fields))
}

/// The rest of a text from a byte that may lie inside a character.
fn tail(text: &str, from: usize) -> &str {
    (from..text.len()).find_map(|i| text.get(i..)).unwrap_or("")
}

fn parse_v6(text: &str) -> Result<Addr<'_>, AddrError<'_>> {
    let (mut rest, zone) = match text.split_once('%') {
        Some((_, "")) => return fail("zone must be a non-empty string"),
        Some((rest, zone)) => (rest, zone),
        None => (text, ""),
    };
    let mut bytes = [0_u8; 16];
    let mut ellipsis = None;
    if let Some(after) = rest.strip_prefix("::") {
        ellipsis = Some(0);
        rest = after;
        if rest.is_empty() {
            return Ok(Addr::V6(0, zone));
        }
    }
    let mut i = 0;
    while i < 16 {
        let (mut offset, mut group) = (0, 0_u32);
        for byte in rest.bytes() {
            let Some(digit) = char::from(byte).to_digit(16) else { break };
            group = (group << 4) + digit;
            if offset > 3 {
                return Err(AddrError { message: "each group must have 4 or less digits", at: rest });
            }
            offset += 1;
        }
        if offset == 0 {
            return Err(AddrError { message: "each colon-separated field must have at least one digit", at: rest });
        }
        if rest.as_bytes().get(offset) == Some(&b'.') {
            if ellipsis.is_none() && i != 12 {
                let message = "embedded IPv4 address must replace the final 2 fields of the address";
                return Err(AddrError { message, at: rest });
            }
            if i + 4 > 16 {
                let message = "too many hex fields to fit an embedded IPv4 at the end of the address";
                return Err(AddrError { message, at: rest });
            }
            let v4 = parse_v4(rest)?;
            bytes[i..i + 4].copy_from_slice(&v4.to_be_bytes());
            rest = "";
            i += 4;
            break;
        }
        bytes[i..i + 2].copy_from_slice(&u16::try_from(group).unwrap_or(u16::MAX).to_be_bytes());
        i += 2;
        rest = &rest[offset..];
        if rest.is_empty() {
            break;
        }
        let Some(after) = rest.strip_prefix(':') else {
            return Err(AddrError { message: "unexpected character, want colon", at: rest });
        };
        if after.is_empty() {
            return Err(AddrError { message: "colon must be followed by more characters", at: rest });
        }
        rest = after;
        if let Some(after) = rest.strip_prefix(':') {
            if ellipsis.is_some() {
                return Err(AddrError { message: "multiple :: in address", at: rest });
            }
            ellipsis = Some(i);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
    }
    if !rest.is_empty() {
        return Err(AddrError { message: "trailing garbage after address", at: rest });
    }
    match ellipsis {
        None if i < 16 => return fail("address string too short"),
        Some(_) if i >= 16 => return fail("the :: must expand to at least one field of zeros"),
        Some(start) => {
            bytes.copy_within(start..i, start + 16 - i);
            bytes[start..start + 16 - i].fill(0);
        }
        None => {}
    }
    Ok(Addr::V6(u128::from_be_bytes(bytes), zone))
}

/// `net.ParseCIDR`: the net without host bits, and whether the address as written is an IPv4 one (a mapped one is, even if
/// its net no longer looks like it).
pub(crate) fn parse_cidr(text: &str) -> Result<(Net, bool), String> {
    let error = || format!("invalid CIDR address: {text}");
    let (addr, len) = text.split_once('/').ok_or_else(error)?;
    let (addr, wide) = match parse_addr(addr) {
        Ok(Addr::V4(addr)) => (u128::from(addr), false),
        Ok(Addr::V6(addr, "")) => (addr, true),
        _ => return Err(error()),
    };
    // Go's dtoi: digits only, leading zeros are fine.
    if len.is_empty() || !len.bytes().all(|b| b.is_ascii_digit()) {
        return Err(error());
    }
    let max = if wide { 128 } else { 32 };
    let digits = len.trim_start_matches('0');
    let len: u8 = if digits.is_empty() { 0 } else { digits.parse().map_err(|_| error())? };
    if len > max {
        return Err(error());
    }
    let net = if wide { Net::wide(addr, len) } else { Net::narrow(u32::try_from(addr).unwrap_or(0), len) };
    Ok((net.masked(), net.to4().is_some()))
}

/// `netip.ParsePrefix`: as written, host bits included.
pub(crate) fn parse_prefix(text: &str) -> Result<Net, String> {
    let error = |message: &str| format!("netip.ParsePrefix({}): {message}", quote(text));
    let Some((addr, len)) = text.rsplit_once('/') else { return Err(error("no '/'")) };
    let parsed = parse_addr(addr).map_err(|e| {
        let at = if e.at.is_empty() { String::new() } else { format!(" (at {})", quote(e.at)) };
        error(&format!("ParseAddr({}): {}{at}", quote(addr), e.message))
    })?;
    if let Addr::V6(_, zone) = parsed
        && !zone.is_empty()
    {
        return Err(error("IPv6 zones cannot be present in a prefix"));
    }
    let bad = || error(&format!("bad bits after slash: {}", quote(len)));
    if len.len() > 1 && !matches!(len.as_bytes()[0], b'1'..=b'9') {
        return Err(bad());
    }
    if !len.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    let len: i64 = len.parse().map_err(|_| bad())?;
    let out_of_range = || error("prefix length out of range");
    let len = u8::try_from(len).map_err(|_| out_of_range())?;
    match parsed {
        Addr::V4(addr) if len <= 32 => Ok(Net::narrow(addr, len)),
        Addr::V6(addr, _) if len <= 128 => Ok(Net::wide(addr, len)),
        _ => Err(out_of_range()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("10.0.5.7/16", "10.0.0.0/16", true)]
    #[case("10.0.0.0/016", "10.0.0.0/16", true)]
    #[case("0.0.0.0/0", "0.0.0.0/0", true)]
    #[case("fd00::1/104", "fd00::/104", false)]
    #[case("FD00:0:0:1::/64", "fd00:0:0:1::/64", false)]
    #[case("::1.2.3.4/128", "::102:304/128", false)]
    #[case("::ffff:10.0.0.1/104", "::ffff:10.0.0.0/104", true)]
    #[case("::ffff:10.0.0.1/64", "::/64", true)]
    fn reads_cidrs(#[case] text: &str, #[case] net: &str, #[case] v4: bool) {
        let (parsed, is_v4) = parse_cidr(text).unwrap();
        assert_eq!((parsed.to_string().as_str(), is_v4), (net, v4));
    }

    #[rstest]
    #[case("")]
    #[case("nonsense")]
    #[case("10.0.0.0")]
    #[case("10.0.0.0/33")]
    #[case("10.0.0.0/")]
    #[case("10.0.0.0/+8")]
    #[case("10.0.0.0/8 ")]
    #[case("010.0.0.0/8")]
    #[case("10.0.0/8")]
    #[case("10.0.0.0/16,10.1.0.0/16")]
    #[case("fd00::%eth0/64")]
    #[case("fd00::/129")]
    #[case("1:2:3:4:5:6:7::8/64")]
    #[case("é/8")]
    fn refuses_cidrs(#[case] text: &str) {
        assert_eq!(parse_cidr(text).unwrap_err(), format!("invalid CIDR address: {text}"));
    }

    #[rstest]
    #[case("10.0.0.0", r#"netip.ParsePrefix("10.0.0.0"): no '/'"#)]
    #[case("10.0.0.0/33", r#"netip.ParsePrefix("10.0.0.0/33"): prefix length out of range"#)]
    #[case("10.0.0.0/999", r#"netip.ParsePrefix("10.0.0.0/999"): prefix length out of range"#)]
    #[case("10.0.0.0/08", r#"netip.ParsePrefix("10.0.0.0/08"): bad bits after slash: "08""#)]
    #[case("10.0.0.0/", r#"netip.ParsePrefix("10.0.0.0/"): bad bits after slash: """#)]
    #[case("10.0.0/8", r#"netip.ParsePrefix("10.0.0/8"): ParseAddr("10.0.0"): IPv4 address too short"#)]
    #[case("10.0.0.256/8", r#"netip.ParsePrefix("10.0.0.256/8"): ParseAddr("10.0.0.256"): IPv4 field has value >255"#)]
    #[case(
        " 10.1.0.0/16",
        r#"netip.ParsePrefix(" 10.1.0.0/16"): ParseAddr(" 10.1.0.0"): unexpected character (at " 10.1.0.0")"#
    )]
    #[case("banana/8", r#"netip.ParsePrefix("banana/8"): ParseAddr("banana"): unable to parse IP"#)]
    #[case("fd00::%e/8", r#"netip.ParsePrefix("fd00::%e/8"): IPv6 zones cannot be present in a prefix"#)]
    #[case("1:2:3:4:5:6:7::8/8", r#"netip.ParsePrefix("1:2:3:4:5:6:7::8/8"): ParseAddr("1:2:3:4:5:6:7::8"): the :: must expand to at least one field of zeros"#)]
    fn refuses_prefixes(#[case] text: &str, #[case] error: &str) {
        assert_eq!(parse_prefix(text).unwrap_err(), error);
    }
}
