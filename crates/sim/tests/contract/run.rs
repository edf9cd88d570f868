//! Carries a case out and writes down the answers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Request, header};
use kube::client::Body;
use serde_json::{Value, json};

use super::case::{Case, Step};
use super::normal::Normal;

/// A name for this run on a server that outlives it.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// What one request came to.
struct Answer {
    status: u16,
    warnings: Vec<String>,
    body: Value,
}

/// Runs a case: one entry for each step.
pub(crate) async fn transcript(client: &kube::Client, run: &str, case: &Case) -> Value {
    let namespace = format!("contract-{run}-{}", case.name);
    let mut saved = BTreeMap::from([("ns".to_owned(), namespace.clone())]);
    furnish(client, &namespace).await;
    let mut normal = Normal::new(&namespace);
    let mut out = Vec::new();
    for step in &case.steps {
        let answer = settled(client, step, &saved).await;
        for (name, pointer) in &step.save {
            let value = answer
                .body
                .pointer(pointer)
                .unwrap_or_else(|| panic!("{}: no {pointer} in {}", case.name, answer.body));
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            saved.insert(name.clone(), text);
        }
        out.push(entry(step, answer, &mut normal));
    }
    clean(client, &namespace).await;
    Value::Array(out)
}

/// A namespace in which pods can be made.
async fn furnish(client: &kube::Client, namespace: &str) {
    let step = |path: &str, body: Value| (path.to_owned(), body);
    let (path, body) = step("/api/v1/namespaces", json!({"metadata": {"name": namespace}}));
    let made = send(client, "POST", &path, &[], body.to_string().into_bytes()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    for _ in 0..200 {
        let account = format!("/api/v1/namespaces/{namespace}/serviceaccounts/default");
        let ca = format!("/api/v1/namespaces/{namespace}/configmaps/kube-root-ca.crt");
        let both =
            [send(client, "GET", &account, &[], Vec::new()).await, send(client, "GET", &ca, &[], Vec::new()).await];
        if both.iter().all(|a| a.status == 200) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("namespace {namespace} got no default service account");
}

async fn clean(client: &kube::Client, namespace: &str) {
    for kind in ["pods", "configmaps"] {
        let path = format!("/api/v1/namespaces/{namespace}/{kind}?gracePeriodSeconds=0");
        send(client, "DELETE", &path, &[], Vec::new()).await;
    }
    send(client, "DELETE", &format!("/api/v1/namespaces/{namespace}"), &[], Vec::new()).await;
}

/// The answer, or the last one where the step waits for another.
async fn settled(client: &kube::Client, step: &Step, saved: &BTreeMap<String, String>) -> Answer {
    for _ in 0..300 {
        let answer = request(client, step, saved).await;
        let status = step.until.is_none_or(|wanted| wanted == answer.status);
        let value =
            step.until_value.as_ref().is_none_or(|e| answer.body.pointer(&e.at).unwrap_or(&Value::Null) == &e.is);
        if status && value {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    request(client, step, saved).await
}

fn fill(text: &str, saved: &BTreeMap<String, String>) -> String {
    saved.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}

async fn request(client: &kube::Client, step: &Step, saved: &BTreeMap<String, String>) -> Answer {
    let (method, path) = step.request();
    let content_type = match step.content_type.as_deref() {
        None => "application/json",
        Some("merge") => "application/merge-patch+json",
        Some("json") => "application/json-patch+json",
        Some("strategic") => "application/strategic-merge-patch+json",
        Some("apply") => "application/apply-patch+yaml",
        Some(other) => other,
    };
    let accept = match step.accept.as_deref() {
        None => "application/json".to_owned(),
        Some(form @ ("Table" | "PartialObjectMetadata" | "PartialObjectMetadataList")) => {
            format!("application/json;as={form};v=v1;g=meta.k8s.io")
        }
        Some("aggregated") => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList".to_owned(),
        Some(other) => other.to_owned(),
    };
    let body = match (&step.body, &step.raw, step.fill) {
        (Some(body), None, None) => fill(&body.to_string(), saved),
        (None, Some(raw), None) => fill(raw, saved),
        (None, None, Some(size)) => json!({"metadata": {"name": "big"}, "data": {"k": "x".repeat(size)}}).to_string(),
        _ => String::new(),
    };
    let headers = [(header::CONTENT_TYPE, content_type), (header::ACCEPT, accept.as_str())];
    send(client, method, &fill(path, saved), &headers, body.into_bytes()).await
}

async fn send(
    client: &kube::Client,
    method: &str,
    path: &str,
    headers: &[(header::HeaderName, &str)],
    body: Vec<u8>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header(header::USER_AGENT, "contract/1");
    if headers.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let response = client
        .send(request.body(Body::from(body)).unwrap())
        .await
        .unwrap_or_else(|why| panic!("{method} {path}: {why}"));
    let status = response.status().as_u16();
    let warnings = response.headers().get_all(header::WARNING).iter().map(|v| v.to_str().unwrap().to_owned()).collect();
    let bytes = response.into_body().collect_bytes().await.unwrap_or_else(|why| panic!("{method} {path}: {why}"));
    let text = String::from_utf8_lossy(&bytes);
    let body = if path.contains("watch=1") && status == 200 {
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).filter(|e| !idle(e)).collect()
    } else {
        serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text.into_owned()))
    };
    Answer { status, warnings, body }
}

/// A bookmark that only says how late it is comes when the server likes.
fn idle(event: &Value) -> bool {
    let ends = event.pointer("/object/metadata/annotations/k8s.io~1initial-events-end");
    event["type"] == "BOOKMARK" && ends.is_none()
}

fn entry(step: &Step, answer: Answer, normal: &mut Normal) -> Value {
    let mut body = match &step.at {
        Some(pointer) => answer.body.pointer(pointer).cloned().unwrap_or_default(),
        None => answer.body,
    };
    if let (Some(among), Some(list)) = (&step.among, body.as_array_mut()) {
        list.retain(|item| {
            item.pointer(&among.by).and_then(Value::as_str).is_some_and(|v| among.values.iter().any(|w| w == v))
        });
        // Which of them comes first depends on what else there is.
        list.sort_by_key(|item| item.pointer(&among.by).map(Value::to_string));
    }
    for pointer in &step.without {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match body.pointer_mut(parent) {
            Some(Value::Object(map)) => drop(map.remove(key)),
            Some(Value::Array(list)) => {
                list.iter_mut().filter_map(Value::as_object_mut).for_each(|m| drop(m.remove(key)))
            }
            _ => {}
        }
    }
    let mut out = json!({"status": answer.status, "body": normal.value(body)});
    if !answer.warnings.is_empty() {
        out["warnings"] = json!(answer.warnings);
    }
    out
}
