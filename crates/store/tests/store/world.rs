//! Two organizations on one WAHA server, for tests to act in.

use std::sync::Arc;

use wahana_domain::{
    AccessToken, ActorKind, AuditEntry, AuditEntryId, AuditOutcome, DeliveryStatus, EmailAddress, Invitation,
    InvitationId, ManualClock, Membership, MessageId, OrganizationId, OutgoingMessage, Role, Secret,
    ServerId, Session, SessionId, Timestamp, TokenId, UserId, WebhookDeliveryId, WebhookEndpointId,
};
use wahana_store::{
    NewServer, NewUser, PlatformTx, Store, StoreError, Tenant, TenantTx, access_tokens, audit, idempotency,
    invitations,
    messages::{self, MessageContent, NewMessage, Requester},
    sessions,
    webhooks::{self, AttemptEnd, AttemptOutcome},
};
use wahana_testkit::{database::TestDatabase, rows};

use crate::webhooks::new_endpoint;

/// When every world begins.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) server: ServerId,
    pub(crate) a: TestOrganization,
    pub(crate) b: TestOrganization,
}

pub(crate) struct TestOrganization {
    pub(crate) tenant: Tenant,
    pub(crate) owner: UserId,
}

impl TestOrganization {
    pub(crate) fn id(&self) -> OrganizationId {
        self.tenant.organization_id()
    }
}

/// One row of each kind that an organization owns.
pub(crate) struct Belongings {
    pub(crate) session: Session,
    pub(crate) token: TokenId,
    pub(crate) invitation: InvitationId,
    pub(crate) message: MessageId,
    pub(crate) endpoint: WebhookEndpointId,
    pub(crate) delivery: WebhookDeliveryId,
}

