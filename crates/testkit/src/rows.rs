//! What tests put into a database: as ordinary as can be, so that a test says only what it is about.

use wahana_domain::{
    Abilities, AccessToken, BusinessProfile, ChatId, DeliveryStatus, DesiredStatus, Language, MessageId,
    MessageKind, Organization, OrganizationId, OrganizationLimits, OrganizationState, OutgoingMessage,
    Retention, ServerId, Session, SessionConfiguration, SessionCounters, SessionId, SessionName,
    SessionOrigin, SessionStatus, TimeZone, Timestamp, TokenId, UserId, WahaAddress, WahaName,
};

/// An organization that may use wahana, without limits of its own.
#[must_use]
pub fn organization(name: &str, now: Timestamp) -> Organization {
    Organization {
        id: OrganizationId::new(),
        name: name.to_owned(),
        state: OrganizationState::Active,
        country: None,
        time_zone: TimeZone::UTC,
        language: Language::English,
        limits: OrganizationLimits::default(),
        retention: Retention::default(),
        restarts_silent_sessions: false,
        resends_lost_messages: false,
        keeps_message_texts: true,
        created_at: now,
        updated_at: now,
    }
}

/// A session that an organization made and wants to run, and of which WAHA has said nothing yet.
#[must_use]
#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "only tests call this, and with names that sessions can have"
)]
pub fn session(organization: OrganizationId, server: ServerId, name: &str, now: Timestamp) -> Session {
    Session {
        id: SessionId::new(),
        organization_id: organization,
        waha: WahaAddress {
            server,
            name: WahaName::generate(),
        },
        origin: SessionOrigin::Created,
        name: SessionName::parse(name).expect("a session's name"),
        display_name: None,
        phone_number: None,
        configuration: SessionConfiguration::default(),
        status: SessionStatus::Connecting,
        waha_status: None,
        desired_status: DesiredStatus::Running,
        observed_at: None,
        error_count: 0,
        last_error: None,
        warning: None,
        business: BusinessProfile::default(),
        pacing: None,
        counters: SessionCounters::default(),
        last_message_at: None,
        created_at: now,
        updated_at: now,
    }
}

/// A text of a session that waits for its turn.
#[must_use]
#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "the chat is one that messages can be sent to"
)]
pub fn message(session: SessionId, now: Timestamp) -> OutgoingMessage {
    OutgoingMessage {
        id: MessageId::new(),
        session_id: session,
        chat_id: ChatId::parse("15550001111@c.us").expect("a chat"),
        kind: MessageKind::Text,
        status: DeliveryStatus::Queued,
        waha_message_id: None,
        due_at: now,
        expires_at: None,
        is_asynchronous: false,
        reason: None,
        sent_at: None,
        created_at: now,
        updated_at: now,
    }
}

/// A token of a member's that may do everything the member may, and does not end.
#[must_use]
pub fn token(organization: OrganizationId, user: UserId, now: Timestamp) -> AccessToken {
    AccessToken {
        id: TokenId::generate(),
        organization_id: organization,
        user_id: user,
        name: "tests".to_owned(),
        abilities: Abilities::All,
        sessions: None,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
        created_at: now,
    }
}
