//! The lines of an export, read part by part, so that neither memory nor anybody else waits for the whole of it.
//!
//! Each line is an object with a `type` and its `data`. What proves who somebody is (passwords, tokens, keys) is never
//! read, nor is what belongs to the platform, such as names on WAHA servers.

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use url::Url;
use wahana_domain::{
    AccessToken, AuditEntry, ExportId, Invitation, InvitationId, MediaFile, Member, Organization, SessionId,
    TokenId, UserId, WebhookEndpoint,
};
use wahana_store::{
    Tenant, access_tokens,
    audit::{self, AuditQuery, Position},
    exports, invitations, members,
    messages::{self, HistoryPosition, HistoryQuery, KeptMessage},
    organizations,
    sessions::{self, EverySession},
    webhooks,
};

use crate::{
    ServiceError, Services,
    jobs::{JobError, Running},
};

/// How many rows are read at a time.
const PART: u64 = 500;

/// Why an export broke off.
#[derive(Debug)]
pub(super) enum Broken {
    /// The process stops.
    Stopped,
    /// It failed.
    Failed(JobError),
}

impl<E: Into<JobError>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What is read next.
#[derive(Clone, Debug)]
enum Place {
    Organization,
    Members(Option<UserId>),
    Invitations(Option<InvitationId>),
    Tokens(Option<TokenId>),
    Webhooks,
    Sessions(Option<SessionId>),
    Messages(Option<HistoryPosition>),
    Audit(Option<Position>),
    End,
    Nothing,
}

/// The lines that are still to come.
pub(super) struct Lines<'a> {
    services: &'a Services,
    job: &'a Running,
    tenant: Tenant,
    export: ExportId,
    place: Place,
    rows: u64,
}

impl<'a> Lines<'a> {
    pub(super) const fn new(
        services: &'a Services,
        job: &'a Running,
        tenant: Tenant,
        export: ExportId,
    ) -> Self {
        Self {
            services,
            job,
            tenant,
            export,
            place: Place::Organization,
            rows: 0,
        }
    }

