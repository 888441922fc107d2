//! Who may call what: one line per operation of the OpenAPI document.
//!
//! It says once more, and independently of the code, what the code must do. To add an operation, add a line;
//! if its path names a kind of thing that no other path names, add that to `things.rs` too.

use serde_json::{Value, json};
use uuid::Uuid;
use wahana_domain::{Ability, OrganizationId, Role, SessionId, SessionStatus};
use wahana_testkit::app::{Home, TestApp};

/// What the tests know about an operation.
pub(crate) struct Line {
    /// Its `operationId`.
    pub(crate) operation: &'static str,
    /// Who may call it.
    pub(crate) who: Who,
    /// A valid query, if it needs one.
    pub(crate) query: &'static str,
    /// A valid body, if it takes one.
    pub(crate) body: Option<fn(&Place) -> Value>,
    /// What it answers to those who may: a status, with an error code if that is what the sample leads to.
    pub(crate) answer: &'static str,
    /// Whether what it answers has no end: then its beginning is looked at.
    pub(crate) is_endless: bool,
    /// In which state the session of its path is, if it names one.
    pub(crate) session_is: SessionStatus,
    /// What it answers when its path names a session that is not there, by a name that is free: it makes one.
    pub(crate) makes_what_is_missing: Option<&'static str>,
}

/// A line's ordinary end.
const LINE: Line = Line {
    operation: "",
    who: EVERY_MEMBER,
    query: "",
    body: None,
    answer: "200",
    is_endless: false,
    session_is: SessionStatus::Working,
    makes_what_is_missing: None,
};

/// A line of which there is nothing else to say.
const fn plain(operation: &'static str, who: Who) -> Line {
    Line {
        operation,
        who,
        ..LINE
    }
}

/// Who may call an operation.
#[derive(Clone, Copy)]
pub(crate) enum Who {
    /// Anybody, with or without a credential.
    Anybody,
    /// Whoever has a credential that is accepted.
    Recognized {
        /// Whether an organization that is named and not theirs makes a difference.
        heeds_organization: bool,
    },
    /// People who signed in with their password.
    InPerson,
    /// Platform administrators, with their own kind of token or signed in.
    Operators,
    /// Members of the organization.
    Members {
        /// The weakest role that may.
        role: Role,
        /// The abilities that a token needs, all of them.
        abilities: &'static [Ability],
        /// Whether it concerns the whole organization, so that a token which sees only some sessions may not.
        whole_organization: bool,
    },
}

/// From where a sample is sent.
pub(crate) struct Place {
    /// The caller's organization.
    pub(crate) organization: OrganizationId,
    /// A session of it.
    pub(crate) session: SessionId,
    /// A word that no other call has.
    pub(crate) unique: String,
}

impl Place {
    pub(crate) fn of(app: &TestApp, home: Home, session: SessionId) -> Self {
        Self {
            organization: app.organization_id(home),
            session,
            unique: Uuid::now_v7().simple().to_string(),
        }
    }

    fn email(&self) -> String {
        format!("{}@wahana.test", self.unique)
    }
}

const EVERY_MEMBER: Who = Who::Members {
    role: Role::Viewer,
    abilities: &[],
    whole_organization: false,
};

/// Those who manage something of the whole organization.
const fn managers(role: Role, abilities: &'static [Ability]) -> Who {
    Who::Members {
        role,
        abilities,
        whole_organization: true,
    }
}

/// Those who do something with the sessions that they see.
const fn session_users(role: Role, abilities: &'static [Ability]) -> Who {
    Who::Members {
        role,
        abilities,
        whole_organization: false,
    }
}

const READERS: Who = session_users(Role::Viewer, &[Ability::SessionsRead]);
const MESSAGE_READERS: Who = session_users(Role::Viewer, &[Ability::MessagesRead]);
const CONTACT_READERS: Who = session_users(Role::Viewer, &[Ability::ContactsRead]);
const SENDERS: Who = session_users(Role::Agent, &[Ability::MessagesSend]);
const SESSION_MANAGERS: Who = session_users(Role::Admin, &[Ability::SessionsManage]);

