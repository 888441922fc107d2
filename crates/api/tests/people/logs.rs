//! What the log says of people who sign in, and what it never says.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use axum::http::StatusCode;
use serde_json::{Value, json};
use wahana_domain::{Abilities, Role};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::wahana::{Call, PASSWORD, Wahana, login, me, reset};

on_both_databases!(
    attempts_leave_lines_without_secrets,
    lines_say_what_is_known_and_no_more
);

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The fields of the lines with this message.
    fn saying(&self, message: &str) -> Vec<Value> {
        let text = self.text();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let fields = lines.map(|line| line["fields"].clone());
        fields.filter(|fields| fields["message"] == message).collect()
    }
}

/// Records what is logged for as long as the guard lives.
fn record() -> (Lines, tracing::subscriber::DefaultGuard) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter("wahana_api=trace,wahana_service=trace,wahana_store=trace")
        .with_writer(move || writer.clone())
        .finish();
    (lines, tracing::subscriber::set_default(subscriber))
}

async fn lines_say_what_is_known_and_no_more(database: &TestDatabase) {
    let (lines, _until_the_end) = record();
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let person = wahana
        .member(organization, "person@example.com", Role::Owner)
        .await;
    let bearer = wahana.token(organization, &person, Abilities::All).await;
    let get = |path: &str| Call::get(path).with_token(&bearer);
    wahana
        .send(get("/api/waha/organization"))
        .await
        .is(StatusCode::OK);
    wahana.send(get("/healthz")).await.is(StatusCode::OK);
    wahana
        .send(get("/nowhere/at/all"))
        .await
        .is(StatusCode::NOT_FOUND);
    wahana
        .send(get("/api/waha/sessions/x/status"))
        .await
        .is(StatusCode::NOT_FOUND);
    let answered = lines.saying("request answered");
    let of = |route: &str| {
        let mut of_route = answered.iter().filter(|fields| fields["http.route"] == route);
        of_route.next().unwrap().clone()
    };
    let line = of("/api/waha/organization");
    let (token, _) = bearer.split_once('|').unwrap();
    assert_eq!(line["token.id"], token);
    assert_eq!(line["user.id"], person.id.to_string());
    let micros = line["duration_ms"].as_f64().unwrap() * 1000.0;
    assert!((micros - micros.round()).abs() < 1e-6, "{line}");
    assert_eq!(of("unknown route")["http.status"], 404);
    assert_eq!(of("/api/waha/sessions/{sessionId}/status")["http.status"], 404);
    let text = lines.text();
    let healthz = text.lines().find(|line| line.contains("\"/healthz\"")).unwrap();
    assert!(healthz.contains("\"DEBUG\""), "{healthz}");

    // Somebody who hangs up has a line too.
    let hung_up = "the caller hung up before the answer; what was begun on WAHA is ended all the same";
    assert_eq!(lines.saying(hung_up).len(), 0);
    // To sign in takes longer than one look at it.
    let call = login("person@example.com", PASSWORD).header("x-request-id", "hung-up-1");
    let mut asked = Box::pin(wahana.send(call));
    let _ = futures_util::poll!(&mut asked);
    drop(asked);
    let hung_up = lines.saying(hung_up);
    assert_eq!(hung_up.len(), 1);
    assert_eq!(hung_up[0]["request.id"], "hung-up-1");
    assert_eq!(hung_up[0]["http.route"], "/api/auth/login");
}

async fn attempts_leave_lines_without_secrets(database: &TestDatabase) {
    let (lines, _until_the_end) = record();
    let wahana = Wahana::on(database).await;
    let organization = wahana.organization("Kopi").await;
    let person = wahana
        .member(organization, "person@example.com", Role::Owner)
        .await;
    let cookie = wahana.sign_in(&person).await;
    wahana.send(me(&cookie)).await.is(StatusCode::OK);
    let wrong = login(&person.email, "wrong horse battery").header("x-request-id", "attempt-1");
    wahana.send(wrong).await.is(StatusCode::UNAUTHORIZED);
    // People type their password where the address belongs.
    wahana
        .send(login("wrong@horse.battery", PASSWORD))
        .await
        .is(StatusCode::UNAUTHORIZED);
    let link = wahana.reset_token(&person).await;
    wahana
        .send(reset(&link, "another horse battery"))
        .await
        .is(StatusCode::OK);
    let bearer = wahana.token(organization, &person, Abilities::All).await;
    let invite = json!({"email": "invited@example.com", "role": "viewer"});
    let invite = Call::post("/api/waha/invitations", &invite).with_token(&bearer);
    let invitation = wahana.send(invite).await.is(StatusCode::CREATED).link_token();

    let refused = lines.saying("sign-in refused");
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[0]["request.id"], "attempt-1");
    assert_eq!(refused[0]["source.address"], "192.0.2.1");
    assert_eq!(refused[0]["user.id"], person.id.to_string());
    assert_eq!(refused[1]["user.id"], json!(null));
    let answered = lines.saying("request answered");
    let attempt = answered.iter().find(|fields| fields["request.id"] == "attempt-1");
    let attempt = attempt.unwrap();
    assert_eq!(attempt["http.route"], "/api/auth/login");
    assert_eq!(attempt["error.code"], "UNAUTHENTICATED");

    let text = lines.text();
    let behind = |token: &str, mark: char| token.split_once(mark).unwrap().1.to_owned();
    for secret in [
        PASSWORD.to_owned(),
        "wrong horse".to_owned(),
        "another horse".to_owned(),
        "person@example.com".to_owned(),
        "invited@example.com".to_owned(),
        "wrong@horse.battery".to_owned(),
        behind(&cookie, '.'),
        behind(&link, '.'),
        behind(&invitation, '.'),
        behind(&bearer, '|'),
    ] {
        assert!(!text.contains(&secret), "{secret}");
    }
}
