//! An installation over a test database, with a simulated WAHA server and an organization.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;
use waha_client::events::{SIGNATURE_ALGORITHM_HEADER, SIGNATURE_HEADER, sign};
use waha_sim::{Status, WahaSim, WahaSimBuilder};
use wahana_domain::{Clock as _, SystemClock};
use wahana_testkit::{database::TestDatabase, reserved_port::ReservedPort};

use super::process::Process;
use crate::installation::Installation;

const UPSTREAM_KEY: &str = "upstream-key-of-the-platform";
/// Nobody listens there: what WAHA tells comes from the tests themselves.
const NOBODY: &str = "127.0.0.1:9";

pub(super) struct World<'a> {
    pub(super) database: &'a TestDatabase,
    pub(super) installation: Installation,
    /// For the processes' logs.
    pub(super) folder: TempDir,
    pub(super) sim: WahaSim,
    pub(super) http: reqwest::Client,
    /// What the owner of the organization Shops says who they are with.
    pub(super) bearer: String,
    /// Where each process listens, one at a time; `None` for any free port.
    port: Option<ReservedPort>,
    hook_path: String,
    hook_key: SecretString,
    processes: AtomicU32,
}

impl<'a> World<'a> {
    pub(super) async fn new(database: &'a TestDatabase) -> Self {
        Self::with(database, WahaSim::builder(), "").await
    }

    /// With such a WAHA, and these settings besides.
    pub(super) async fn with(database: &'a TestDatabase, sim: WahaSimBuilder, more: &str) -> Self {
        Self::at(None, database, sim, more).await
    }

