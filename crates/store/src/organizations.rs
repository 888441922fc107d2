//! The organization itself.

use wahana_domain::{
    Country, Language, Organization, OrganizationLimits, OrganizationState, Retention, TimeZone, Timestamp,
};

use crate::{StoreError, TenantTx, entity::organization};

/// What to change of an organization; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct OrganizationChange {
    /// Another name.
    pub name: Option<String>,
    /// Another country; `Some(None)` for none.
    pub country: Option<Option<Country>>,
    /// Another time zone.
    pub time_zone: Option<TimeZone>,
    /// Another language.
    pub language: Option<Language>,
    /// Another retention.
    pub retention: Option<Retention>,
    /// Whether sessions that hear nothing may be restarted.
    pub restarts_silent_sessions: Option<bool>,
    /// Whether messages are sent again that WAHA says it does not have.
    pub resends_lost_messages: Option<bool>,
    /// Whether it is kept what messages say.
    pub keeps_message_texts: Option<bool>,
}

/// The organization of the transaction.
pub async fn get(tx: &TenantTx) -> Result<Option<Organization>, StoreError> {
    tx.find::<organization::Entity>()
        .one()
        .await?
        .map(from_row)
        .transpose()
}

/// The same, and whoever else asks so waits until this transaction ends: for rules that hold over
/// several rows, such as "the last owner stays".
pub async fn get_locked(tx: &TenantTx) -> Result<Option<Organization>, StoreError> {
    tx.find::<organization::Entity>()
        .lock()
        .one()
        .await?
        .map(from_row)
        .transpose()
}

/// Changes the organization.
pub async fn update(tx: &TenantTx, change: &OrganizationChange) -> Result<(), StoreError> {
    use organization::Column;
    let mut update = tx
        .update::<organization::Entity>()
        .set(Column::UpdatedAt, tx.now().as_micros());
    if let Some(name) = &change.name {
        update = update.set(Column::Name, name.clone());
    }
    if let Some(country) = change.country {
        update = update.set(Column::Country, country.map(|country| country.to_string()));
    }
    if let Some(time_zone) = change.time_zone {
        update = update.set(Column::TimeZone, time_zone.to_string());
    }
    if let Some(language) = change.language {
        update = update.set(Column::Language, language.as_str());
    }
    if let Some(retention) = change.retention {
        update = update
            .set(Column::MessageRetentionDays, retention.messages_days)
            .set(Column::MediaRetentionDays, retention.media_days)
            .set(Column::AuditRetentionDays, retention.audit_days);
    }
    if let Some(restarts) = change.restarts_silent_sessions {
        update = update.set(Column::RestartsSilentSessions, restarts);
    }
    if let Some(resends) = change.resends_lost_messages {
        update = update.set(Column::ResendsLostMessages, resends);
    }
    if let Some(keeps) = change.keeps_message_texts {
        update = update.set(Column::KeepsMessageTexts, keeps);
    }
    update.run().await?;
    Ok(())
}

pub(crate) fn from_row(row: organization::Model) -> Result<Organization, StoreError> {
    let inconsistent = |column| StoreError::Inconsistent {
        table: "organizations",
        column,
        row: row.id.to_string(),
    };
    Ok(Organization {
        id: row.id.into(),
        state: OrganizationState::from_word(&row.state).ok_or_else(|| inconsistent("state"))?,
        country: row
            .country
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|_| inconsistent("country"))?,
        time_zone: row.time_zone.parse().map_err(|_| inconsistent("time_zone"))?,
        language: row.language.parse().map_err(|_| inconsistent("language"))?,
        limits: OrganizationLimits {
            sessions: row.session_limit,
            messages_per_minute: row.messages_per_minute,
            messages_per_hour: row.messages_per_hour,
            media_per_minute: row.media_per_minute,
            media_per_hour: row.media_per_hour,
            requests_per_minute: row.requests_per_minute,
            organization_messages_per_minute: row.organization_messages_per_minute,
            organization_messages_per_hour: row.organization_messages_per_hour,
            monthly_messages: row.monthly_messages,
            queued_messages: row.queued_messages,
        },
        restarts_silent_sessions: row.restarts_silent_sessions,
        resends_lost_messages: row.resends_lost_messages,
        keeps_message_texts: row.keeps_message_texts,
        retention: Retention {
            messages_days: row.message_retention_days,
            media_days: row.media_retention_days,
            audit_days: row.audit_retention_days,
        },
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
        name: row.name,
    })
}

pub(crate) fn to_row(organization: &Organization) -> organization::Model {
    organization::Model {
        id: organization.id.as_uuid(),
        name: organization.name.clone(),
        state: organization.state.as_str().to_owned(),
        country: organization.country.map(|country| country.to_string()),
        time_zone: organization.time_zone.to_string(),
        language: organization.language.to_string(),
        session_limit: organization.limits.sessions,
        message_retention_days: organization.retention.messages_days,
        media_retention_days: organization.retention.media_days,
        audit_retention_days: organization.retention.audit_days,
        created_at: organization.created_at.as_micros(),
        updated_at: organization.updated_at.as_micros(),
        messages_per_minute: organization.limits.messages_per_minute,
        messages_per_hour: organization.limits.messages_per_hour,
        media_per_minute: organization.limits.media_per_minute,
        media_per_hour: organization.limits.media_per_hour,
        requests_per_minute: organization.limits.requests_per_minute,
        organization_messages_per_minute: organization.limits.organization_messages_per_minute,
        organization_messages_per_hour: organization.limits.organization_messages_per_hour,
        monthly_messages: organization.limits.monthly_messages,
        queued_messages: organization.limits.queued_messages,
        restarts_silent_sessions: organization.restarts_silent_sessions,
        resends_lost_messages: organization.resends_lost_messages,
        keeps_message_texts: organization.keeps_message_texts,
    }
}
