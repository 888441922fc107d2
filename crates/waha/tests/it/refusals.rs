//! What refusals mean.

use axum::body::Body;
use axum::http::Response;
use waha_client::{NumberRestriction, Outcome, SessionStatus, WahaError};

use crate::fake::{FakeWaha, TEXT, fixture, shows_nothing_private};

/// The error of a send that is answered in this way.
async fn refused(status: u16, name: &str) -> WahaError {
    FakeWaha::with_fixture(status, name)
        .await
        .client
        .send_text("main", &TEXT)
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_wrong_or_narrow_key_is_told_apart_by_its_status() {
    for (status, name) in [(401, "errors/key-refused.json"), (403, "errors/forbidden.json")] {
        let error = refused(status, name).await;
        assert_eq!(error, WahaError::KeyRefused { status });
        assert_eq!((error.kind(), error.outcome()), ("key_refused", Outcome::Refused));
        shows_nothing_private(&error);
    }
}

#[tokio::test]
async fn unknown_sessions_have_one_error_whatever_the_status() {
    assert_eq!(
        refused(422, "errors/unknown-on-send.json").await,
        WahaError::UnknownSession
    );
    assert_eq!(
        refused(404, "errors/session-not-found.json").await,
        WahaError::UnknownSession
    );
    assert_eq!(
        refused(404, "errors/not-running.json").await,
        WahaError::NotRunning
    );
}

#[tokio::test]
async fn a_wrong_state_names_the_state_and_those_expected() {
    let error = refused(422, "errors/wrong-state.json").await;
    let expected = vec![SessionStatus::Working];
    assert_eq!(
        error,
        WahaError::WrongState {
            status: SessionStatus::Failed,
            expected
        }
    );
    assert_eq!(error.outcome(), Outcome::Refused);
    let error = refused(422, "errors/wrong-state-qr.json").await;
    let expected = vec![SessionStatus::ScanQrCode];
    assert_eq!(
        error,
        WahaError::WrongState {
            status: SessionStatus::Working,
            expected
        }
    );
}

#[tokio::test]
async fn a_state_that_is_no_word_of_wahas_does_not_show() {
    let body =
        r#"{"error":"private words","session":"main","status":"private words","expected":["private words"]}"#;
    let error = FakeWaha::answering(422, body)
        .await
        .client
        .send_text("main", &TEXT)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "rejected");
    shows_nothing_private(&error);
}

#[tokio::test]
async fn features_that_are_missing_are_unsupported() {
    for (status, name) in [
        (422, "errors/plus-only.json"),
        (422, "errors/core-one-session.json"),
        (422, "errors/not-in-edition.json"),
        (422, "errors/engine-method.json"),
        (400, "errors/store-disabled.json"),
        (404, "errors/no-such-call.json"),
    ] {
        let error = refused(status, name).await;
        assert_eq!(
            (error.kind(), error.outcome()),
            ("unsupported", Outcome::Refused),
            "{name}"
        );
    }
    let said = r#"{"message":"The method is not implemented by 'GOWS' engine.","error":"Not Implemented","statusCode":501}"#;
    let waha = FakeWaha::answering(501, said).await;
    assert_eq!(
        waha.client.send_text("main", &TEXT).await.unwrap_err().kind(),
        "unsupported"
    );
}

#[tokio::test]
async fn faulty_input_is_rejected_with_wahas_words_for_the_person_only() {
    let error = refused(400, "errors/bad-name.json").await;
    let WahaError::Rejected { status: 400, message } = &error else {
        panic!("{error:?}")
    };
    assert!(
        message.as_str().starts_with("Session name can only contain"),
        "{}",
        message.as_str()
    );
    assert!(!format!("{error} {error:?}").contains("Session name"));

    let waha = FakeWaha::answering(
        422,
        r#"{"message":"no account for 15550001111","statusCode":422}"#,
    )
    .await;
    shows_nothing_private(&waha.client.send_text("main", &TEXT).await.unwrap_err());
}

#[tokio::test]
async fn missing_messages_are_not_found_whatever_the_status() {
    assert_eq!(
        refused(404, "errors/message-not-found.json").await,
        WahaError::NotFound
    );
    assert_eq!(
        refused(422, "errors/message-not-found-422.json").await,
        WahaError::NotFound
    );
    assert_eq!(
        refused(404, "errors/file-missing.json").await,
        WahaError::NotFound
    );
}

#[tokio::test]
async fn an_exception_keeps_its_name_and_nothing_that_it_repeats() {
    for name in ["errors/exception.json", "errors/exception-boom.json"] {
        let error = refused(500, name).await;
        let exception_name = Some("Error".to_owned());
        assert_eq!(
            error,
            WahaError::ServerError {
                status: 500,
                exception_name,
                restriction: None,
            }
        );
        assert_eq!(
            (error.kind(), error.outcome()),
            ("server_error", Outcome::Unknown)
        );
        shows_nothing_private(&error);
    }
    let posing = r#"{"statusCode":500,"exception":{"name":"private words","message":"private words"}}"#;
    let error = FakeWaha::answering(500, posing)
        .await
        .client
        .send_text("main", &TEXT)
        .await
        .unwrap_err();
    assert_eq!(
        error,
        WahaError::ServerError {
            status: 500,
            exception_name: None,
            restriction: None,
        }
    );
}

