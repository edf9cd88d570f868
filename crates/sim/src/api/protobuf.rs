//! Kubernetes' protobuf, as far as requests need it: `kubectl create` and its like send typed objects in it.
//!
//! `data/protobuf.json` says, from the `generated.proto` files of `k8s.io/api`, which message a kind is and what its field numbers
//! mean: `"3": "containers core.v1.Container[]"`, `{}` for maps, `-` for a message whose fields are its parent's own in JSON.
//! Answers are always JSON, which every client of protobuf takes as well.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What every message begins with.
const MAGIC: &[u8] = b"k8s\0";

/// Deeper than any object that there is.
const DEPTH: usize = 64;

#[derive(Debug, Default, Deserialize)]
struct Table {
    /// Message of `apps/v1 Deployment`.
    kinds: BTreeMap<String, String>,
    messages: BTreeMap<String, BTreeMap<u32, String>>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| serde_json::from_str(include_str!("data/protobuf.json")).unwrap_or_default());

/// A field's value on the wire.
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Reads a message: the object in its JSON form, `apiVersion` and `kind` included.
pub(super) fn decode(bytes: &[u8]) -> Result<Value, String> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("provided data does not appear to be a protobuf message")?;
    let mut kind = (String::new(), String::new());
    let mut raw: &[u8] = &[];
    for field in fields(rest)? {
        match field {
            (1, Wire::Bytes(bytes)) => kind = type_meta(bytes)?,
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let (version, kind) = kind;
    let known = TABLE.kinds.get(&format!("{version} {kind}"));
    // Every group has its own name for the options of a delete.
    let known = known.or_else(|| TABLE.kinds.get(&format!("v1 {kind}")).filter(|_| kind == "DeleteOptions"));
    let known = known.ok_or_else(|| format!("no kind {kind:?} is registered for version {version:?}"))?;
    let mut object = message(known, raw, 0)?;
    object.insert("apiVersion".into(), version.into());
    object.insert("kind".into(), kind.into());
    Ok(Value::Object(object))
}

fn type_meta(bytes: &[u8]) -> Result<(String, String), String> {
    let mut out = (String::new(), String::new());
    for field in fields(bytes)? {
        match field {
            (1, Wire::Bytes(bytes)) => out.0 = text(bytes)?,
            (2, Wire::Bytes(bytes)) => out.1 = text(bytes)?,
            _ => {}
        }
    }
    Ok(out)
}

fn text(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a text is not UTF-8".to_owned())
}

/// Numbers and values of a message's fields, in order.
fn fields(mut bytes: &[u8]) -> Result<Vec<(u32, Wire<'_>)>, String> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let number = u32::try_from(key >> 3).map_err(|_| "a field number is too large")?;
        let wire = match key & 7 {
            0 => Wire::Number(varint(&mut bytes)?),
            1 => Wire::Bytes(take(&mut bytes, 8)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).map_err(|_| "a length is too large")?;
                Wire::Bytes(take(&mut bytes, length)?)
            }
            5 => Wire::Bytes(take(&mut bytes, 4)?),
            other => return Err(format!("wire type {other} is not used")),
        };
        out.push((number, wire));
    }
    Ok(out)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut out = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().ok_or("unexpected end of message")?;
        *bytes = rest;
        out |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(out);
        }
    }
    Err("a number is too long".into())
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], String> {
    let (head, rest) = bytes.split_at_checked(length).ok_or("unexpected end of message")?;
    *bytes = rest;
    Ok(head)
}

fn message(name: &str, bytes: &[u8], depth: usize) -> Result<Map<String, Value>, String> {
    if depth > DEPTH {
        return Err("messages lie too deep in one another".into());
    }
    let mut out = Map::new();
    // A message that the table does not have has nothing that is served.
    let Some(known) = TABLE.messages.get(name) else { return Ok(out) };
    for (number, wire) in fields(bytes)? {
        let Some((key, of)) = known.get(&number).and_then(|f| f.split_once(' ')) else { continue };
        if key == "-" {
            if let Wire::Bytes(bytes) = wire {
                out.extend(message(of, bytes, depth + 1)?);
            }
        } else if let Some(of) = of.strip_suffix("[]") {
            let item = value(of, wire, depth)?;
            if let Value::Array(list) = out.entry(key).or_insert_with(|| json!([])) {
                list.push(item);
            }
        } else if let Some(of) = of.strip_suffix("{}") {
            let (name, item) = entry(of, wire, depth)?;
            if let Value::Object(map) = out.entry(key).or_insert_with(|| json!({})) {
                map.insert(name, item);
            }
        } else {
            let value = value(of, wire, depth)?;
            if !value.is_null() {
                out.insert(key.to_owned(), value);
            }
        }
    }
    Ok(out)
}

/// A map's entry: its key is field 1, its value field 2.
fn entry(of: &str, wire: Wire<'_>, depth: usize) -> Result<(String, Value), String> {
    let Wire::Bytes(bytes) = wire else { return Err("a map's entry is no message".into()) };
    let mut out = (String::new(), zero(of));
    for field in fields(bytes)? {
        match field {
            (1, Wire::Bytes(bytes)) => out.0 = text(bytes)?,
            (2, wire) => out.1 = value(of, wire, depth)?,
            _ => {}
        }
    }
    Ok(out)
}

