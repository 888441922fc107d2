//! Bodies that two parsers could read differently.

use http::Method;
use serde_json::json;

use crate::{Scene, scene};

const JSON: &str = "application/json";

async fn patch(scene: &Scene, content_type: &str, body: &[u8]) -> String {
    let answer = scene
        .owner
        .send_bytes(
            Method::PATCH,
            "/api/waha/organization",
            content_type,
            body.to_vec(),
        )
        .await;
    answer.named()
}

/// A body, in words and as it is, and what it must get.
const BODIES: &[(&str, &[u8], &str)] = &[
    (
        "two of a key",
        br#"{"name":"a","name":"b"}"#,
        "422 VALIDATION_ERROR",
    ),
    (
        "two of a key, one escaped",
        br#"{"name":"a","\u006eame":"b"}"#,
        "422 VALIDATION_ERROR",
    ),
    (
        "a key in other letters",
        br#"{"Name":"a"}"#,
        "422 VALIDATION_ERROR",
    ),
    ("a key with a space", br#"{"name ":"a"}"#, "422 VALIDATION_ERROR"),
    (
        "a key with a zero byte",
        br#"{"name\u0000":"a"}"#,
        "422 VALIDATION_ERROR",
    ),
    (
        "a key of JavaScript",
        br#"{"__proto__":{"name":"a"}}"#,
        "422 VALIDATION_ERROR",
    ),
    (
        "a key of JavaScript beside",
        br#"{"name":"a","constructor":{}}"#,
        "422 VALIDATION_ERROR",
    ),
    (
        "an array for an object",
        br#"["a",null,null,null,null]"#,
        "422 VALIDATION_ERROR",
    ),
    (
        "an array for an inner object",
        br#"{"retention":[1,1,1]}"#,
        "422 VALIDATION_ERROR",
    ),
    (
        "an array for a text",
        br#"{"name":["a"]}"#,
        "422 VALIDATION_ERROR",
    ),
    (
        "an object for a text",
        br#"{"name":{"$ne":null}}"#,
        "422 VALIDATION_ERROR",
    ),
    ("a number for a text", br#"{"name":1}"#, "422 VALIDATION_ERROR"),
    (
        "a text for a number",
        br#"{"retention":{"messages_days":"1","media_days":1,"audit_days":1}}"#,
        "422 VALIDATION_ERROR",
    ),
    (
        "a fraction for a number",
        br#"{"retention":{"messages_days":1.0,"media_days":1,"audit_days":1}}"#,
        "422 VALIDATION_ERROR",
    ),
    (
        "part of what belongs together",
        br#"{"retention":{"messages_days":1}}"#,
        "422 VALIDATION_ERROR",
    ),
    ("a text alone", br#""name""#, "422 VALIDATION_ERROR"),
    ("null", b"null", "422 VALIDATION_ERROR"),
    (
        "a byte order mark",
        b"\xef\xbb\xbf{\"name\":\"a\"}",
        "400 BAD_REQUEST",
    ),
    (
        "UTF-16",
        b"{\0\"\0n\0a\0m\0e\0\"\0:\0\"\0a\0\"\0}\0",
        "400 BAD_REQUEST",
    ),
    ("no UTF-8", b"{\"name\":\"\xff\"}", "400 BAD_REQUEST"),
    (
        "half a surrogate pair",
        br#"{"name":"\ud800"}"#,
        "400 BAD_REQUEST",
    ),
    (
        "half a surrogate pair in a key",
        br#"{"\udfff":"a"}"#,
        "400 BAD_REQUEST",
    ),
    (
        "something behind",
        br#"{"name":"a"}{"name":"b"}"#,
        "400 BAD_REQUEST",
    ),
    ("a bracket behind", br#"{"name":"a"}}"#, "400 BAD_REQUEST"),
    ("a zero byte behind", b"{\"name\":\"a\"}\0", "400 BAD_REQUEST"),
    ("a comma behind", br#"{"name":"a",}"#, "400 BAD_REQUEST"),
    ("a comment", br#"{"name":"a"/* b */}"#, "400 BAD_REQUEST"),
    ("simple quotes", b"{'name':'a'}", "400 BAD_REQUEST"),
    ("not a number", br#"{"name":NaN}"#, "400 BAD_REQUEST"),
    ("half of it", br#"{"name":"a"#, "400 BAD_REQUEST"),
    ("a control character", b"{\"name\":\"a\x01\"}", "400 BAD_REQUEST"),
    ("nothing", b"", "400 BAD_REQUEST"),
];

#[test]
fn what_two_parsers_could_read_differently_is_refused() {
    scene(async |scene| {
        let before = scene.state().await;
        for (what, body, expected) in BODIES {
            assert_eq!(patch(scene, JSON, body).await, *expected, "{what}");
        }
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        for deep in [format!("{{\"name\":{deep}}}"), deep] {
            let got = patch(scene, JSON, deep.as_bytes()).await;
            assert_eq!(got, "422 VALIDATION_ERROR", "deep nesting");
        }
        assert_eq!(scene.state().await, before);
    });
}

#[test]
fn only_json_in_utf8_without_an_encoding_is_a_body() {
    scene(async |scene| {
        let before = scene.state().await;
        let body = br#"{"name":"a"}"#;
        for content_type in [
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/plain",
            "text/json",
            "application/jsonp",
            "application/json-patch+json",
            "application/json; charset=utf-16",
            "application/json; charset=iso-8859-1",
            "application/json, text/plain",
        ] {
            assert_eq!(
                patch(scene, content_type, body).await,
                "415 UNSUPPORTED_MEDIA_TYPE",
                "{content_type}"
            );
        }
        for encoding in ["gzip", "br", "deflate", "identity, gzip", "x-gzip"] {
            let client = scene.owner.clone().with("content-encoding", encoding);
            let answer = client
                .patch_json("/api/waha/organization", &json!({"name": "a"}))
                .await;
            assert_eq!(answer.named(), "415 UNSUPPORTED_MEDIA_TYPE", "{encoding}");
        }
        assert_eq!(scene.state().await, before);
        for content_type in [
            "application/json; charset=UTF-8",
            "Application/JSON;charset=\"utf-8\"",
        ] {
            assert_eq!(patch(scene, content_type, body).await, "200", "{content_type}");
        }
    });
}

#[test]
fn headers_that_contradict_each_other_are_refused() {
    scene(async |scene| {
        let before = scene.state().await;
        for headers in [
            "Content-Type: application/json\r\nContent-Type: text/plain\r\n",
            "Content-Type: application/json\r\nContent-Encoding: identity\r\nContent-Encoding: gzip\r\n",
        ] {
            let request = format!(
                "PATCH /api/waha/organization HTTP/1.1\r\nHost: wahana.test\r\nConnection: close\r\n{}{headers}\
                 Content-Length: 12\r\n\r\n{{\"name\":\"a\"}}",
                crate::authorization(&scene.owner),
            );
            assert_eq!(
                scene.raw(&request).await.named(),
                "415 UNSUPPORTED_MEDIA_TYPE",
                "{headers}"
            );
        }
        assert_eq!(scene.state().await, before);
    });
}

#[test]
fn a_refused_body_is_not_quoted() {
    scene(async |scene| {
        for body in [
            r#"{"name":{"secret":"hunter2"}}"#,
            r#"{"name":"hunter2","#,
            r#"{"retention":"hunter2"}"#,
            r#"{"retention":{"messages_days":"hunter2"}}"#,
        ] {
            let answer = scene
                .owner
                .send_bytes(Method::PATCH, "/api/waha/organization", JSON, body)
                .await;
            assert!(answer.status.is_client_error(), "{body}");
            assert!(!answer.text().contains("hunter2"), "{}", answer.text());
        }
        let lines = scene.app.log_lines().await;
        assert!(!lines.is_empty());
        assert!(!lines.iter().any(|line| line.contains("hunter2")), "{lines:?}");
    });
}
