//! What paths name.

use std::time::Duration;

use uuid::Uuid;
use wahana_domain::{
    AccessToken, EmailAddress, Erasure, ErasureId, ExportId, Invitation, InvitationId, MediaType, MessageId,
    MessageKind, OrganizationId, OutgoingMessage, Role, Secret, ServerId, SessionId, SessionStatus,
    Timestamp, TokenId, UserId, WebhookSecret, WebhookStyle,
};
use wahana_store::{
    NewPlatformToken, NewServer, PlatformTx, TenantTx, access_tokens,
    exports::Finished,
    media_files::{self, NewFile},
    messages::{MessageContent, NewMessage, Requester},
    webhooks::NewEndpoint,
};
use wahana_testkit::{
    app::{Actor, By, Home, TestApp},
    rows,
};

use crate::expected::Target;

/// Something that a path can name.
#[derive(Clone, Debug)]
pub(crate) struct Thing {
    /// In which ways a path can name it.
    pub(crate) spellings: Vec<String>,
    /// Its id, if it is a session.
    pub(crate) session: Option<SessionId>,
}

/// The code of the refusal when there is no such thing.
pub(crate) fn missing_code(parameter: &str) -> &'static str {
    match parameter {
        "sessionId" => "404 SESSION_NOT_FOUND",
        _ => "404 NOT_FOUND",
    }
}

/// Whether it is a session or belongs to one, so that a token which sees another session does not see it.
pub(crate) fn is_of_session(parameter: &str) -> bool {
    matches!(parameter, "sessionId" | "messageId" | "webhookId" | "deliveryId")
}

/// In how many ways a path can name such a thing.
pub(crate) fn spellings(parameter: &str) -> usize {
    missing(parameter).spellings.len()
}

/// A thing that does not exist.
pub(crate) fn missing(parameter: &str) -> Thing {
    let id = Uuid::now_v7();
    let spellings = match parameter {
        "sessionId" => vec![id.to_string(), format!("name_{}", id.simple())],
        _ => vec![id.to_string()],
    };
    Thing {
        spellings,
        session: None,
    }
}

/// New things, of the kind that a part of a path with this name means; sessions in this state.
pub(crate) async fn make(
    app: &TestApp,
    target: Target,
    parameter: &str,
    count: usize,
    session_is: SessionStatus,
) -> Vec<Thing> {
    match target {
        Target::OfA => of_organization(app, Home::A, parameter, count, session_is).await,
        Target::OfB => of_organization(app, Home::B, parameter, count, session_is).await,
        Target::OfInstallation => of_installation(app, parameter, count).await,
        Target::Nothing | Target::Missing => (0..count).map(|_| missing(parameter)).collect(),
    }
}

async fn of_organization(
    app: &TestApp,
    home: Home,
    parameter: &str,
    count: usize,
    session_is: SessionStatus,
) -> Vec<Thing> {
    match parameter {
        "sessionId" => {
            let sessions = app.sessions(home, count, session_is).await;
            let things = sessions.iter().map(|session| Thing {
                spellings: vec![session.id.to_string(), session.name.as_str().to_owned()],
                session: Some(session.id),
            });
            things.collect()
        }
        "messageId" => messages(app, home, count).await,
        "webhookId" => webhooks(app, home, count)
            .await
            .into_iter()
            .map(|(webhook, _)| webhook)
            .collect(),
        "deliveryId" => webhooks(app, home, count)
            .await
            .into_iter()
            .map(|(_, delivery)| delivery)
            .collect(),
        "tokenId" => tokens(app, home, count).await,
        "userId" => {
            let members = vec![Actor::Member(home, Role::Viewer, By::Token); count];
            app.users(&members)
                .await
                .into_iter()
                .map(|id| named(&id))
                .collect()
        }
        "invitationId" => invitations(app, home, count).await,
        "erasureId" => erasures(app, home, count).await,
        "exportId" => exports(app, home, count).await,
        other => panic!("nobody said in things.rs what {{{other}}} of an organization is"),
    }
}

