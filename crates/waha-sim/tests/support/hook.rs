//! A receiver of webhooks that remembers everything and answers as told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{Router, extract::State, routing::post};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::sync::watch;

/// A webhook as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) raw: Bytes,
    pub(crate) body: Value,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Memory {
    received: Mutex<Vec<Received>>,
    answers: Mutex<VecDeque<u16>>,
    count: watch::Sender<usize>,
}

/// A running receiver.
#[derive(Debug)]
pub(crate) struct Hook {
    pub(crate) url: String,
    memory: Arc<Memory>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Hook {
    /// Answers with these statuses, and then with 200.
    pub(crate) async fn start(answers: &[u16]) -> Self {
        let memory = Arc::new(Memory::default());
        memory.answers.lock().unwrap().extend(answers);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/hook", post(receive))
            .with_state(Arc::clone(&memory));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, memory, server }
    }

    /// Waits until so many have come, and gives them all.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Received> {
        self.memory
            .count
            .subscribe()
            .wait_for(|seen| *seen >= count)
            .await
            .unwrap();
        self.memory.received.lock().unwrap().clone()
    }

    /// Waits until one comes that fits, and gives it.
    pub(crate) async fn wait_for_event(&self, fits: impl Fn(&Value) -> bool) -> Received {
        let mut count = self.memory.count.subscribe();
        loop {
            let found = self
                .memory
                .received
                .lock()
                .unwrap()
                .iter()
                .find(|one| fits(&one.body))
                .cloned();
            if let Some(found) = found {
                return found;
            }
            count.changed().await.unwrap();
        }
    }
}

async fn receive(State(memory): State<Arc<Memory>>, headers: HeaderMap, raw: Bytes) -> StatusCode {
    let body = serde_json::from_slice(&raw).unwrap();
    memory
        .received
        .lock()
        .unwrap()
        .push(Received { headers, raw, body });
    memory.count.send_modify(|count| *count += 1);
    let status = memory.answers.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(status).unwrap()
}
