//! Reviews: requests that only ask something. Everybody may do everything here.

use axum::body::Body;
use axum::response::Response;
use http::HeaderMap;
use serde_json::{Value, json};

use super::{body, respond};
use crate::store::Status;

/// Answers a review.
pub(super) async fn create(headers: &HeaderMap, group: &str, plural: &str, body: Body) -> Result<Response, Status> {
    let kind = match plural {
        "selfsubjectaccessreviews" => "SelfSubjectAccessReview",
        "selfsubjectrulesreviews" => "SelfSubjectRulesReview",
        _ => "SelfSubjectReview",
    };
    let bytes = body::read(body).await?;
    let asked = body::object(headers, &bytes, kind)?;
    let status = match plural {
        "selfsubjectaccessreviews" => json!({"allowed": true}),
        "selfsubjectrulesreviews" => json!({
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": false,
        }),
        _ => {
            json!({"userInfo": {"username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"]}})
        }
    };
    let mut answer = json!({"kind": kind, "apiVersion": format!("{group}/v1"), "metadata": {}, "status": status});
    if let Some(spec) = asked.get("spec").filter(|s| s.is_object()) {
        answer["spec"] = spec.clone();
    } else if kind == "SelfSubjectAccessReview" {
        answer["spec"] = Value::Object(serde_json::Map::new());
    }
    Ok(respond::json(201, &answer))
}