    /// Their bytes.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Bytes, Broken>> + Send + Unpin {
        stream::try_unfold(self, |mut lines| async move {
            let part = lines.next().await?;
            Ok(part.map(|part| (part, lines)))
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        if matches!(self.place, Place::Nothing) {
            return Ok(None);
        }
        if self.job.is_stopping() {
            return Err(Broken::Stopped);
        }
        let (values, next) = self.read().await?;
        let mut bytes = Vec::new();
        for value in &values {
            serde_json::to_writer(&mut bytes, value)
                .map_err(|error| ServiceError::Internal(format!("a line of an export: {error}")))?;
            bytes.push(b'\n');
        }
        self.rows += values.len() as u64;
        self.place = next;
        let tx = self.job.write_of(self.tenant).await?;
        exports::set_rows(&tx, self.export, self.rows).await?;
        tx.commit().await?;
        Ok(Some(bytes.into()))
    }

    /// The lines of the next part, and what follows it.
    async fn read(&self) -> Result<(Vec<Value>, Place), JobError> {
        let tx = self.services.store.read(self.tenant).await?;
        Ok(match &self.place {
            Place::Organization => {
                let found = organizations::get(&tx).await?;
                (found.iter().map(organization).collect(), Place::Members(None))
            }
            Place::Members(after) => {
                let found = members::every(&tx, *after, PART).await?;
                let next = found.last().map_or(Place::Invitations(None), |last| {
                    Place::Members(Some(last.user_id))
                });
                (found.iter().map(member).collect(), next)
            }
            Place::Invitations(after) => {
                let found = invitations::every(&tx, *after, PART).await?;
                let next = found
                    .last()
                    .map_or(Place::Tokens(None), |last| Place::Invitations(Some(last.id)));
                (found.iter().map(invitation).collect(), next)
            }
            Place::Tokens(after) => {
                let found = access_tokens::every(&tx, after.as_ref(), PART).await?;
                let next = found
                    .last()
                    .map_or(Place::Webhooks, |last| Place::Tokens(Some(last.id.clone())));
                (found.iter().map(token).collect(), next)
            }
            // There are never many.
            Place::Webhooks => {
                let found = webhooks::endpoints(&tx).await?;
                (found.iter().map(webhook).collect(), Place::Sessions(None))
            }
            Place::Sessions(after) => {
                let found = sessions::every(&tx, *after, PART).await?;
                let next = found.last().map_or(Place::Messages(None), |last| {
                    Place::Sessions(Some(last.session.id))
                });
                (found.iter().map(session).collect(), next)
            }
            Place::Messages(before) => {
                let query = HistoryQuery {
                    before: *before,
                    ..HistoryQuery::default()
                };
                let found = messages::history(&tx, &query, PART).await?;
                let next = found.last().map_or(Place::Audit(None), |last| {
                    Place::Messages(Some(HistoryPosition {
                        at: last.at,
                        id: last.id,
                    }))
                });
                (found.iter().map(message).collect(), next)
            }
            Place::Audit(before) => {
                let query = AuditQuery {
                    before: *before,
                    ..AuditQuery::default()
                };
                let found = audit::page(&tx, &query, PART).await?;
                let next = found.last().map_or(Place::End, |last| {
                    Place::Audit(Some(Position {
                        created_at: last.created_at,
                        id: last.id,
                    }))
                });
                (found.iter().map(audit_entry).collect(), next)
            }
            // Whoever reads the file sees by it that nothing is missing.
            Place::End | Place::Nothing => {
                let end = line(
                    "end",
                    json!({"lines": self.rows, "exported_at": self.services.now()}),
                );
                (vec![end], Place::Nothing)
            }
        })
    }
}

fn line(kind: &str, data: Value) -> Value {
    [("type".to_owned(), kind.into()), ("data".to_owned(), data)]
        .into_iter()
        .collect()
}

fn organization(organization: &Organization) -> Value {
    let data = json!({
        "id": organization.id,
        "name": organization.name,
        "status": organization.state.as_str(),
        "country": organization.country,
        "time_zone": organization.time_zone,
        "language": organization.language,
        "retention": {
            "messages_days": organization.retention.messages_days,
            "media_days": organization.retention.media_days,
            "audit_days": organization.retention.audit_days,
        },
        "restarts_silent_sessions": organization.restarts_silent_sessions,
        "resends_lost_messages": organization.resends_lost_messages,
        "keeps_message_texts": organization.keeps_message_texts,
        "limits": {
            "sessions": organization.limits.sessions,
            "messages_per_minute": organization.limits.messages_per_minute,
            "messages_per_hour": organization.limits.messages_per_hour,
            "media_per_minute": organization.limits.media_per_minute,
            "media_per_hour": organization.limits.media_per_hour,
            "requests_per_minute": organization.limits.requests_per_minute,
            "organization_messages_per_minute": organization.limits.organization_messages_per_minute,
            "organization_messages_per_hour": organization.limits.organization_messages_per_hour,
            "monthly_messages": organization.limits.monthly_messages,
            "queued_messages": organization.limits.queued_messages,
        },
        "created_at": organization.created_at,
        "updated_at": organization.updated_at,
    });
    line("organization", data)
}

fn invitation(invitation: &Invitation) -> Value {
    let data = json!({
        "id": invitation.id,
        "email": invitation.email,
        "role": invitation.role,
        "invited_by": invitation.invited_by,
        "expires_at": invitation.expires_at,
        "accepted_at": invitation.accepted_at,
        "revoked_at": invitation.revoked_at,
        "created_at": invitation.created_at,
    });
    line("invitation", data)
}

fn token(token: &AccessToken) -> Value {
    let data = json!({
        "id": token.id,
        "user_id": token.user_id,
        "name": token.name,
        "abilities": token.abilities.to_list(),
        "sessions": token.sessions,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
        "created_at": token.created_at,
    });
    line("token", data)
}

fn webhook(endpoint: &WebhookEndpoint) -> Value {
    // What follows the host often lets in whoever knows it.
    let origin = Url::parse(&endpoint.url).map(|url| url.origin().ascii_serialization());
    let data = json!({
        "id": endpoint.id,
        "origin": origin.ok(),
        "description": endpoint.description,
        "style": endpoint.style.as_str(),
        "events": endpoint.events,
        "sessions": endpoint.sessions,
        "header_names": endpoint.header_names,
        "state": endpoint.state.as_str(),
        "disabled_reason": endpoint.disabled_reason,
        "created_by": endpoint.created_by,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    });
    line("webhook", data)
}

fn member(member: &Member) -> Value {
    let data = json!({
        "user_id": member.user_id,
        "email": member.email,
        "display_name": member.display_name,
        "role": member.role,
        "is_disabled": member.is_disabled,
        "created_at": member.created_at,
    });
    line("member", data)
}

fn session(EverySession { session, deleted_at }: &EverySession) -> Value {
    let pacing = session.pacing.map(|pacing| {
        json!({
            "min_seconds": pacing.min_seconds(),
            "max_seconds": pacing.max_seconds(),
            "shows_typing": pacing.shows_typing(),
        })
    });
    let data = json!({
        "id": session.id,
        "session_name": session.name,
        "display_name": session.display_name,
        "phone_number": session.phone_number,
        "status": session.status,
        "desired_status": session.desired_status.as_str(),
        "configuration": session.configuration,
        "pacing": pacing,
        "business_name": session.business.name,
        "business_description": session.business.description,
        "business_category": session.business.category,
        "business_website": session.business.website,
        "business_email": session.business.email,
        "messages_sent": session.counters.messages_sent,
        "messages_received": session.counters.messages_received,
        "media_sent": session.counters.media_sent,
        "media_received": session.counters.media_received,
        "last_message_at": session.last_message_at,
        "created_at": session.created_at,
        "updated_at": session.updated_at,
        "deleted_at": deleted_at,
    });
    line("session", data)
}

fn message(message: &KeptMessage) -> Value {
    let data = json!({
        "id": message.id,
        "session_id": message.session_id,
        "waha_message_id": message.waha_message_id,
        "chat_id": message.chat_id,
        "direction": message.direction.as_str(),
        "type": message.kind.as_str(),
        "status": message.status.as_str(),
        "timestamp": message.at,
        "sender": message.sender,
        "reply_to": message.reply_to,
        "text": message.text,
        "mentions": mentions(message),
        "media": message.media.as_ref().map(media),
        "reason": message.reason,
        "requested_by": message.requested_by,
        "token_id": message.token_id,
        "expires_at": message.expires_at,
        "created_at": message.created_at,
    });
    line("message", data)
}

/// Who is mentioned in a message that was sent.
fn mentions(message: &KeptMessage) -> Value {
    let details = message.details.as_deref().map(serde_json::from_str::<Value>);
    let mentions = details.and_then(|details| details.ok()?.get_mut("mentions").map(Value::take));
    mentions.unwrap_or_else(|| json!([]))
}

/// A file without its bytes, which are fetched by its message.
fn media(file: &MediaFile) -> Value {
    let stored = file.stored.as_ref();
    json!({
        "status": file.state.as_str(),
        "mimetype": file.media_type.as_str(),
        "filename": file.name.as_ref().map(wahana_domain::FileName::as_str),
        "size": stored.map(|stored| stored.size),
        "sha256": stored.map(|stored| &stored.sha256),
        "created_at": file.created_at,
    })
}

fn audit_entry(entry: &AuditEntry) -> Value {
    let data = json!({
        "id": entry.id,
        "actor": entry.actor.as_str(),
        "user_id": entry.user_id,
        "token_id": entry.token_id,
        "session_id": entry.session_id,
        "operation": entry.operation,
        "outcome": entry.outcome.as_str(),
        "error_code": entry.outcome.error_code(),
        "source_address": entry.source_address,
        "request_id": entry.request_id,
        "created_at": entry.created_at,
    });
    line("audit_entry", data)
}
