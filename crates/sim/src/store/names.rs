//! Kubernetes' rules for names, labels and annotations, with its texts.

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

fn lower(c: u8) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn label_like(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|c| lower(*c))
        && bytes.last().is_some_and(|c| lower(*c))
        && bytes.iter().all(|c| lower(*c) || *c == b'-')
}

/// A DNS subdomain: most objects' names.
pub(crate) fn subdomain(text: &str) -> Result<(), String> {
    if text.len() > 253 {
        return Err("must be no more than 253 characters".into());
    }
    if text.split('.').all(label_like) { Ok(()) } else { Err(SUBDOMAIN.into()) }
}

/// A DNS label: namespaces.
pub(crate) fn label(text: &str) -> Result<(), String> {
    if text.len() > 63 {
        return Err("must be no more than 63 characters".into());
    }
    if label_like(text) {
        return Ok(());
    }
    Err(if subdomain(text).is_ok() { "must not contain dots" } else { LABEL }.into())
}

/// A DNS-1035 label: services.
pub(crate) fn label_1035(text: &str) -> Result<(), String> {
    if text.len() > 63 {
        return Err("must be no more than 63 characters".into());
    }
    let starts = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    if starts && label_like(text) { Ok(()) } else { Err(LABEL_1035.into()) }
}

fn word(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(c))
}

/// A label's or annotation's key.
pub(crate) fn qualified_name(text: &str) -> Result<(), String> {
    let mut parts = text.split('/');
    let (first, second, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let name = match (second, more) {
        (None, _) => first,
        (Some(name), None) => {
            if first.is_empty() {
                return Err("prefix part must be non-empty".into());
            }
            subdomain(first).map_err(|why| format!("prefix part {why}"))?;
            name
        }
        (Some(_), Some(_)) => {
            return Err("a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')".to_string());
        }
    };
    if name.is_empty() {
        // Kubernetes gives two errors here; the callers join them as it does.
        return Err(format!("name part must be non-empty; {QUALIFIED}"));
    }
    if name.len() > 63 {
        return Err("name part must be no more than 63 characters".into());
    }
    if word(name) { Ok(()) } else { Err(QUALIFIED.into()) }
}

/// A label's value.
pub(crate) fn label_value(text: &str) -> Result<(), String> {
    if text.len() > 63 {
        return Err("must be no more than 63 characters".into());
    }
    if text.is_empty() || word(text) { Ok(()) } else { Err(VALUE.into()) }
}
