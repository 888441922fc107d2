//! A session as it is stored.

use wahana_domain::{
    BusinessProfile, Pacing, PhoneNumber, Session, SessionConfiguration, SessionCounters, SessionName,
    SessionOrigin, Timestamp, WahaAddress, WahaName,
};

use crate::{StoreError, entity::session};

pub(crate) fn from_row(row: session::Model) -> Result<Session, StoreError> {
    let inconsistent = |column| StoreError::Inconsistent {
        table: "sessions",
        column,
        row: row.id.to_string(),
    };
    let pacing = pacing(&row)?;
    Ok(Session {
        id: row.id.into(),
        organization_id: row.organization_id.into(),
        origin: SessionOrigin::from_word(&row.origin).ok_or_else(|| inconsistent("origin"))?,
        name: SessionName::parse(&row.session_name).map_err(|_| inconsistent("session_name"))?,
        phone_number: row
            .phone_number
            .as_deref()
            .map(PhoneNumber::parse)
            .transpose()
            .map_err(|_| inconsistent("phone_number"))?,
        status: row.status.parse().map_err(|_| inconsistent("status"))?,
        desired_status: row
            .desired_status
            .parse()
            .map_err(|_| inconsistent("desired_status"))?,
        waha: WahaAddress {
            server: row.waha_server_id.into(),
            name: WahaName::adopted(row.waha_name),
        },
        configuration: serde_json::from_str(&row.configuration).map_err(|_| inconsistent("configuration"))?,
        display_name: row.display_name,
        waha_status: row.waha_status,
        observed_at: row.observed_at.map(Timestamp::from_micros),
        error_count: row.error_count,
        last_error: row.last_error,
        warning: row.warning,
        business: BusinessProfile {
            name: row.business_name,
            description: row.business_description,
            category: row.business_category,
            website: row.business_website,
            email: row.business_email,
        },
        pacing,
        counters: SessionCounters {
            messages_sent: row.messages_sent,
            messages_received: row.messages_received,
            media_sent: row.media_sent,
            media_received: row.media_received,
        },
        last_message_at: row.last_message_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}

fn pacing(row: &session::Model) -> Result<Option<Pacing>, StoreError> {
    let (Some(min), Some(max)) = (row.pacing_min_seconds, row.pacing_max_seconds) else {
        return Ok(None);
    };
    let seconds = |seconds: i32| u32::try_from(seconds).unwrap_or(u32::MAX);
    let pacing = Pacing::new(seconds(min), seconds(max), row.pacing_shows_typing);
    pacing.map(Some).map_err(|_| StoreError::Inconsistent {
        table: "sessions",
        column: "pacing_max_seconds",
        row: row.id.to_string(),
    })
}

/// The configuration as it is stored.
pub(super) fn configuration_text(configuration: &SessionConfiguration) -> Result<String, StoreError> {
    serde_json::to_string(configuration)
        .map_err(|error| StoreError::Database(format!("a configuration cannot be written: {error}")))
}

pub(super) fn to_row(session: &Session) -> Result<session::Model, StoreError> {
    Ok(session::Model {
        configuration: configuration_text(&session.configuration)?,
        id: session.id.as_uuid(),
        organization_id: session.organization_id.as_uuid(),
        waha_server_id: session.waha.server.as_uuid(),
        waha_name: session.waha.name.as_str().to_owned(),
        origin: session.origin.as_str().to_owned(),
        session_name: session.name.as_str().to_owned(),
        display_name: session.display_name.clone(),
        phone_number: session
            .phone_number
            .as_ref()
            .map(|number| number.as_str().to_owned()),
        status: session.status.as_str().to_owned(),
        waha_status: session.waha_status.clone(),
        desired_status: session.desired_status.as_str().to_owned(),
        observed_at: session.observed_at.map(Timestamp::as_micros),
        error_count: session.error_count,
        last_error: session.last_error.clone(),
        business_name: session.business.name.clone(),
        business_description: session.business.description.clone(),
        business_category: session.business.category.clone(),
        business_website: session.business.website.clone(),
        business_email: session.business.email.clone(),
        messages_sent: session.counters.messages_sent,
        messages_received: session.counters.messages_received,
        media_sent: session.counters.media_sent,
        media_received: session.counters.media_received,
        last_message_at: session.last_message_at.map(Timestamp::as_micros),
        created_at: session.created_at.as_micros(),
        updated_at: session.updated_at.as_micros(),
        deleted_at: None,
        phone_number_at: None,
        warning: session.warning.clone(),
        pacing_min_seconds: session.pacing.map(|pacing| pacing.min_seconds().into()),
        pacing_max_seconds: session.pacing.map(|pacing| pacing.max_seconds().into()),
        pacing_shows_typing: session.pacing.is_some_and(Pacing::shows_typing),
    })
}
