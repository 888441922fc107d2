//! A program of Acme's that its events are delivered to. It says what arrives, and can be stopped and started to see
//! how deliveries catch up.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use anyhow::Context as _;
use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wahana_domain::{WebhookSecret, WebhookStyle};

use crate::{config::Limits, http_server, output::print};

/// The receiver. Clones share it.
#[derive(Clone)]
pub(super) struct Receiver(Arc<Shared>);

struct Shared {
    /// Where deliveries arrive.
    address: SocketAddr,
    /// Where it is stopped and started, which is there also while it is stopped.
    control: SocketAddr,
    limits: OnceLock<Limits>,
    secret: OnceLock<WebhookSecret>,
    received: Mutex<Received>,
    running: tokio::sync::Mutex<Option<Running>>,
}

/// What arrived.
#[derive(Default)]
struct Received {
    ids: HashSet<String>,
    repeated: usize,
    wrongly_signed: usize,
}

struct Running {
    stop: CancellationToken,
    connections: TaskTracker,
    accepting: JoinHandle<()>,
}

/// What the control address says.
#[derive(Serialize)]
struct Standing {
    is_running: bool,
    /// How many different deliveries arrived.
    deliveries: usize,
    /// How many came once more.
    repeated: usize,
    wrongly_signed: usize,
}

/// What is shown of a delivery.
#[derive(Deserialize)]
struct Told {
    number: i64,
    r#type: String,
    session_name: Option<String>,
}

impl Receiver {
    /// Takes two free ports, and answers at neither before it is [served](Self::serve).
    pub(super) async fn bind() -> anyhow::Result<(Self, [TcpListener; 2])> {
        let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listeners = [bind().await?, bind().await?];
        let receiver = Self(Arc::new(Shared {
            address: listeners[0].local_addr()?,
            control: listeners[1].local_addr()?,
            limits: OnceLock::new(),
            secret: OnceLock::new(),
            received: Mutex::default(),
            running: tokio::sync::Mutex::default(),
        }));
        Ok((receiver, listeners))
    }

    /// Where deliveries arrive, as an operator opens it.
    pub(super) fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// The address of Acme's webhook.
    pub(super) fn hook_url(&self) -> String {
        format!("http://{}/hook", self.0.address)
    }

    /// Where it is stopped and started.
    pub(super) fn control_url(&self) -> String {
        format!("http://{}", self.0.control)
    }

    /// Takes deliveries that are signed with this secret.
    pub(super) async fn serve(
        &self,
        [hook, control]: [TcpListener; 2],
        secret: WebhookSecret,
        limits: Limits,
    ) -> anyhow::Result<()> {
        let is_first = self.0.secret.set(secret).is_ok() && self.0.limits.set(limits).is_ok();
        anyhow::ensure!(is_first, "the demo's receiver runs already");
        self.run(hook).await;
        let router = Router::new()
            .route("/", get(standing))
            .route("/stop", post(stop))
            .route("/start", post(start))
            .with_state(self.clone());
        let (for_ever, connections) = (CancellationToken::new(), TaskTracker::new());
        tokio::spawn(http_server::serve(control, router, limits, for_ever, connections));
        Ok(())
    }

    async fn run(&self, listener: TcpListener) {
        let Some(limits) = self.0.limits.get() else { return };
        let router = Router::new()
            .route("/hook", post(receive))
            .with_state(self.clone());
        let (stop, connections) = (CancellationToken::new(), TaskTracker::new());
        let serving = http_server::serve(listener, router, *limits, stop.clone(), connections.clone());
        *self.0.running.lock().await = Some(Running {
            stop,
            connections,
            accepting: tokio::spawn(serving),
        });
    }

    async fn start(&self) -> anyhow::Result<&'static str> {
        if self.0.running.lock().await.is_some() {
            return Ok("It runs already.\n");
        }
        let listener = TcpListener::bind(self.0.address).await;
        self.run(listener.context("its port was taken meanwhile")?).await;
        Ok(
            "It takes deliveries again. What failed comes by and by: five seconds after the first attempt, five minutes after the second.\n",
        )
    }

    async fn stop(&self) -> &'static str {
        let Some(running) = self.0.running.lock().await.take() else {
            return "It is stopped already.\n";
        };
        running.stop.cancel();
        running.connections.close();
        running.connections.wait().await;
        // Its port is free when it has ended, however that was.
        let _ = running.accepting.await;
        "It is stopped: connections to it are refused.\n"
    }

    async fn standing(&self) -> Standing {
        let is_running = self.0.running.lock().await.is_some();
        let received = self.0.received.lock().unwrap_or_else(PoisonError::into_inner);
        Standing {
            is_running,
            deliveries: received.ids.len(),
            repeated: received.repeated,
            wrongly_signed: received.wrongly_signed,
        }
    }

    /// Notes a delivery, and says in words what it is.
    fn take(&self, head: &HeaderMap, body: &[u8]) -> String {
        let header = |name| head.get(name).and_then(|value| value.to_str().ok());
        let id = header("webhook-id").unwrap_or("(none)");
        let secret = self.0.secret.get();
        let is_signed = secret
            .and_then(|secret| is_signed(secret, header, body))
            .unwrap_or(false);
        let is_new = {
            let mut received = self.0.received.lock().unwrap_or_else(PoisonError::into_inner);
            let is_new = received.ids.insert(id.to_owned());
            received.repeated += usize::from(!is_new);
            received.wrongly_signed += usize::from(!is_signed);
            is_new
        };
        let what = match serde_json::from_slice::<Told>(body) {
            Ok(told) => {
                let session = told
                    .session_name
                    .map_or_else(String::new, |name| format!(" of {name}"));
                format!("event {}, {}{session}", told.number, told.r#type)
            }
            Err(_) => "something that is no event".to_owned(),
        };
        let signature = if is_signed { "right" } else { "WRONG" };
        let again = if is_new { "" } else { ", AGAIN" };
        format!("Acme's webhook: {what}, delivery {id}, signature {signature}{again}\n")
    }
}

/// Whether one of the signatures is the secret's, as receivers of Standard Webhooks check it.
fn is_signed<'a>(
    secret: &WebhookSecret,
    header: impl Fn(&'static str) -> Option<&'a str>,
    body: &[u8],
) -> Option<bool> {
    let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    let mac = Hmac::<Sha256>::new_from_slice(&secret.key(WebhookStyle::Standard))
        .ok()?
        .chain_update(format!("{id}.{timestamp}."))
        .chain_update(body);
    let mut signatures = header("webhook-signature")?.split(' ');
    Some(signatures.any(|signature| {
        let code = signature.strip_prefix("v1,").map(str::as_bytes);
        code.and_then(|code| BASE64.decode(code).ok())
            .is_some_and(|code| mac.clone().verify_slice(&code).is_ok())
    }))
}

async fn receive(State(receiver): State<Receiver>, head: HeaderMap, body: Bytes) -> StatusCode {
    match print(&receiver.take(&head, &body)) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

async fn standing(State(receiver): State<Receiver>) -> Json<Standing> {
    Json(receiver.standing().await)
}

async fn stop(State(receiver): State<Receiver>) -> &'static str {
    receiver.stop().await
}

async fn start(State(receiver): State<Receiver>) -> Result<&'static str, (StatusCode, String)> {
    let started = receiver.start().await;
    started.map_err(|error| (StatusCode::CONFLICT, format!("{error:#}\n")))
}
