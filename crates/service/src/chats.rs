//! Chats, as WAHA has them.

use url::{Host, Url};
use waha_client::FilePath;
use wahana_domain::{Session, Timestamp};

use crate::{
    Part, PartQuery, ServiceError, Services,
    access::{Granted, Owned, ReadMessages},
    ready::Ready,
};

/// A chat.
#[derive(Clone, PartialEq, Eq)]
pub struct Chat {
    /// Its id, such as `6281234567890@c.us`.
    pub id: String,
    /// The name of the person or group, if it is known.
    pub name: Option<String>,
    /// When the last message came or went.
    pub last_message_at: Option<Timestamp>,
    /// How many messages are unread, where the engine says it.
    pub unread_count: Option<i64>,
    /// Where WhatsApp serves the picture.
    pub picture_url: Option<String>,
}

/// A part of a session's chats, the most recent first.
pub async fn list(
    services: &Services,
    access: &Granted<ReadMessages>,
    session: &Owned<Session>,
    query: PartQuery,
) -> Result<Part<Chat>, ServiceError> {
    let ready = Ready::find(services, access, session).await?;
    let chats = ready
        .waha()
        .chats_overview(ready.waha_name(), query.to_page())
        .await
        .map_err(|error| ready.failed_to_read(services, access.context(), "chats.list", &error))?;
    let server = Url::parse(ready.server_address()).ok();
    let server_host = server.as_ref().and_then(Url::host);
    Ok(query.part(chats, |chat| Chat {
        picture_url: chat
            .picture_url
            .filter(|address| is_outside(address, server_host.as_ref())),
        id: chat.id,
        name: chat.name,
        last_message_at: chat.last_message_at.map(Timestamp::from_seconds),
        unread_count: chat.unread_count,
    }))
}

/// Whether an address leads to WhatsApp, and not to the WAHA server, which is nobody's business.
fn is_outside(address: &str, server: Option<&Host<&str>>) -> bool {
    let Ok(url) = Url::parse(address) else {
        return false;
    };
    let is_named = matches!(url.host(), Some(Host::Domain(name)) if name.contains('.'));
    url.scheme() == "https"
        && is_named
        && url.host().as_ref() != server
        && FilePath::from_url(address).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_waha_server_stay_here() {
        let server = Some(Host::Domain("waha.example.com"));
        for (address, is_shown) in [
            ("https://pps.whatsapp.net/v/t61/1.jpg?oh=1", true),
            ("https://waha.example.com/pictures/1.jpg", false),
            ("https://other.example.com/api/files/main/1.jpg", false),
            ("http://pps.whatsapp.net/v/t61/1.jpg", false),
            ("https://10.0.0.1/1.jpg", false),
            ("https://waha/1.jpg", false),
            ("/api/files/main/1.jpg", false),
        ] {
            assert_eq!(is_outside(address, server.as_ref()), is_shown, "{address}");
        }
    }
}