async fn of_installation(app: &TestApp, parameter: &str, count: usize) -> Vec<Thing> {
    if parameter == "userId" {
        let users = app.users(&vec![Actor::NeverMember; count]).await;
        return users.into_iter().map(|id| named(&id)).collect();
    }
    if parameter == "anySessionId" {
        let sessions = app.sessions(Home::A, count, SessionStatus::Working).await;
        return sessions.iter().map(|session| named(&session.id)).collect();
    }
    let administrator = app
        .users(&[Actor::PlatformAdministrator(By::Token)])
        .await
        .remove(0);
    let tx = app.store().platform_write().await.unwrap();
    let mut things = Vec::new();
    for _ in 0..count {
        things.push(match parameter {
            "organizationId" => named(&insert_organization(&tx).await),
            "serverId" => named(&insert_server(&tx).await),
            "tokenId" => named(&insert_platform_token(&tx, administrator).await),
            other => panic!("nobody said in things.rs what {{{other}}} of the installation is"),
        });
    }
    tx.commit().await.unwrap();
    things
}

fn named(id: &impl ToString) -> Thing {
    Thing {
        spellings: vec![id.to_string()],
        session: None,
    }
}

async fn insert_organization(tx: &PlatformTx) -> OrganizationId {
    let new = rows::organization("another", tx.now());
    tx.insert_organization(&new).await.unwrap();
    new.id
}

async fn insert_server(tx: &PlatformTx) -> ServerId {
    let id = ServerId::new();
    let new = NewServer {
        id,
        name: format!("server {id}"),
        base_url: format!("http://127.0.0.1:9/{id}/"),
        api_key: "a key".to_owned().into(),
        // Nothing is ever placed on it.
        capacity: Some(0),
    };
    tx.insert_server(&new).await.unwrap();
    id
}

async fn insert_platform_token(tx: &PlatformTx, user_id: UserId) -> TokenId {
    let id = TokenId::generate_platform();
    let new = NewPlatformToken {
        id: id.clone(),
        user_id,
        name: "a token".to_owned(),
        secret: Secret::generate().hash(),
        expires_at: None,
    };
    tx.insert_platform_token(&new).await.unwrap();
    id
}

async fn invitations(app: &TestApp, home: Home, count: usize) -> Vec<Thing> {
    let tx = app.store().write(app.tenant(home)).await.unwrap();
    let mut things = Vec::new();
    for _ in 0..count {
        let id = InvitationId::new();
        let new = Invitation {
            id,
            organization_id: tx.organization_id(),
            email: EmailAddress::parse(&format!("{id}@wahana.test")).unwrap(),
            role: Role::Agent,
            invited_by: None,
            expires_at: tx.now().plus(Duration::from_hours(1)),
            accepted_at: None,
            revoked_at: None,
            created_at: tx.now(),
        };
        wahana_store::invitations::insert(&tx, &new, &Secret::generate().hash())
            .await
            .unwrap();
        things.push(named(&id));
    }
    tx.commit().await.unwrap();
    things
}

/// Messages with files that wait for a time that does not come, each of a session of its own.
async fn messages(app: &TestApp, home: Home, count: usize) -> Vec<Thing> {
    let sessions = app.sessions(home, count, SessionStatus::Working).await;
    let owner = Actor::Member(home, Role::Owner, By::Token);
    let requester = Requester {
        user: app.users(&[owner]).await.remove(0),
        token: None,
        request_id: "request".to_owned(),
    };
    let tx = app.store().write(app.tenant(home)).await.unwrap();
    let mut things = Vec::new();
    for session in sessions {
        let message = OutgoingMessage {
            kind: MessageKind::Document,
            due_at: tx.now().plus(Duration::from_hours(1)),
            is_asynchronous: true,
            ..rows::message(session.id, tx.now())
        };
        let new = NewMessage {
            message: &message,
            content: &MessageContent::default(),
            requester: &requester,
            key: None,
        };
        wahana_store::messages::enqueue(&tx, &new).await.unwrap();
        attach_file(app, &tx, message.id).await;
        things.push(Thing {
            session: Some(session.id),
            ..named(&message.id)
        });
    }
    tx.commit().await.unwrap();
    things
}

