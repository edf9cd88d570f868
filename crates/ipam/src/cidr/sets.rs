//! How CIDRs lie to each other. An IPv4 and an IPv6 CIDR never overlap.

use std::net::IpAddr;

use ipnet::IpNet;

/// Whether every address of `inner` is in `outer`.
pub fn is_subset(inner: &IpNet, outer: &IpNet) -> bool {
    outer.contains(inner)
}

/// Whether they share an address, that is, whether one of them contains the other.
pub fn overlaps(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

/// Whether `address` is in one of `nets`. Every address of a CIDR counts, also the first and the last.
pub fn contains_addr<'a>(nets: impl IntoIterator<Item = &'a IpNet>, address: IpAddr) -> bool {
    nets.into_iter().any(|net| net.contains(&address))
}

/// Whether `inner` lies as a whole in one single element of `nets`.
pub fn is_subset_of_any<'a>(inner: &IpNet, nets: impl IntoIterator<Item = &'a IpNet>) -> bool {
    nets.into_iter().any(|outer| is_subset(inner, outer))
}

/// The first element of `nets` that shares an address with `net`.
pub fn overlaps_any<'a>(net: &IpNet, nets: impl IntoIterator<Item = &'a IpNet>) -> Option<&'a IpNet> {
    nets.into_iter().find(|other| overlaps(net, other))
}

/// Reads a CIDR as people write it: host bits are dropped (`10.0.5.7/16` is `10.0.0.0/16`).
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn parse_lenient(text: &str) -> Result<IpNet, String> {
    let (net, _) = crate::golang::parse_cidr(text)?;
    net.to_ipnet().ok_or_else(|| format!("invalid CIDR address: {text}"))
}

/// An element of a list that is not a CIDR.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("element {position} of the list: {message}")]
pub struct ListError {
    /// Its place, from 1.
    pub position: usize,
    /// What is wrong with it.
    pub message: String,
}

/// Reads a list of CIDRs.
///
/// # Errors
/// At the first element that is not a CIDR.
pub fn parse_list<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<IpNet>, ListError> {
    let read = |(index, text)| parse_lenient(text).map_err(|message| ListError { position: index + 1, message });
    texts.into_iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("10.0.0.0/8", "10.244.0.0/16", true)]
    #[case("10.244.0.0/16", "10.0.0.0/8", true)]
    #[case("10.0.0.0/25", "10.0.0.128/25", false)]
    #[case("0.0.0.0/0", "fd00::/8", false)]
    #[case("fd00::/104", "fd00::100/120", true)]
    fn overlap(#[case] a: &str, #[case] b: &str, #[case] expected: bool) {
        assert_eq!(overlaps(&a.parse().unwrap(), &b.parse().unwrap()), expected);
        assert_eq!(overlaps_any(&a.parse().unwrap(), &[b.parse().unwrap()]).is_some(), expected);
    }

    #[test]
    fn subsets_are_not_symmetric() {
        let (wide, narrow) = ("10.0.0.0/8".parse().unwrap(), "10.244.0.0/16".parse().unwrap());
        assert!(is_subset(&narrow, &wide) && !is_subset(&wide, &narrow));
        assert!(is_subset_of_any(&narrow, &[wide]) && !is_subset_of_any(&wide, &[narrow]));
        assert!(contains_addr(&[narrow], "10.244.255.255".parse().unwrap()));
    }

    #[test]
    fn lists_say_which_element_is_wrong() {
        assert_eq!(parse_list(["10.0.5.7/16"]).unwrap(), ["10.0.0.0/16".parse::<IpNet>().unwrap()]);
        let error = parse_list(["10.0.0.0/8", "10.1"]).unwrap_err();
        assert_eq!(error.to_string(), "element 2 of the list: invalid CIDR address: 10.1");
    }
}
