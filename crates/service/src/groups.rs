//! Groups, as WAHA has them.

use waha_client::GroupsQuery;
use wahana_domain::{Session, Timestamp};

use crate::{
    Part, PartQuery, ServiceError, Services,
    access::{Granted, Owned, ReadContacts},
    ready::Ready,
};

/// A group.
#[derive(Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id, such as `120363041234567890@g.us`.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// How many people are in it.
    pub participant_count: Option<u64>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Who made it.
    pub owner: Option<String>,
}

/// A part of the groups that a session's account is in.
pub async fn list(
    services: &Services,
    access: &Granted<ReadContacts>,
    session: &Owned<Session>,
    query: PartQuery,
) -> Result<Part<Group>, ServiceError> {
    let ready = Ready::find(services, access, session).await?;
    let asked = GroupsQuery {
        page: query.to_page(),
        // Most engines say how many there are only by naming them.
        without_participants: false,
    };
    let groups = ready
        .waha()
        .groups(ready.waha_name(), &asked)
        .await
        .map_err(|error| ready.failed_to_read(services, access.context(), "groups.list", &error))?;
    Ok(query.part(groups, |group| Group {
        id: group.id,
        name: group.name,
        description: group.description,
        participant_count: group.participant_count,
        created_at: group.created_at.map(Timestamp::from_seconds),
        owner: group.owner,
    }))
}