    /// The same, and the WAHA tells what happens to whichever process there is.
    pub(super) async fn told_by_waha(database: &'a TestDatabase, sim: WahaSimBuilder, more: &str) -> Self {
        let port = ReservedPort::at((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self::at(Some(port), database, sim, more).await
    }

    async fn at(
        port: Option<ReservedPort>,
        database: &'a TestDatabase,
        sim: WahaSimBuilder,
        more: &str,
    ) -> Self {
        // Another world of the same process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sim = sim.api_key(UPSTREAM_KEY).time_scale(0.02).start().await.unwrap();
        let installation = Installation::empty();
        installation.run(&["keys", "init"]).expect_success();
        let url = database.settings().url;
        let hook_at = port
            .as_ref()
            .map_or(NOBODY.to_owned(), |port| port.address().to_string());
        let hook_url = format!("http://{hook_at}");
        let settings = format!(
            "hook_url = {hook_url:?}\n[database]\nurl = {:?}\nmax_connections = 4\n\
             [reconcile]\ninterval_seconds = 1\n[sync]\nmax_age_seconds = 1\n{more}",
            url.expose_secret()
        );
        installation.write("wahana.toml", &settings);
        installation
            .add_server("one", &sim.base_url(), UPSTREAM_KEY)
            .expect_success();
        let hook = installation.run(&["--json", "servers", "hook", "one"]).json();
        let bearer = owner_of(&installation, "Shops");
        let hook_path = hook["WHATSAPP_HOOK_URL"].as_str().unwrap();
        Self {
            hook_path: hook_path.strip_prefix(&hook_url).unwrap().to_owned(),
            hook_key: hook["WHATSAPP_HOOK_HMAC_KEY"].as_str().unwrap().into(),
            bearer,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            folder: tempfile::tempdir().unwrap(),
            processes: AtomicU32::new(0),
            port,
            database,
            installation,
            sim,
        }
    }

    /// Where the next process listens.
    pub(super) fn address(&self) -> String {
        self.port
            .as_ref()
            .map_or("127.0.0.1:0".to_owned(), |port| port.address().to_string())
    }

    pub(super) fn next_number(&self) -> u32 {
        self.processes.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes an organization besides Shops, and says what its owner says who they are with.
    pub(super) fn organization(&self, name: &str) -> String {
        owner_of(&self.installation, name)
    }

    /// Makes a session, which starts or not, and says what it is called on WAHA.
    pub(super) async fn session(&self, process: &Process, name: &str, starts: bool) -> String {
        self.session_of(&self.bearer, process, name, starts).await
    }

    /// The same for another organization; names are not to be those of another's sessions.
    pub(super) async fn session_of(
        &self,
        bearer: &str,
        process: &Process,
        name: &str,
        starts: bool,
    ) -> String {
        let url = format!("http://{}/api/waha/sessions", process.address);
        let request = self.http.post(url).header("authorization", bearer);
        // NOWEB keeps messages, and can be asked for them, only with its store.
        let configuration = json!({"noweb": {"store": {"enabled": true}}});
        let body = json!({"session_name": name, "start": starts, "configuration": configuration});
        let answer = request.json(&body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, StatusCode::CREATED, "{text}");
        let query = format!("SELECT waha_name FROM sessions WHERE session_name = '{name}'");
        self.texts(&query).await.remove(0)
    }

    /// Hands in a text that is sent so far ahead; says which message it is.
    pub(super) async fn send_later(
        &self,
        process: &Process,
        session: &str,
        text: &str,
        ahead: Duration,
    ) -> String {
        let body = json!({"text": text});
        self.hand_in_ahead(process, session, "send-text", body, ahead)
            .await
    }

    /// The same with a picture, in base64, above the text.
    pub(super) async fn send_file_later(
        &self,
        process: &Process,
        session: &str,
        text: &str,
        data: &str,
        ahead: Duration,
    ) -> String {
        let body = json!({"media": {"data": data, "mimetype": "image/png"}, "caption": text});
        self.hand_in_ahead(process, session, "send-media", body, ahead)
            .await
    }

    /// Sends a picture, in base64, above a text. Whoever waits for it hears nothing if the process is killed.
    pub(super) fn send_file_now(&self, process: &Process, session: &str, text: &str, data: &str) {
        let url = format!(
            "http://{}/api/waha/sessions/{session}/send-media",
            process.address
        );
        let media = json!({"data": data, "mimetype": "image/png"});
        let body = json!({"to": "+15550102030", "media": media, "caption": text});
        let request = self.http.post(url).header("authorization", &self.bearer);
        tokio::spawn(request.json(&body).send());
    }

    async fn hand_in_ahead(
        &self,
        process: &Process,
        session: &str,
        operation: &str,
        mut body: Value,
        ahead: Duration,
    ) -> String {
        let url = format!(
            "http://{}/api/waha/sessions/{session}/{operation}",
            process.address
        );
        let request = self.http.post(url).header("authorization", &self.bearer);
        body["to"] = "+15550102030".into();
        body["send_at"] = SystemClock.now().plus(ahead).to_string().into();
        let answer = request.json(&body).send().await.unwrap();
        let (status, answer) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["data"]["message_id"].as_str().unwrap().to_owned()
    }

    /// Lets the messages of an organization be sent again that WAHA does not have.
    pub(super) async fn resend_lost_messages(&self, bearer: &str, process: &Process) {
        let url = format!("http://{}/api/waha/organization", process.address);
        let request = self.http.patch(url).header("authorization", bearer);
        let wanted = json!({"resends_lost_messages": true});
        let answer = request.json(&wanted).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }

    /// Hands in a text with a key of its own; says which message it is, if that was answered.
    pub(super) async fn hand_in(
        &self,
        bearer: &str,
        process: &Process,
        session: &str,
        text: &str,
    ) -> Option<String> {
        let url = format!("http://{}/api/waha/sessions/{session}/send-text", process.address);
        let request = self
            .http
            .post(url)
            .header("authorization", bearer)
            .header("prefer", "respond-async")
            .header("idempotency-key", text);
        let body = json!({"to": "+15550102030", "text": text});
        let answer = request.json(&body).send().await.ok()?;
        let status = answer.status();
        let answer: Value = answer.json().await.ok()?;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
        Some(answer["data"]["message_id"].as_str().unwrap().to_owned())
    }

    /// Sends a text with a key of its own and waits for the answer; `None` if there was none.
    pub(super) fn sending(
        &self,
        process: &Process,
        session: &str,
        text: &str,
    ) -> impl Future<Output = Option<(u16, Value)>> + Send + 'static {
        let url = format!("http://{}/api/waha/sessions/{session}/send-text", process.address);
        let request = self
            .http
            .post(url)
            .header("authorization", &self.bearer)
            .header("idempotency-key", text)
            .json(&json!({"to": "+15550102030", "text": text}));
        async move {
            let answer = request.send().await.ok()?;
            let status = answer.status().as_u16();
            Some((status, answer.json().await.ok()?))
        }
    }

    /// Makes a session that is paired with a number, and wahana knows that it works.
    pub(super) async fn working(&self, process: &Process, name: &str, number: &str) -> String {
        self.working_of(&self.bearer, process, name, number).await
    }

    /// The same for another organization.
    pub(super) async fn working_of(
        &self,
        bearer: &str,
        process: &Process,
        name: &str,
        number: &str,
    ) -> String {
        let waha_name = self.session_of(bearer, process, name, true).await;
        self.sim.wait_for_status(&waha_name, Status::ScanQrCode).await;
        self.sim.pair_with(&waha_name, number).unwrap();
        self.sim.wait_for_status(&waha_name, Status::Working).await;
        let query = format!("SELECT status FROM sessions WHERE session_name = '{name}'");
        eventually(async || self.texts(&query).await == ["working"]).await;
        waha_name
    }

    /// Sends an event as WAHA does; an error if there was no answer.
    pub(super) async fn deliver(&self, address: &str, event: &Value) -> reqwest::Result<StatusCode> {
        let body = event.to_string();
        let signature = sign(&self.hook_key, body.as_bytes()).unwrap();
        let url = format!("http://{address}{}", self.hook_path);
        let request = self
            .http
            .post(url)
            .header("content-type", "application/json")
            .header(SIGNATURE_HEADER, signature)
            .header(SIGNATURE_ALGORITHM_HEADER, "sha512");
        Ok(request.body(body).send().await?.status())
    }

    /// Lets the database refuse something, such as `UPDATE ON messages`, of the rows for which a condition holds.
    pub(super) async fn hold(&self, what: &str, when: &str) {
        let when = if when.is_empty() {
            String::new()
        } else {
            format!("WHEN ({when})")
        };
        let hold = if self.database.is_postgres() {
            format!(
                "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN RAISE EXCEPTION 'not now'; END $$;
                 CREATE TRIGGER hold BEFORE {what} FOR EACH ROW {when} EXECUTE FUNCTION hold()"
            )
        } else {
            format!("CREATE TRIGGER hold BEFORE {what} {when} BEGIN SELECT RAISE(ABORT, 'not now'); END")
        };
        self.database.execute_unguarded(&hold).await;
    }

    /// Lets the database do it again.
    pub(super) async fn let_go(&self, what: &str) {
        let let_go = if self.database.is_postgres() {
            let table = what.rsplit(' ').next().unwrap();
            format!("DROP TRIGGER hold ON {table}; DROP FUNCTION hold()")
        } else {
            "DROP TRIGGER hold".to_owned()
        };
        self.database.execute_unguarded(&let_go).await;
    }

    pub(super) async fn texts(&self, query: &str) -> Vec<String> {
        self.database.texts_unguarded(query).await
    }

    pub(super) async fn number(&self, query: &str) -> usize {
        self.texts(query).await.remove(0).parse().unwrap()
    }

    pub(super) fn calls(&self, route: &str) -> u64 {
        self.sim.counts().route(route)
    }
}

/// Makes an organization with an owner, and says what they say who they are with.
fn owner_of(installation: &Installation, organization: &str) -> String {
    let email = format!("owner@{}.example", organization.to_lowercase());
    let run = |line: &str| {
        let arguments: Vec<&str> = line.split(' ').collect();
        installation.run(&arguments)
    };
    run(&format!("organizations create --name {organization}")).expect_success();
    let user = format!("users create --email {email} --organization {organization} --role owner");
    run(&user).expect_success();
    let token = format!("--json tokens create --organization {organization} --user {email}");
    format!("Bearer {}", run(&token).json()["bearer"].as_str().unwrap())
}

/// Looks again and again until something is so; the test runner ends a test that waits in vain.
pub(super) async fn eventually(mut is_so: impl AsyncFnMut() -> bool) {
    while !is_so().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
