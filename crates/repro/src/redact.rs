//! What belongs to the reporter's machines is taken out; what Cilium hands out stays, since that is the point.
//!
//! Out: the host's name and addresses, the user, folders, proxies, mirrors, credentials, certificates, ids of machines, and every public
//! address. In: private addresses, and every range that the scenario itself names, public or not.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::IpNet;
use regex::{Captures, Regex};

/// What is known of this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Names of the host and of the user, and what is left in their place. Generic ones (`root`, `localhost`) are not here.
    pub names: Vec<(String, &'static str)>,
    /// Folders, URLs, and what is left in their place.
    pub texts: Vec<(String, &'static str)>,
    /// The host's own addresses.
    pub addresses: Vec<IpAddr>,
}

/// Names that many machines have, and that mean something here.
const COMMON: [&str; 12] = [
    "root",
    "localhost",
    "user",
    "admin",
    "ubuntu",
    "debian",
    "worker",
    "kind",
    "cilium",
    "control-plane",
    "runner",
    "docker",
];

impl Identity {
    /// From what the environment says: `host`, `user`, `home`, this project's folder, and variables by their names.
    pub fn new(
        host: Option<&str>,
        user: Option<&str>,
        folders: &[(Option<String>, &'static str)],
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut identity = Self::default();
        for (name, mark) in [(host, "<host>"), (user, "<user>")] {
            if let Some(name) = name.map(str::trim).filter(|name| name.len() >= 3 && !COMMON.contains(name)) {
                identity.names.push((name.to_owned(), mark));
                // `box` of `box.example.com`, too.
                if let Some((first, _)) =
                    name.split_once('.').filter(|(first, _)| first.len() >= 3 && !COMMON.contains(first))
                {
                    identity.names.push((first.to_owned(), mark));
                }
            }
        }
        for (folder, mark) in folders {
            if let Some(folder) = folder.as_deref().filter(|folder| folder.len() > 3 && folder.starts_with('/')) {
                identity.texts.push((folder.trim_end_matches('/').to_owned(), mark));
            }
        }
        for (name, value) in variables {
            let lower = name.to_ascii_lowercase();
            let mark = if lower == "no_proxy" {
                continue;
            } else if lower.ends_with("_proxy") {
                "<proxy>"
            } else if lower.contains("mirror") || lower.contains("chart_repo") || lower.ends_with("registry") {
                "<mirror>"
            } else if ["token", "secret", "password", "api_key"].iter().any(|word| lower.contains(word)) {
                "<secret>"
            } else {
                continue;
            };
            if value.len() >= 6 {
                // A proxy's host is named in error texts without its scheme.
                let host = value.split_once("://").map(|(_, rest)| rest.trim_end_matches('/').to_owned());
                identity.texts.push((value, mark));
                identity.texts.extend(host.filter(|host| host.len() >= 6).map(|host| (host, mark)));
            }
        }
        // The longest first: a folder inside another is not half replaced.
        identity.texts.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.0.cmp(&b.0)));
        identity.texts.dedup_by(|a, b| a.0 == b.0);
        identity.names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        identity
    }
}

/// Takes out, with the same mark for the same address in all texts.
#[derive(Debug)]
pub struct Redactor {
    identity: Identity,
    names: Vec<(Regex, &'static str)>,
    keep: Vec<IpNet>,
    known: BTreeMap<IpAddr, usize>,
}

static PEM: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?s)-----BEGIN [A-Z0-9 ]+-----.*?(-----END [A-Z0-9 ]+-----|\z)"));
/// `-----BEGIN` in base64, as kubeconfigs have it.
static ENCODED: LazyLock<Regex> = LazyLock::new(|| pattern(r"LS0tLS1CRUdJTi[A-Za-z0-9+/=_-]*"));
static JWT: LazyLock<Regex> = LazyLock::new(|| pattern(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"));
static BEARER: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{12,}"));
static LOGIN: LazyLock<Regex> = LazyLock::new(|| pattern(r#"([a-z][a-z0-9+.-]*://)[^\s/@:"']+(:[^\s/@"']*)?@"#));
static FIELD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r#"(?i)((?:\\?")?\b(?:token|password|passwd|secret|client-key-data|client-certificate-data|certificate-authority-data|"#,
        r#"api-?key|authorization|machineID|systemUUID|bootID)(\\?")?\s*[:=]\s*)"#,
        r#"(\\"[^"\\]*\\"|"(?:[^"\\]|\\.)*"|[^\s,;}\]"\[{\\][^\s,;}\]"\\]*)"#,
    ))
});
static IPV4: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b"));
static IPV6: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\.[0-9]{1,3}){0,3}"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is valid")
}