fn zero(of: &str) -> Value {
    match of {
        "string" | "bytes" => "".into(),
        _ => Value::Null,
    }
}

fn value(of: &str, wire: Wire<'_>, depth: usize) -> Result<Value, String> {
    match wire {
        Wire::Number(number) => match of {
            "bool" => Ok((number != 0).into()),
            // Negative numbers are sent as their two's complement.
            "int32" | "int64" => Ok(number.cast_signed().into()),
            "uint32" | "uint64" => Ok(number.into()),
            other => Err(format!("a number is no {other}")),
        },
        Wire::Bytes(bytes) => match of {
            "string" => text(bytes).map(Value::from),
            "bytes" => Ok(STANDARD.encode(bytes).into()),
            "Quantity" => part(bytes, 1).map(|b| b.map_or(Ok(Value::Null), |b| text(b).map(Value::from)))?,
            "IntOrString" => int_or_string(bytes),
            "Time" => time(bytes, false),
            "MicroTime" => time(bytes, true),
            "Raw" => match part(bytes, 1)? {
                Some(raw) if !raw.is_empty() => serde_json::from_slice(raw).map_err(|why| why.to_string()),
                _ => Ok(Value::Null),
            },
            "Duration" => Ok(Value::Null),
            "bool" | "int32" | "int64" | "uint32" | "uint64" | "double" => Err(format!("bytes are no {of}")),
            name => Ok(Value::Object(message(name, bytes, depth + 1)?)),
        },
    }
}

/// The bytes of one field.
fn part(bytes: &[u8], wanted: u32) -> Result<Option<&[u8]>, String> {
    let found = fields(bytes)?.into_iter().find_map(|(number, wire)| match wire {
        Wire::Bytes(bytes) if number == wanted => Some(bytes),
        _ => None,
    });
    Ok(found)
}

fn numbers(bytes: &[u8]) -> Result<BTreeMap<u32, i64>, String> {
    let numbers = fields(bytes)?.into_iter().filter_map(|(number, wire)| match wire {
        Wire::Number(value) => Some((number, value.cast_signed())),
        Wire::Bytes(_) => None,
    });
    Ok(numbers.collect())
}

fn int_or_string(bytes: &[u8]) -> Result<Value, String> {
    let numbers = numbers(bytes)?;
    let number = |at: u32| numbers.get(&at).copied().unwrap_or_default();
    if number(1) == 0 {
        return Ok(number(2).into());
    }
    part(bytes, 3)?.map_or(Ok("".into()), |bytes| text(bytes).map(Value::from))
}

/// Seconds and nanoseconds; no time at all where both are 0.
fn time(bytes: &[u8], micro: bool) -> Result<Value, String> {
    let numbers = numbers(bytes)?;
    let seconds = numbers.get(&1).copied().unwrap_or_default();
    let nanos = numbers.get(&2).copied().unwrap_or_default();
    if seconds == 0 && nanos == 0 {
        return Ok(Value::Null);
    }
    let nanos = i32::try_from(if micro { nanos } else { 0 }).unwrap_or_default();
    let at = jiff::Timestamp::new(seconds, nanos).map_err(|why| why.to_string())?;
    Ok(if micro { format!("{at:.6}") } else { format!("{at:.0}") }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field that holds bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        out.extend_from_slice(bytes);
        out
    }

    fn envelope(version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [field(1, version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &meta), field(2, raw)].concat()
    }

    #[test]
    fn a_config_map_is_read() {
        let labels = [field(1, b"app"), field(2, b"x")].concat();
        let metadata = [field(1, b"a"), field(11, &labels), field(8, &[])].concat();
        let data = [field(1, b"k"), field(2, b"v")].concat();
        let bytes = envelope("v1", "ConfigMap", &[field(1, &metadata), field(2, &data)].concat());
        let expected = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": {"app": "x"}}, "data": {"k": "v"},
        });
        assert_eq!(decode(&bytes).unwrap(), expected);
    }

    #[test]
    fn a_volume_has_its_source_in_itself() {
        let source = field(2, &[]);
        let spec = field(1, &[field(1, b"v"), field(2, &source)].concat());
        let pod = envelope("v1", "Pod", &field(2, &spec));
        assert_eq!(decode(&pod).unwrap()["spec"]["volumes"], json!([{"name": "v", "emptyDir": {}}]));
        let deployment = envelope("apps/v1", "Deployment", &field(2, &[1 << 3, 3]));
        assert_eq!(decode(&deployment).unwrap()["spec"], json!({"replicas": 3}));
    }

    #[test]
    fn junk_is_an_error() {
        for bytes in [b"".as_slice(), b"{}", b"k8s\0\xff", b"k8s\0\x0a\x7f", b"k8s\0"] {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
        let cut = envelope("v1", "ConfigMap", &[0x0a, 0x7f]);
        assert_eq!(decode(&cut).unwrap_err(), "unexpected end of message");
    }
}
