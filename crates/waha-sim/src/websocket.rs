//! `/ws`: the same events as webhooks, over a WebSocket.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::sync::broadcast::error::RecvError;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};

use crate::{
    events::{self, Event},
    http::access::Access,
    sim::Sim,
};

/// How often WAHA pings.
const PING: Duration = Duration::from_mins(1);

/// Who listens to what.
struct Subscription {
    session: String,
    events: Vec<String>,
}

impl Subscription {
    fn wants(&self, event: &Event) -> bool {
        (self.session == "*" || self.session == event.session)
            && events::wants(self.events.iter().map(String::as_str), &event.name)
    }
}

/// Whether a request asks for an upgrade.
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    headers
        .get(header::UPGRADE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

/// Answers 101 at once and only then closes with 1008 if the key is wrong, as WAHA does.
pub(crate) fn accept(
    sim: &Arc<Sim>,
    headers: &HeaderMap,
    upgrade: Option<OnUpgrade>,
    query: &[(String, String)],
    access: Option<&Access>,
) -> Response<axum::body::Body> {
    let (Some(key), Some(upgrade)) = (headers.get(header::SEC_WEBSOCKET_KEY), upgrade) else {
        let mut response = Response::new(axum::body::Body::empty());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return response;
    };
    let accept_key = derive_accept_key(key.as_bytes());
    let decision = subscribe(query, access);
    let events = sim.events.subscribe();
    let ping = sim.scaled(PING).max(Duration::from_secs(1));
    let serve = async move {
        match upgrade.await {
            Ok(upgraded) => {
                let stream =
                    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
                serve(stream, decision, events, ping).await;
            }
            Err(error) => tracing::debug!(%error, "WebSocket upgrade failed"),
        }
    };
    sim.lock().spawn(serve);

    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answer = response.headers_mut();
    answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(value) = HeaderValue::try_from(accept_key) {
        answer.insert(header::SEC_WEBSOCKET_ACCEPT, value);
    }
    response
}

/// The subscription, or the reason to close.
fn subscribe(query: &[(String, String)], access: Option<&Access>) -> Result<Subscription, &'static str> {
    let first = |wanted: &str| {
        query
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.clone())
    };
    let asked = first("session").unwrap_or_else(|| "*".to_owned());
    let session = match access {
        None => return Err("Unauthorized"),
        Some(Access::Admin) => asked,
        Some(Access::Session(own)) if asked == "*" || asked == *own => own.clone(),
        Some(Access::Session(_)) => return Err("Forbidden"),
    };
    let mut events: Vec<String> = query
        .iter()
        .filter(|(name, _)| name == "events")
        .flat_map(|(_, value)| value.split(','))
        .map(str::to_owned)
        .collect();
    if events.is_empty() {
        events.push("*".to_owned());
    }
    Ok(Subscription { session, events })
}

async fn serve<S>(
    mut stream: WebSocketStream<S>,
    decision: Result<Subscription, &'static str>,
    mut events: tokio::sync::broadcast::Receiver<Arc<Event>>,
    ping: Duration,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let subscription = match decision {
        Ok(subscription) => subscription,
        Err(reason) => {
            let frame = CloseFrame {
                code: CloseCode::Policy,
                reason: reason.into(),
            };
            if stream.send(Message::Close(Some(frame))).await.is_ok() {
                // The other side's close ends the conversation.
                while let Some(Ok(_)) = stream.next().await {}
            }
            return;
        }
    };
    let mut pings = tokio::time::interval_at(tokio::time::Instant::now() + ping, ping);
    loop {
        let sent = tokio::select! {
            event = events.recv() => match event {
                Ok(event) if subscription.wants(&event) => {
                    stream.send(Message::text(event.body.clone())).await
                }
                Ok(_) => continue,
                Err(RecvError::Lagged(missed)) => {
                    tracing::debug!(missed, "a WebSocket listener was too slow");
                    continue;
                }
                Err(RecvError::Closed) => return,
            },
            received = stream.next() => match received {
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return,
            },
            _ = pings.tick() => stream.send(Message::Ping(bytes::Bytes::new())).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_session_key_hears_its_own_session_only() {
        let own = Access::Session("a".to_owned());
        assert_eq!(
            subscribe(&query(&[("session", "*")]), Some(&own))
                .ok()
                .unwrap()
                .session,
            "a"
        );
        assert_eq!(subscribe(&query(&[]), Some(&own)).ok().unwrap().session, "a");
        assert_eq!(
            subscribe(&query(&[("session", "b")]), Some(&own)).err(),
            Some("Forbidden")
        );
        assert_eq!(subscribe(&query(&[]), None).err(), Some("Unauthorized"));
    }

    #[test]
    fn events_come_as_a_list_or_repeated() {
        let both = query(&[
            ("events", "message.any,message.ack"),
            ("events", "session.status"),
        ]);
        let subscription = subscribe(&both, Some(&Access::Admin)).ok().unwrap();
        assert_eq!(
            subscription.events,
            ["message.any", "message.ack", "session.status"]
        );
    }
}
