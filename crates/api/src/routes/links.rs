//! What a browser shows for the links of invitations and password resets, until there is a web app: a page
//! that says what the link is for and how it is used by the API. What is secret in a link stands behind its
//! `#`, which no browser sends, so the page is the same for everybody.

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};

use crate::state::ApiState;

/// The page loads nothing, runs nothing and is shown in no other.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// What a link is for, in a language.
struct Words {
    language: &'static str,
    title: &'static str,
    purpose: &'static str,
    how: &'static str,
}

const INVITATION: [Words; 2] = [
    Words {
        language: "en",
        title: "Invitation",
        purpose: "With this link you join an organization on wahana.",
        how: "wahana has no page for this yet. Whoever runs it can accept the invitation with you, by the API:",
    },
    Words {
        language: "id",
        title: "Undangan",
        purpose: "Dengan tautan ini Anda bergabung dengan sebuah organisasi di wahana.",
        how: "wahana belum punya halaman untuk ini. Pengelolanya dapat menerima undangan bersama Anda, lewat API:",
    },
];
const INVITATION_CALL: &str = r#"POST /api/auth/invitations/accept
{"token": "…", "display_name": "…", "password": "…"}"#;

const PASSWORD_RESET: [Words; 2] = [
    Words {
        language: "en",
        title: "A new password",
        purpose: "With this link you choose a new password for wahana.",
        how: "wahana has no page for this yet. Whoever runs it can set the password with you, by the API:",
    },
    Words {
        language: "id",
        title: "Kata sandi baru",
        purpose: "Dengan tautan ini Anda memilih kata sandi baru untuk wahana.",
        how: "wahana belum punya halaman untuk ini. Pengelolanya dapat mengatur kata sandi bersama Anda, lewat API:",
    },
];
const PASSWORD_RESET_CALL: &str = r#"POST /api/auth/password-reset
{"token": "…", "password": "…"}"#;

pub(super) fn router() -> Router<ApiState> {
    Router::new()
        .route(
            "/invitation",
            get(async |headers: HeaderMap| page(&headers, &INVITATION, INVITATION_CALL)),
        )
        .route(
            "/password-reset",
            get(async |headers: HeaderMap| page(&headers, &PASSWORD_RESET, PASSWORD_RESET_CALL)),
        )
}

fn page(headers: &HeaderMap, [english, indonesian]: &[Words; 2], call: &str) -> Response {
    let (words, token) = if prefers_indonesian(headers) {
        (
            indonesian,
            "token adalah bagian tautan ini setelah tanda #. Jangan berikan kepada orang lain.",
        )
    } else {
        (
            english,
            "token is the part of this link behind the #. Give it to nobody else.",
        )
    };
    let Words {
        language,
        title,
        purpose,
        how,
    } = words;
    let html = format!(
        "<!doctype html>\n<html lang=\"{language}\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title} - wahana</title>\n\
         <h1>{title}</h1>\n<p>{purpose}</p>\n<p>{how}</p>\n<pre>{call}</pre>\n<p>{token}</p>\n</html>\n"
    );
    (
        [
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::REFERRER_POLICY, NO_REFERRER),
        ],
        Html(html),
    )
        .into_response()
}

/// Whether Indonesian is named before English.
fn prefers_indonesian(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let mut languages = accepted
        .split(',')
        .filter_map(|range| range.trim().get(..2))
        .map(str::to_ascii_lowercase)
        .filter(|language| language == "id" || language == "en");
    languages.next().is_some_and(|language| language == "id")
}
