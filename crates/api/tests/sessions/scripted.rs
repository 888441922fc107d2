//! A WAHA server that answers what a test tells it to: words and bodies that the simulator does not know.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::State,
    http::{Method, StatusCode, Uri, header},
    response::IntoResponse,
};
use tokio::{net::TcpListener, task::JoinHandle};

/// What is answered, by method and path.
type Script = Arc<Mutex<HashMap<String, (u16, String)>>>;

pub(crate) struct ScriptedWaha {
    address: SocketAddr,
    script: Script,
    serving: JoinHandle<()>,
}

impl ScriptedWaha {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (address, script) = (listener.local_addr().unwrap(), Script::default());
        let router = Router::new().fallback(answer).with_state(script.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            script,
            serving,
        }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets a call such as `GET /api/sessions` be answered so from now on.
    #[expect(clippy::needless_pass_by_value, reason = "callers write literals")]
    pub(crate) fn set(&self, call: &str, status: u16, body: impl ToString) {
        let answer = (status, body.to_string());
        self.script.lock().unwrap().insert(call.to_owned(), answer);
    }
}

impl Drop for ScriptedWaha {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(script): State<Script>, method: Method, uri: Uri) -> impl IntoResponse {
    let call = format!("{method} {}", uri.path());
    let answer = script.lock().unwrap().get(&call).cloned();
    let (status, body) = answer.unwrap_or((
        404,
        r#"{"message":"Session not found","statusCode":404}"#.to_owned(),
    ));
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(header::CONTENT_TYPE, "application/json")], body)
}