impl Redactor {
    /// For a machine. Addresses in `keep` are the scenario's own and stay.
    pub fn new(identity: Identity, keep: Vec<IpNet>) -> Self {
        let names = identity
            .names
            .iter()
            .map(|(name, mark)| {
                // As a word of its own: `box` is not a part of `box-worker`.
                (pattern(&format!(r"(^|[^A-Za-z0-9_.-]){}($|[^A-Za-z0-9_-])", regex::escape(name))), *mark)
            })
            .collect();
        Self { identity, names, keep, known: BTreeMap::new() }
    }

    /// The text without what belongs to the machine.
    pub fn text(&mut self, text: &str) -> String {
        let mut text = PEM.replace_all(text, "<certificate-or-key>").into_owned();
        text = ENCODED.replace_all(&text, "<certificate-or-key>").into_owned();
        text = JWT.replace_all(&text, "<token>").into_owned();
        text = BEARER.replace_all(&text, "$1 <token>").into_owned();
        text = LOGIN.replace_all(&text, "$1<login>@").into_owned();
        text = FIELD
            .replace_all(&text, |found: &Captures<'_>| {
                // Inside JSON, and inside JSON in a text of JSON, a text has to stay one.
                let quote = found
                    .get(2)
                    .map_or_else(|| if found[3].starts_with('"') { "\"" } else { "" }, |quote| quote.as_str());
                format!("{}{quote}<not written>{quote}", &found[1])
            })
            .into_owned();
        for (known, mark) in &self.identity.texts {
            text = text.replace(known, mark);
        }
        for (name, mark) in &self.names {
            // Twice, since neighbours share the character between them.
            for _ in 0..2 {
                text = name
                    .replace_all(&text, |found: &Captures<'_>| format!("{}{mark}{}", &found[1], &found[2]))
                    .into_owned();
            }
        }
        text = IPV4.replace_all(&text, |found: &Captures<'_>| self.address(&found[0])).into_owned();
        IPV6.replace_all(&text, |found: &Captures<'_>| self.address(&found[0])).into_owned()
    }

    fn address(&mut self, text: &str) -> String {
        let Ok(address) = text.parse::<IpAddr>() else { return text.to_owned() };
        let own = self.identity.addresses.contains(&address);
        let kept = self.keep.iter().any(|range| range.contains(&address));
        if (kept || !is_public(address)) && !own {
            return text.to_owned();
        }
        let next = self.known.len() + 1;
        let number = *self.known.entry(address).or_insert(next);
        format!("<address-{number}>")
    }
}

/// Whether an address can belong to a machine that somebody can reach from elsewhere. Those of documents (RFC 5737, RFC 3849) cannot.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_documentation()
                || v4.is_broadcast()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (18..20).contains(&b)))
        }
        IpAddr::V6(v6) => {
            let [a, b, ..] = v6.segments();
            (a & 0xe000) == 0x2000 && !(a == 0x2001 && b == 0x0db8)
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn redactor() -> Redactor {
        let identity = Identity::new(
            Some("anna-laptop.example.org"),
            Some("annab"),
            &[
                (Some("/home/annab".to_owned()), "<home>"),
                (Some("/home/annab/src/ipam".to_owned()), "<project>"),
                (None, "<other>"),
            ],
            [
                ("HTTPS_PROXY".to_owned(), "http://proxy.corp:3128".to_owned()),
                ("NO_PROXY".to_owned(), "localhost,127.0.0.1".to_owned()),
                ("IPAM_E2E_REGISTRY_MIRROR".to_owned(), "https://mirror.corp/v2".to_owned()),
                ("CI_TOKEN".to_owned(), "s3cr3t-value".to_owned()),
                ("PATH".to_owned(), "/usr/bin".to_owned()),
            ],
        );
        let identity = Identity { addresses: vec!["192.168.7.20".parse().unwrap()], ..identity };
        Redactor::new(identity, vec!["20.0.0.0/8".parse().unwrap(), "2a00:1::/64".parse().unwrap()])
    }

    #[rstest]
    #[case::host("on anna-laptop.example.org: x", "on <host>: x")]
    #[case::short_host("anna-laptop\nanna-laptop anna-laptop", "<host>\n<host> <host>")]
    #[case::part_of_a_word("anna-laptop-worker2", "anna-laptop-worker2")]
    #[case::user("user annab (annab)", "user <user> (<user>)")]
    #[case::folders("/home/annab/src/ipam/target /home/annab/.kube", "<project>/target <home>/.kube")]
    #[case::proxy("via http://proxy.corp:3128: no", "via <proxy>: no")]
    #[case::proxy_host("dial proxy.corp:3128", "dial <proxy>")]
    #[case::mirror("https://mirror.corp/v2/x", "<mirror>/x")]
    #[case::variable("s3cr3t-value", "<secret>")]
    #[case::no_proxy("localhost,127.0.0.1", "localhost,127.0.0.1")]
    #[case::pem(concat!("a -----BEGIN ", "CERTIFICATE-----\nMII\n-----END ", "CERTIFICATE----- b"), "a <certificate-or-key> b")]
    #[case::cut_pem(concat!("a -----BEGIN RSA ", "PRIVATE KEY-----\\nMII"), "a <certificate-or-key>")]
    #[case::kubeconfig(concat!("client-key-data: LS0tLS1", "CRUdJTiBSU0E=\nx"), "client-key-data: <not written>\nx")]
    #[case::json(r#"{"token": "a\"b", "x": 1}"#, r#"{"token": "<not written>", "x": 1}"#)]
    #[case::json_in_json(r#""{\"token\":\"abc\",\"x\":1}""#, r#""{\"token\":\"<not written>\",\"x\":1}""#)]
    #[case::json_number(r#"{"token": 5}"#, r#"{"token": "<not written>"}"#)]
    #[case::ids(r#""machineID":"abc","systemUUID":"d""#, r#""machineID":"<not written>","systemUUID":"<not written>""#)]
    #[case::bearer(concat!("Authorization: Bearer ", "abcdefghijklmnop"), "Authorization: <not written> <token>")]
    #[case::jwt(concat!("x eyJhbGciOi", "JSUzI1NiJ9.eyJpc3MiOiJrIn0.c2ln y"), "x <token> y")]
    #[case::login("https://anna:pw@host.corp/x", "https://<login>@host.corp/x")]
    #[case::public("8.8.8.8 1.1.1.1 8.8.8.8", "<address-1> <address-2> <address-1>")]
    #[case::own("192.168.7.20 192.168.7.21", "<address-1> 192.168.7.21")]
    #[case::pods("10.0.1.7 10.224.0.0/16 172.18.0.3 100.64.1.1", "10.0.1.7 10.224.0.0/16 172.18.0.3 100.64.1.1")]
    #[case::the_scenarios_own("20.1.2.3 21.1.2.3", "20.1.2.3 <address-1>")]
    #[case::ipv6("fd00::1 2a00:1::5 2a02:8::1/64 ::1", "fd00::1 2a00:1::5 <address-1>/64 ::1")]
    #[case::times("2026-11-29T00:10:20.123Z 12:30:45", "2026-11-29T00:10:20.123Z 12:30:45")]
    #[case::versions("1.18.4 v1.34.4", "1.18.4 v1.34.4")]
    #[case::node_roles("repro-worker2 control-plane", "repro-worker2 control-plane")]
    fn takes_out(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(redactor().text(text), expected);
    }

    #[test]
    fn common_names_stay() {
        let identity = Identity::new(Some("localhost"), Some("root"), &[(Some("/".to_owned()), "<home>")], []);
        assert_eq!(identity, Identity::default());
    }

    #[test]
    fn json_stays_json() {
        let value = serde_json::json!({
            "a": "-----BEGIN X-----\nq\n-----END X-----", "password": "p\"w", "ip": "9.9.9.9", "path": "/home/annab/x",
            "nested": {"token": 5, "authorization": ["Bearer 0123456789abcdef"]},
        });
        let text = redactor().text(&value.to_string());
        let read: Result<serde_json::Value, _> = serde_json::from_str(&text);
        assert!(read.is_ok(), "{text}");
        assert!(!text.contains("annab") && !text.contains("9.9.9.9") && !text.contains("0123456789abcdef"), "{text}");
    }
}
