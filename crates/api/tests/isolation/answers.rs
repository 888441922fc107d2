//! What holds for every answer, whoever asked for what.

use http::{HeaderMap, header};
use serde_json::{Value, json};
use wahana_testkit::app::{Answer, TestApp};

use crate::lines::Who;

/// A request's id and what came back.
pub(crate) struct Exchange {
    pub(crate) request_id: String,
    pub(crate) answer: Answer,
}

/// Checks headers and shape.
pub(crate) fn check(app: &TestApp, who: Who, exchange: &Exchange) {
    let Exchange { request_id, answer } = exchange;
    assert_eq!(
        answer.header("x-request-id"),
        Some(request_id.as_str()),
        "{answer:?}"
    );
    // Files are kept by who asked, who asks each time whether they may still see them.
    let caching = match answer.header("content-disposition") {
        Some(_) => "private, no-cache",
        None => "no-store",
    };
    assert_eq!(answer.header("cache-control"), Some(caching), "{answer:?}");
    assert_eq!(
        answer.header("x-content-type-options"),
        Some("nosniff"),
        "{answer:?}"
    );
    let everything = format!("{:?} {}", answer.headers, answer.text());
    let [key, address, id] = app.upstream_secrets();
    let mut secrets = vec![key];
    if !matches!(who, Who::Operators) {
        secrets.extend([address, id]);
    }
    for secret in secrets {
        assert!(
            !everything.contains(&secret),
            "an answer has {secret}: {everything}"
        );
    }
    if answer.header("content-type") == Some("application/json") {
        check_body(answer, request_id);
    } else {
        assert!(
            answer.status.is_success(),
            "a refusal that is no JSON: {answer:?}"
        );
    }
}

fn check_body(answer: &Answer, request_id: &str) {
    let body = answer.json();
    assert_eq!(body["success"], json!(answer.status.is_success()), "{body}");
    if let Some(exact) = exact_body(answer) {
        assert_eq!(body, exact);
        return;
    }
    assert_eq!(body["request_id"], json!(request_id), "{body}");
    let mut keys = vec!["message", "request_id", "success", "timestamp"];
    if answer.status.is_success() {
        keys.push("data");
        for optional in ["pagination", "meta"] {
            keys.extend(body.get(optional).map(|_| optional));
        }
    } else {
        keys.push("error_code");
        if answer.status == 422 {
            keys.push("errors");
        }
        if answer.status == 504 {
            keys.extend(body.get("data").map(|_| "data"));
        }
    }
    keys.sort_unstable();
    let mut found: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    found.sort_unstable();
    assert_eq!(found, keys, "{body}");
}

/// The bodies that are the same to the byte, whoever asked.
fn exact_body(answer: &Answer) -> Option<Value> {
    let code = answer.error_code()?;
    let message = match code.as_str() {
        "UNAUTHENTICATED" => "Authentication required",
        "NO_ORGANIZATION" => "User must belong to an organization to access WAHA features",
        "SESSION_NOT_FOUND" => "WAHA session not found",
        _ => return None,
    };
    Some(json!({"success": false, "message": message, "error_code": code}))
}

/// The answer without what may differ between two answers that tell the same: the request's id, times, and
/// how much of a limit is left.
pub(crate) fn comparable(answer: &Answer) -> (u16, HeaderMap, Value) {
    let mut headers = answer.headers.clone();
    for name in ["x-request-id", header::DATE.as_str()] {
        headers.remove(name);
    }
    let limits: Vec<_> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("ratelimit-"))
        .cloned()
        .collect();
    for name in limits {
        headers.remove(name);
    }
    let mut body = answer.json();
    if exact_body(answer).is_none() {
        body["request_id"] = Value::Null;
        body["timestamp"] = Value::Null;
    }
    (answer.status.as_u16(), headers, body)
}