impl World {
    pub(crate) async fn new(db: &TestDatabase) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let store = db.store(clock.clone()).await;
        let server = add_server(&store, "first").await;
        let a = add_organization(&store, "Alpha", "owner@alpha.example").await;
        let b = add_organization(&store, "Beta", "owner@beta.example").await;
        Self {
            store,
            clock,
            server,
            a,
            b,
        }
    }

    pub(crate) async fn platform_read(&self) -> PlatformTx {
        self.store.platform_read().await.unwrap()
    }

    pub(crate) async fn platform_write(&self) -> PlatformTx {
        self.store.platform_write().await.unwrap()
    }

    pub(crate) async fn read(&self, organization: &TestOrganization) -> TenantTx {
        self.store.read(organization.tenant).await.unwrap()
    }

    pub(crate) async fn write(&self, organization: &TestOrganization) -> TenantTx {
        self.store.write(organization.tenant).await.unwrap()
    }

    /// A session that is not in the database yet.
    pub(crate) fn new_session(&self, organization: &TestOrganization, name: &str) -> Session {
        let now = self.store.clock().now();
        rows::session(organization.id(), self.server, name, now)
    }

    pub(crate) async fn add(&self, organization: &TestOrganization, session: &Session) {
        let tx = self.write(organization).await;
        sessions::insert(&tx, session).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn session(&self, organization: &TestOrganization, name: &str) -> Session {
        let session = self.new_session(organization, name);
        self.add(organization, &session).await;
        session
    }

    pub(crate) async fn user(&self, email: &str) -> UserId {
        let tx = self.platform_write().await;
        let id = insert_user(&tx, email).await;
        tx.commit().await.unwrap();
        id
    }

    pub(crate) async fn member(&self, organization: &TestOrganization, email: &str, role: Role) -> UserId {
        let user = self.user(email).await;
        self.join(organization, user, role).await;
        user
    }

    pub(crate) async fn join(&self, organization: &TestOrganization, user: UserId, role: Role) {
        let tx = self.platform_write().await;
        tx.insert_membership(&membership(
            organization.id(),
            user,
            role,
            self.store.clock().now(),
        ))
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    /// A token that is not in the database yet.
    pub(crate) fn new_token(&self, organization: &TestOrganization, name: &str) -> AccessToken {
        AccessToken {
            name: name.to_owned(),
            ..rows::token(organization.id(), organization.owner, self.store.clock().now())
        }
    }

    pub(crate) async fn add_token(&self, organization: &TestOrganization, token: &AccessToken) -> Secret {
        let secret = Secret::generate();
        let tx = self.write(organization).await;
        access_tokens::insert(&tx, token, &secret.hash()).await.unwrap();
        tx.commit().await.unwrap();
        secret
    }

    /// An invitation for a week that is not in the database yet.
    pub(crate) fn new_invitation(&self, organization: &TestOrganization, email: &str) -> Invitation {
        let now = self.store.clock().now();
        Invitation {
            id: InvitationId::new(),
            organization_id: organization.id(),
            email: address(email),
            role: Role::Agent,
            invited_by: Some(organization.owner),
            expires_at: now.plus(std::time::Duration::from_hours(7 * 24)),
            accepted_at: None,
            revoked_at: None,
            created_at: now,
        }
    }

    pub(crate) async fn invitation(&self, organization: &TestOrganization, email: &str) -> InvitationId {
        let invitation = self.new_invitation(organization, email);
        let tx = self.write(organization).await;
        invitations::insert(&tx, &invitation, &Secret::generate().hash())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        invitation.id
    }

    /// A message that is not in the database yet.
    pub(crate) fn new_message(&self, session: SessionId) -> OutgoingMessage {
        OutgoingMessage {
            status: DeliveryStatus::Sending,
            ..rows::message(session, self.store.clock().now())
        }
    }

    /// Keeps a message.
    pub(crate) async fn add_message(
        &self,
        tx: &TenantTx,
        message: &OutgoingMessage,
    ) -> Result<(), StoreError> {
        let content = MessageContent {
            text: Some("Hello".to_owned()),
            details: None,
        };
        let requester = Requester {
            user: self.a.owner,
            token: None,
            request_id: "request".to_owned(),
        };
        let new = NewMessage {
            message,
            content: &content,
            requester: &requester,
            key: None,
        };
        messages::enqueue(tx, &new).await
    }

    /// An entry of the audit log that is not in the database yet.
    pub(crate) fn entry(&self, organization: Option<&TestOrganization>, operation: &str) -> AuditEntry {
        AuditEntry {
            id: AuditEntryId::new(),
            organization_id: organization.map(TestOrganization::id),
            actor: ActorKind::User,
            user_id: organization.map(|organization| organization.owner),
            token_id: None,
            session_id: None,
            operation: operation.to_owned(),
            outcome: AuditOutcome::Success,
            source_address: Some("192.0.2.7".parse().unwrap()),
            request_id: Some("request".to_owned()),
            created_at: self.store.clock().now(),
        }
    }

    /// Gives an organization a webhook, of which a delivery failed.
    async fn fill_webhooks(&self, organization: &TestOrganization) -> (WebhookEndpointId, WebhookDeliveryId) {
        let tx = self.write(organization).await;
        let endpoint = webhooks::insert(&tx, &new_endpoint()).await.unwrap().id;
        let delivery = webhooks::send_test(&tx, endpoint, "webhook.test")
            .await
            .unwrap()
            .id;
        let claimed = webhooks::claim(&tx, endpoint, 1, tx.now())
            .await
            .unwrap()
            .unwrap();
        let ends = claimed.deliveries.into_iter().map(|claimed| AttemptEnd {
            claimed,
            started_at: tx.now(),
            duration: std::time::Duration::ZERO,
            status: None,
            error: None,
            answer: None,
            outcome: AttemptOutcome::Failed,
            was_sent: true,
            not_before: None,
        });
        webhooks::conclude(&tx, &claimed.endpoint, &ends.collect::<Vec<_>>())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        (endpoint, delivery)
    }

    /// Gives an organization a row in every table that organizations own.
    pub(crate) async fn fill(&self, organization: &TestOrganization) -> Belongings {
        let session = self.session(organization, "sales").await;
        let mut token = self.new_token(organization, "limited");
        token.sessions = Some(vec![session.id]);
        self.add_token(organization, &token).await;
        let invitation = self.invitation(organization, "guest@example.com").await;
        let message = self.new_message(session.id);
        let tx = self.write(organization).await;
        self.add_message(&tx, &message).await.unwrap();
        assert!(
            idempotency::reserve(&tx, "key", b"fingerprint", message.id)
                .await
                .unwrap()
        );
        audit::insert(&tx, &self.entry(Some(organization), "sessions.create"))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let (endpoint, delivery) = self.fill_webhooks(organization).await;
        Belongings {
            endpoint,
            delivery,
            session,
            token: token.id,
            invitation,
            message: message.id,
        }
    }
}

pub(crate) fn address(email: &str) -> EmailAddress {
    EmailAddress::parse(email).unwrap()
}

pub(crate) fn new_server(name: &str) -> NewServer {
    NewServer {
        id: ServerId::new(),
        name: name.to_owned(),
        base_url: format!("http://{name}.example:3000/"),
        api_key: format!("key of {name}").into(),
        capacity: Some(10),
    }
}

pub(crate) fn membership(
    organization_id: OrganizationId,
    user_id: UserId,
    role: Role,
    now: Timestamp,
) -> Membership {
    Membership {
        organization_id,
        user_id,
        role,
        created_at: now,
    }
}

pub(crate) async fn insert_user(tx: &PlatformTx, email: &str) -> UserId {
    let id = UserId::new();
    tx.insert_user(&NewUser {
        id,
        email: address(email),
        display_name: format!("Person {email}"),
        is_platform_administrator: false,
    })
    .await
    .unwrap();
    id
}

pub(crate) async fn add_server(store: &Store, name: &str) -> ServerId {
    let server = new_server(name);
    let tx = store.platform_write().await.unwrap();
    tx.insert_server(&server).await.unwrap();
    tx.commit().await.unwrap();
    server.id
}

pub(crate) async fn add_organization(store: &Store, name: &str, owner: &str) -> TestOrganization {
    let organization = rows::organization(name, store.clock().now());
    let tx = store.platform_write().await.unwrap();
    tx.insert_organization(&organization).await.unwrap();
    let owner = insert_user(&tx, owner).await;
    tx.insert_membership(&membership(organization.id, owner, Role::Owner, tx.now()))
        .await
        .unwrap();
    let tenant = tx.tenant(organization.id).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    TestOrganization { tenant, owner }
}