/// Webhooks, each limited to a session of its own, with a delivery.
async fn webhooks(app: &TestApp, home: Home, count: usize) -> Vec<(Thing, Thing)> {
    let sessions = app.sessions(home, count, SessionStatus::Working).await;
    let tx = app.store().write(app.tenant(home)).await.unwrap();
    let mut things = Vec::new();
    for session in sessions {
        let new = NewEndpoint {
            url: "https://receiver.example/".to_owned(),
            description: None,
            style: WebhookStyle::Standard,
            // What whoever manages webhooks may be told: who changes one must be allowed to be told all that it is.
            events: Some(vec!["webhook.endpoint_disabled".to_owned()]),
            sessions: Some(vec![session.id]),
            headers: Vec::new(),
            secret: WebhookSecret::generate(),
            created_by: None,
        };
        let endpoint = wahana_store::webhooks::insert(&tx, &new).await.unwrap();
        let delivery = wahana_store::webhooks::send_test(&tx, endpoint.id, "webhook.test")
            .await
            .unwrap();
        let of_session = |id: String| Thing {
            spellings: vec![id],
            session: Some(session.id),
        };
        things.push((
            of_session(endpoint.id.to_string()),
            of_session(delivery.id.to_string()),
        ));
    }
    tx.commit().await.unwrap();
    things
}

async fn new_file(app: &TestApp, tx: &TenantTx, expires_at: Timestamp) -> NewFile {
    let bytes = futures_util::stream::iter([Ok::<_, ()>("a file".into())]);
    NewFile {
        stored: app.media().write(tx.organization_id(), bytes, 100).await.unwrap(),
        media_type: MediaType::unknown(),
        name: None,
        expires_at,
    }
}

async fn attach_file(app: &TestApp, tx: &TenantTx, message: MessageId) {
    let new = new_file(app, tx, tx.now()).await;
    let file = media_files::insert(tx, &new).await.unwrap();
    assert!(media_files::attach(tx, file.id, message, None).await.unwrap());
}

/// The same each time: an organization has the file of its newest export only.
async fn exports(app: &TestApp, home: Home, count: usize) -> Vec<Thing> {
    let tx = app.store().write(app.tenant(home)).await.unwrap();
    let id = ExportId::new();
    wahana_store::exports::insert(&tx, id).await.unwrap();
    let file = new_file(app, &tx, tx.now().plus(Duration::from_hours(1))).await;
    let finished = wahana_store::exports::set_file(&tx, id, &file).await;
    assert_eq!(finished.unwrap(), Finished::Kept);
    tx.commit().await.unwrap();
    (0..count).map(|_| named(&id)).collect()
}

async fn erasures(app: &TestApp, home: Home, count: usize) -> Vec<Thing> {
    let tx = app.store().write(app.tenant(home)).await.unwrap();
    let mut things = Vec::new();
    for _ in 0..count {
        let erasure = Erasure {
            id: ErasureId::new(),
            chat_id: None,
            messages: 0,
            events: 0,
            created_at: tx.now(),
            finished_at: None,
        };
        wahana_store::erasures::insert(&tx, &erasure).await.unwrap();
        things.push(named(&erasure.id));
    }
    tx.commit().await.unwrap();
    things
}

async fn tokens(app: &TestApp, home: Home, count: usize) -> Vec<Thing> {
    let owner = Actor::Member(home, Role::Owner, By::Token);
    let user = app.users(&[owner]).await.remove(0);
    let tx = app.store().write(app.tenant(home)).await.unwrap();
    let mut things = Vec::new();
    for _ in 0..count {
        let token = token(&tx, user);
        access_tokens::insert(&tx, &token, &Secret::generate().hash())
            .await
            .unwrap();
        things.push(named(&token.id));
    }
    tx.commit().await.unwrap();
    things
}

fn token(tx: &TenantTx, user_id: UserId) -> AccessToken {
    rows::token(tx.organization_id(), user_id, tx.now())
}
