//! The files of messages, for those who may read messages and for those who have a link.

use axum::http::{Method, StatusCode};
use wahana_domain::{MediaState, MessageId};
use wahana_service::media;
use wahana_store::media_files;

use crate::wahana::{Answer, Wahana};

const TEXT: &str = "0123456789";

async fn get(wahana: &Wahana, message: MessageId, headers: &[(&str, &str)]) -> Answer {
    let path = format!("/api/waha/messages/{message}/media");
    wahana.ask(&path, headers).await
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_file_comes_whole_in_parts_or_not_at_all() {
    let wahana = Wahana::start().await;
    let (message, file) = wahana
        .insert_file("application/pdf", Some("offer.pdf"), TEXT)
        .await;
    let whole = get(&wahana, message, &[]).await;
    assert_eq!((whole.status, whole.text.as_str()), (StatusCode::OK, TEXT));
    let tag = format!("\"{}\"", file.stored.unwrap().sha256);
    for (name, value) in [
        ("content-type", "application/pdf"),
        ("content-length", "10"),
        ("accept-ranges", "bytes"),
        ("etag", tag.as_str()),
        ("cache-control", "private, no-cache"),
        ("x-content-type-options", "nosniff"),
        (
            "content-disposition",
            "attachment; filename=\"offer.pdf\"; filename*=UTF-8''offer.pdf",
        ),
    ] {
        assert_eq!(header(&whole, name), Some(value), "{name}");
    }
    assert!(header(&whole, "vary").unwrap().contains("Authorization"));

    let part = get(&wahana, message, &[("range", "bytes=3-5")]).await;
    assert_eq!(
        (part.status, part.text.as_str()),
        (StatusCode::PARTIAL_CONTENT, "345")
    );
    assert_eq!(header(&part, "content-range"), Some("bytes 3-5/10"));
    assert_eq!(header(&part, "content-length"), Some("3"));
    let resumed = get(&wahana, message, &[("range", "bytes=8-"), ("if-range", &tag)]).await;
    assert_eq!(
        (resumed.status, resumed.text.as_str()),
        (StatusCode::PARTIAL_CONTENT, "89")
    );

    let known = get(&wahana, message, &[("if-none-match", &tag)]).await;
    assert_eq!(
        (known.status, known.text.as_str()),
        (StatusCode::NOT_MODIFIED, "")
    );
    assert_eq!(header(&known, "etag"), Some(tag.as_str()));

    let beyond = get(&wahana, message, &[("range", "bytes=10-")]).await;
    assert_eq!(beyond.refusal(), (416, "RANGE_NOT_SATISFIABLE".to_owned()));
    assert_eq!(header(&beyond, "content-range"), Some("bytes */10"));
    assert_eq!(header(&beyond, "etag"), None);
}

#[tokio::test]
async fn what_a_browser_could_run_is_saved_and_runs_nowhere() {
    let wahana = Wahana::start().await;
    let page = "<script>alert(document.cookie)</script>";
    for media_type in ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml"] {
        let (message, _) = wahana.insert_file(media_type, Some("x.html"), page).await;
        let answer = get(&wahana, message, &[]).await;
        assert_eq!(answer.text, page);
        let disposition = header(&answer, "content-disposition").unwrap();
        assert!(
            disposition.starts_with("attachment"),
            "{media_type}: {disposition}"
        );
        assert_eq!(header(&answer, "x-content-type-options"), Some("nosniff"));
        let policy = header(&answer, "content-security-policy").unwrap();
        assert!(
            policy.contains("sandbox") && policy.contains("default-src 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("allow-"), "{policy}");
    }
    let (picture, _) = wahana.insert_file("image/png", None, "not really").await;
    let answer = get(&wahana, picture, &[]).await;
    assert!(
        header(&answer, "content-disposition")
            .unwrap()
            .starts_with("inline")
    );
    assert!(
        header(&answer, "content-security-policy")
            .unwrap()
            .contains("sandbox")
    );
}

#[tokio::test]
async fn a_file_that_is_not_there_says_why() {
    let wahana = Wahana::start().await;
    let waiting = wahana.insert_lost_file(MediaState::Waiting).await;
    assert_eq!(
        get(&wahana, waiting, &[]).await.refusal(),
        (409, "CONFLICT".to_owned())
    );
    for state in [MediaState::Expired, MediaState::Failed] {
        let lost = wahana.insert_lost_file(state).await;
        let answer = get(&wahana, lost, &[]).await;
        assert_eq!(answer.refusal(), (404, "NOT_FOUND".to_owned()));
        assert!(answer.text.contains("not kept any more"), "{}", answer.text);
    }
    let without = wahana.insert_message().await;
    let answer = get(&wahana, without, &[]).await;
    assert_eq!(answer.refusal(), (404, "NOT_FOUND".to_owned()));
    assert!(answer.text.contains("File not found"), "{}", answer.text);
    for (message, path) in [
        (MessageId::new().to_string(), ""),
        ("no-id".to_owned(), "?range=x"),
    ] {
        let path = format!("/api/waha/messages/{message}/media{path}");
        let answer = wahana.ask(&path, &[]).await;
        assert_eq!(answer.refusal(), (404, "NOT_FOUND".to_owned()));
        assert!(answer.text.contains("Message not found"), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_link_opens_its_file_without_a_credential() {
    let wahana = Wahana::start().await;
    let (_, file) = wahana.insert_file("text/html", None, TEXT).await;
    let url = media::link(&wahana.services, file.organization_id, file.id).unwrap();
    assert!(url.as_str().starts_with("http://wahana.test/media/"), "{url}");
    let open = async |path: &str, range: Option<&str>| {
        let mut request = axum::http::Request::builder().method(Method::GET).uri(path);
        if let Some(range) = range {
            request = request.header("range", range);
        }
        wahana
            .request(request.body(axum::body::Body::empty()).unwrap())
            .await
    };
    let path = &url[url::Position::BeforePath..];
    let answer = open(path, None).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, TEXT));
    assert_eq!(header(&answer, "referrer-policy"), Some("no-referrer"));
    assert_eq!(header(&answer, "cache-control"), Some("private, no-cache"));
    assert!(
        header(&answer, "content-disposition")
            .unwrap()
            .starts_with("attachment")
    );
    assert_eq!(open(path, Some("bytes=0-0")).await.text, "0");

    for broken in [
        path.replace("expires=", "expires=1"),
        path.replace("signature=", "signature=0"),
        path.replace("expires=", "x=1&expires="),
        format!("{path}&x=1"),
        path.split('?').next().unwrap().to_owned(),
        path.replace(&file.organization_id.to_string(), &file.id.to_string()),
        format!("/media/{}/..%2f{}", file.organization_id, file.id),
    ] {
        assert_eq!(
            open(&broken, None).await.refusal(),
            (404, "NOT_FOUND".to_owned()),
            "{broken}"
        );
    }
    // One that is still fetched is there soon.
    let waiting = wahana.insert_lost_file(MediaState::Waiting).await;
    let tx = wahana.store().read(wahana.tenant).await.unwrap();
    let waiting = media_files::of_message(&tx, waiting).await.unwrap().unwrap();
    drop(tx);
    let url = media::link(&wahana.services, waiting.organization_id, waiting.id).unwrap();
    let answer = open(&url[url::Position::BeforePath..], None).await;
    assert_eq!(answer.refusal(), (409, "CONFLICT".to_owned()));
    // It opens nothing else.
    let answer = open("/api/waha/sessions", None).await;
    assert_eq!(answer.refusal(), (401, "UNAUTHENTICATED".to_owned()));
}
