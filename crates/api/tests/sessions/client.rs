//! Somebody who calls, and what they are answered.

use std::sync::{Arc, Mutex};

use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::Value;

/// Every answer of a test, for those that look for what no answer may say.
pub(crate) type Transcript = Arc<Mutex<Vec<String>>>;

/// A member with an access token.
#[derive(Clone)]
pub(crate) struct Client {
    pub(super) http: reqwest::Client,
    pub(super) sessions_url: String,
    pub(super) bearer: String,
    pub(super) transcript: Transcript,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Null if the body is no JSON.
    pub(crate) json: Value,
}

impl Client {
    /// A request below `/api/waha/sessions`.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.sessions_url))
            .header("authorization", &self.bearer)
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.unwrap().to_vec();
        let text = String::from_utf8_lossy(&body);
        let mut transcript = self.transcript.lock().unwrap();
        transcript.push(format!("{status} {headers:?} {text}"));
        Answer {
            json: serde_json::from_slice(&body).unwrap_or_default(),
            status,
            headers,
            body,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.send(self.request(Method::POST, path)).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// What `GET …/status` says of a session.
    pub(crate) async fn status(&self, session: &str) -> Value {
        self.get(&format!("/{session}/status")).await.ok().data().clone()
    }

    /// The names on the first page of the list with these parameters.
    pub(crate) async fn names(&self, query: &str) -> Vec<String> {
        let answer = self.get(&format!("?per_page=100&{query}")).await.ok();
        let sessions = answer.data().as_array().unwrap().iter();
        sessions
            .map(|session| session["session_name"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Answer {
    /// Fails the test unless the status is this one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{text}");
        self
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.expect(200)
    }

    /// Fails the test unless it is refused with this status and code.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.json["error_code"], code);
        assert_eq!(answer.json["success"], false);
        answer
    }

    pub(crate) fn data(&self) -> &Value {
        &self.json["data"]
    }

    pub(crate) fn message(&self) -> &str {
        self.json["message"].as_str().unwrap_or_default()
    }

    pub(crate) fn sync(&self) -> &Value {
        &self.json["meta"]["sync"]
    }
}