#[tokio::test]
async fn an_exception_that_names_whatsapps_restriction_says_which() {
    for (said, restriction) in [
        ("463", Some(NumberRestriction::TimeLock)),
        ("failed with error 475: capped", Some(NumberRestriction::Capping)),
        (
            "2 UNKNOWN: server returned error 463",
            Some(NumberRestriction::TimeLock),
        ),
        ("4630", None),
        ("no answer within 463 ms", None),
        ("not-authorized", None),
    ] {
        let body = format!(r#"{{"statusCode":500,"exception":{{"name":"Error","message":"{said}"}}}}"#);
        let waha = FakeWaha::answering(500, body).await;
        let error = waha.client.send_text("main", &TEXT).await.unwrap_err();
        assert_eq!(error.restriction(), restriction, "{said}");
        let outcome = restriction.map_or(Outcome::Unknown, |_| Outcome::Refused);
        assert_eq!(error.outcome(), outcome, "{said}");
    }
}

#[tokio::test]
async fn when_a_restriction_ends_is_told_by_waha_if_it_can() {
    let ends = async |status, body: &'static str, restriction| {
        let waha = FakeWaha::answering(status, body).await;
        let end = waha.client.restriction_end("main", restriction).await;
        (waha.request().target, end.map_err(|error| error.kind()))
    };
    let (lock, cap) = (NumberRestriction::TimeLock, NumberRestriction::Capping);
    for (status, body, restriction, target, end) in [
        (
            200,
            r#"{"isActive":true,"timeEnforcementEnds":1800000000}"#,
            lock,
            "timelock",
            Ok(Some(1_800_000_000)),
        ),
        (
            200,
            r#"{"timeEnforcementEnds":"2027-01-15T08:00:00Z"}"#,
            lock,
            "timelock",
            Ok(Some(1_800_000_000)),
        ),
        (
            200,
            r#"{"cappingStatus":"CAPPED","cycleEnd":1800000000}"#,
            cap,
            "capping",
            Ok(Some(1_800_000_000)),
        ),
        (
            200,
            r#"{"cappingStatus":"NONE","cycleEnd":null}"#,
            cap,
            "capping",
            Ok(None),
        ),
        (200, "", lock, "timelock", Ok(None)),
        (
            404,
            r#"{"statusCode":404,"message":"Cannot GET /api/sessions/main/timelock"}"#,
            lock,
            "timelock",
            Err("unsupported"),
        ),
    ] {
        let asked = (format!("/api/sessions/main/{target}"), end);
        assert_eq!(ends(status, body, restriction).await, asked, "{body}");
    }
}

#[tokio::test]
async fn an_exception_that_repeats_a_huge_request_is_not_read_to_its_end() {
    let body = format!(
        r#"{{"statusCode":500,"exception":{{"message":"request entity too large","name":"PayloadTooLargeError"}},"request":{{"body":"{}"}}}}"#,
        "A".repeat(1024 * 1024)
    );
    let error = FakeWaha::answering(500, body)
        .await
        .client
        .send_text("main", &TEXT)
        .await
        .unwrap_err();
    let exception_name = Some("PayloadTooLargeError".to_owned());
    assert_eq!(
        error,
        WahaError::ServerError {
            status: 500,
            exception_name,
            restriction: None,
        }
    );
    assert_eq!(error.outcome(), Outcome::Refused);
}

#[tokio::test]
async fn a_lock_that_was_never_had_is_busy_and_refused() {
    let error = refused(500, "errors/lock-timed-out.json").await;
    assert_eq!((error.kind(), error.outcome()), ("busy", Outcome::Refused));
}

#[tokio::test]
async fn a_proxys_failure_is_a_server_error_with_an_unknown_outcome() {
    let waha = FakeWaha::responding(|| {
        let page = "<html><body>Bad Gateway</body></html>";
        Response::builder()
            .status(502)
            .header("Content-Type", "text/html")
            .body(Body::from(page))
            .unwrap()
    })
    .await;
    let error = waha.client.send_text("main", &TEXT).await.unwrap_err();
    assert_eq!(
        error,
        WahaError::ServerError {
            status: 502,
            exception_name: None,
            restriction: None,
        }
    );
    assert_eq!(error.outcome(), Outcome::Unknown);
}

#[tokio::test]
async fn web_pages_and_strange_json_are_broken_answers_and_not_quoted() {
    for (status, body, what, outcome) in [
        (
            200,
            "<!DOCTYPE html><html>private words</html>",
            "web page",
            Outcome::Unknown,
        ),
        (404, "<html>private words</html>", "web page", Outcome::Refused),
        (200, r#"[{"private words":"#, "not JSON", Outcome::Unknown),
        (200, r#""private words""#, "another shape", Outcome::Unknown),
        (
            200,
            r#"[{"name":"main","status":["private words"]}]"#,
            "another shape",
            Outcome::Unknown,
        ),
        (200, "", "empty", Outcome::Unknown),
    ] {
        let error = FakeWaha::answering(status, body)
            .await
            .client
            .list_sessions()
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome()),
            ("broken_answer", outcome),
            "{body}"
        );
        assert!(error.to_string().contains(what), "{error}");
        shows_nothing_private(&error);
    }
}

#[test]
fn fixtures_of_exceptions_do_repeat_what_must_not_show() {
    let body = String::from_utf8(fixture("errors/exception.json")).unwrap();
    assert!(body.contains("private words") && body.contains("activity.js"));
}
