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

on_both_databases!(attempts_leave_lines_without_secrets);

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

async fn attempts_leave_lines_without_secrets(database: &TestDatabase) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter("wahana_api=trace,wahana_service=trace,wahana_store=trace")
        .with_writer(move || writer.clone())
        .finish();
    let _until_the_end = tracing::subscriber::set_default(subscriber);

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