/// Who exports reads everything that is in the export.
const EXPORTERS: Who = managers(
    Role::Owner,
    &[
        Ability::OrganizationManage,
        Ability::MembersManage,
        Ability::SessionsRead,
        Ability::MessagesRead,
        Ability::AuditRead,
    ],
);
const WEBHOOK_MANAGERS: Who = session_users(Role::Admin, &[Ability::WebhooksManage]);

/// Every operation.
pub(crate) const LINES: &[Line] = &[
    plain("webhooks.list", WEBHOOK_MANAGERS),
    Line {
        operation: "webhooks.create",
        who: WEBHOOK_MANAGERS,
        body: Some(|_| json!({"url": "https://receiver.example/"})),
        answer: "201",
        ..LINE
    },
    plain("webhooks.get", WEBHOOK_MANAGERS),
    Line {
        operation: "webhooks.update",
        who: WEBHOOK_MANAGERS,
        // So that those who see no messages may change it.
        body: Some(|_| json!({"description": "Another", "events": ["webhook.endpoint_disabled"]})),
        ..LINE
    },
    plain("webhooks.delete", WEBHOOK_MANAGERS),
    plain("webhooks.rotate_secret", WEBHOOK_MANAGERS),
    Line {
        operation: "webhooks.test",
        who: WEBHOOK_MANAGERS,
        answer: "202",
        ..LINE
    },
    Line {
        operation: "webhooks.replay",
        who: WEBHOOK_MANAGERS,
        body: Some(|_| json!({"failed": true})),
        answer: "202",
        ..LINE
    },
    plain("webhooks.deliveries.list", WEBHOOK_MANAGERS),
    plain("webhooks.deliveries.get", WEBHOOK_MANAGERS),
    Line {
        operation: "webhooks.deliveries.replay",
        who: WEBHOOK_MANAGERS,
        answer: "202",
        ..LINE
    },
    plain("organizations.get", EVERY_MEMBER),
    // Each is told what they may see.
    Line {
        operation: "events.stream",
        who: EVERY_MEMBER,
        is_endless: true,
        ..LINE
    },
    Line {
        operation: "erasures.create",
        who: managers(Role::Owner, &[Ability::OrganizationManage]),
        body: Some(|_| json!({"chat_id": "15550001111@c.us"})),
        answer: "202",
        ..LINE
    },
    plain(
        "erasures.get",
        managers(Role::Owner, &[Ability::OrganizationManage]),
    ),
    Line {
        operation: "exports.create",
        who: EXPORTERS,
        answer: "202",
        ..LINE
    },
    plain("exports.get", EXPORTERS),
    plain("exports.file", EXPORTERS),
    Line {
        operation: "organizations.update",
        who: managers(Role::Owner, &[Ability::OrganizationManage]),
        body: Some(|_| json!({"name": "Another name"})),
        ..LINE
    },
    Line {
        operation: "tokens.list",
        who: managers(Role::Admin, &[Ability::TokensManage]),
        ..LINE
    },
    Line {
        operation: "tokens.create",
        who: managers(Role::Admin, &[Ability::TokensManage]),
        body: Some(
            |place| json!({"name": "ci", "abilities": ["tokens:manage"], "sessions": [place.session]}),
        ),
        answer: "201",
        ..LINE
    },
    Line {
        operation: "tokens.get",
        who: managers(Role::Admin, &[Ability::TokensManage]),
        ..LINE
    },
    Line {
        operation: "tokens.revoke",
        who: managers(Role::Admin, &[Ability::TokensManage]),
        ..LINE
    },
    plain("sessions.list", READERS),
    Line {
        operation: "sessions.create",
        who: managers(Role::Admin, &[Ability::SessionsManage]),
        body: Some(|_| json!({"display_name": "Reception"})),
        answer: "201",
        ..LINE
    },
    Line {
        operation: "sessions.update",
        who: SESSION_MANAGERS,
        body: Some(|_| json!({"display_name": "Reception"})),
        ..LINE
    },
    plain("sessions.delete", SESSION_MANAGERS),
    Line {
        operation: "sessions.start",
        who: SESSION_MANAGERS,
        makes_what_is_missing: Some("201"),
        ..LINE
    },
    plain("sessions.stop", SESSION_MANAGERS),
    plain("sessions.restart", SESSION_MANAGERS),
    plain("sessions.logout", SESSION_MANAGERS),
    plain("sessions.status", READERS),
    plain("sessions.info", READERS),
    plain("sessions.connected", READERS),
    plain("sessions.health", READERS),
    plain("sessions.sync", READERS),
    Line {
        operation: "sessions.qr",
        who: SESSION_MANAGERS,
        session_is: SessionStatus::ScanQr,
        ..LINE
    },
    Line {
        operation: "sessions.pairing_code",
        who: SESSION_MANAGERS,
        session_is: SessionStatus::ScanQr,
        body: Some(|_| json!({"phone_number": "+15550001111"})),
        ..LINE
    },
    Line {
        operation: "audit_log.list",
        who: managers(Role::Admin, &[Ability::AuditRead]),
        ..LINE
    },
    Line {
        operation: "members.list",
        who: managers(Role::Admin, &[Ability::MembersManage]),
        ..LINE
    },
    Line {
        operation: "members.get",
        who: managers(Role::Admin, &[Ability::MembersManage]),
        ..LINE
    },
    Line {
        operation: "members.update",
        who: managers(Role::Admin, &[Ability::MembersManage]),
        body: Some(|_| json!({"role": "agent"})),
        ..LINE
    },
    Line {
        operation: "members.remove",
        who: managers(Role::Admin, &[Ability::MembersManage]),
        ..LINE
    },
    Line {
        operation: "invitations.list",
        who: managers(Role::Admin, &[Ability::MembersManage]),
        ..LINE
    },
    Line {
        operation: "invitations.create",
        who: managers(Role::Admin, &[Ability::MembersManage]),
        body: Some(|place| json!({"email": place.email(), "role": "agent"})),
        answer: "201",
        ..LINE
    },
    Line {
        operation: "invitations.revoke",
        who: managers(Role::Admin, &[Ability::MembersManage]),
        ..LINE
    },
    Line {
        operation: "auth.login",
        who: Who::Anybody,
        body: Some(|place| json!({"email": place.email(), "password": "not the password"})),
        answer: "401 UNAUTHENTICATED",
        ..LINE
    },
    Line {
        operation: "auth.reset_password",
        who: Who::Anybody,
        body: Some(|_| json!({"token": "not a token", "password": "a long new password"})),
        answer: "404 NOT_FOUND",
        ..LINE
    },
    Line {
        operation: "invitations.open",
        who: Who::Anybody,
        body: Some(|_| json!({"token": "not a token"})),
        answer: "404 NOT_FOUND",
        ..LINE
    },
    Line {
        operation: "invitations.accept",
        who: Who::Anybody,
        body: Some(|_| json!({"token": "not a token"})),
        answer: "404 NOT_FOUND",
        ..LINE
    },
    plain("auth.logout", Who::InPerson),
    Line {
        operation: "auth.change_password",
        who: Who::InPerson,
        body: Some(
            |_| json!({"current_password": "not the password", "new_password": "a long new password"}),
        ),
        answer: "422 VALIDATION_ERROR",
        ..LINE
    },
    Line {
        operation: "auth.me",
        who: Who::Recognized {
            heeds_organization: true,
        },
        ..LINE
    },
    Line {
        operation: "auth.organizations",
        who: Who::Recognized {
            heeds_organization: false,
        },
        ..LINE
    },
    plain("operations.health", Who::Anybody),
    plain("operations.readiness", Who::Anybody),
    Line {
        operation: "operations.metrics",
        who: Who::Anybody,
        answer: "404 NOT_FOUND",
        ..LINE
    },
    plain("platform.audit_log.list", Who::Operators),
    plain("platform.organizations.list", Who::Operators),
    Line {
        operation: "platform.organizations.create",
        who: Who::Operators,
        body: Some(|place| json!({"name": place.unique})),
        answer: "201",
        ..LINE
    },
    plain("platform.organizations.get", Who::Operators),
    Line {
        operation: "platform.organizations.update",
        who: Who::Operators,
        body: Some(|_| json!({"limits": {"sessions": 5}})),
        ..LINE
    },
    plain("platform.organizations.suspend", Who::Operators),
    plain("platform.organizations.resume", Who::Operators),
    plain("platform.organizations.close", Who::Operators),
    // What is not closed is not erased, and of what is not erased there is no erasure.
    Line {
        operation: "platform.organizations.erase",
        who: Who::Operators,
        body: Some(|_| json!({"name": "another"})),
        answer: "409 CONFLICT",
        ..LINE
    },
    Line {
        operation: "platform.organizations.erasure",
        who: Who::Operators,
        answer: "404 NOT_FOUND",
        ..LINE
    },
    plain("platform.servers.list", Who::Operators),
    Line {
        operation: "platform.servers.create",
        who: Who::Operators,
        body: Some(
            |place| json!({"name": place.unique, "base_url": format!("http://127.0.0.1:9/{}", place.unique), "api_key": "a-key"}),
        ),
        answer: "201",
        ..LINE
    },
    plain("platform.servers.get", Who::Operators),
    Line {
        operation: "platform.servers.update",
        who: Who::Operators,
        body: Some(|place| json!({"name": place.unique})),
        ..LINE
    },
    Line {
        operation: "platform.servers.hook",
        who: Who::Operators,
        body: Some(|_| json!({"rotate": true})),
        // The tests' wahana does not know its address.
        answer: "409 CONFLICT",
        ..LINE
    },
    plain("platform.servers.remove", Who::Operators),
    plain("platform.servers.check", Who::Operators),
    plain("platform.servers.drain", Who::Operators),
    plain("platform.servers.pause", Who::Operators),
    plain("platform.servers.resume", Who::Operators),
    plain("platform.servers.unbind", Who::Operators),
    plain("platform.servers.undrain", Who::Operators),
    Line {
        operation: "platform.servers.bind",
        who: Who::Operators,
        body: Some(|place| json!({"organization_id": place.organization})),
        ..LINE
    },
    plain("platform.tokens.list", Who::Operators),
    Line {
        operation: "platform.tokens.create",
        who: Who::Operators,
        body: Some(|_| json!({"name": "ci"})),
        answer: "201",
        ..LINE
    },
    plain("platform.tokens.revoke", Who::Operators),
    plain("platform.users.list", Who::Operators),
    Line {
        operation: "platform.users.create",
        who: Who::Operators,
        body: Some(|place| json!({"email": place.email(), "name": "Somebody"})),
        answer: "201",
        ..LINE
    },
    plain("platform.users.get", Who::Operators),
    plain("platform.users.disable", Who::Operators),
    plain("platform.users.enable", Who::Operators),
    Line {
        operation: "platform.users.memberships.create",
        who: Who::Operators,
        body: Some(|place| json!({"organization_id": place.organization, "role": "agent"})),
        answer: "201",
        ..LINE
    },
    Line {
        operation: "platform.users.set_password",
        who: Who::Operators,
        body: Some(|_| json!({"password": "a long new password"})),
        ..LINE
    },
    plain("platform.sessions.unassigned", Who::Operators),
    Line {
        operation: "platform.sessions.assign",
        who: Who::Operators,
        body: Some(|_| json!({"assignments": []})),
        answer: "422 VALIDATION_ERROR",
        ..LINE
    },
    Line {
        operation: "platform.sessions.move",
        who: Who::Operators,
        body: Some(|_| json!({"server_id": Uuid::now_v7()})),
        answer: "422 VALIDATION_ERROR",
        ..LINE
    },
    plain("chats.list", MESSAGE_READERS),
    Line {
        operation: "messages.list",
        who: MESSAGE_READERS,
        query: "?chat_id=15550001111@c.us",
        ..LINE
    },
    plain("messages.history", MESSAGE_READERS),
    plain("messages.get", MESSAGE_READERS),
    plain("messages.media", MESSAGE_READERS),
    plain("messages.cancel", SENDERS),
    plain("contacts.list", CONTACT_READERS),
    plain("groups.list", CONTACT_READERS),
    Line {
        operation: "messages.send_text",
        who: SENDERS,
        body: Some(|_| json!({"to": "15550001111@c.us", "text": "Hello"})),
        ..LINE
    },
    Line {
        operation: "messages.send_media",
        who: SENDERS,
        body: Some(|_| {
            let media = json!({"data": "aGVsbG8=", "mimetype": "text/plain", "filename": "hello.txt"});
            json!({"to": "15550001111@c.us", "media": media})
        }),
        ..LINE
    },
];
