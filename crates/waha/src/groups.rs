//! Reading groups.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use crate::chats::Page;
use crate::client::Call;
use crate::error::WahaError;
use crate::timeouts::CallKind;
use crate::{WahaClient, normalize_chat_id, wire};

/// Which groups to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupsQuery {
    /// The part of the list.
    pub page: Page,
    /// Leaves the participants out of WAHA's answer, which makes it much smaller; their number is then known
    /// only on engines that say it separately.
    pub without_participants: bool,
}

/// A group.
#[derive(Clone, PartialEq, Eq)]
pub struct Group {
    /// `…@g.us`.
    pub id: String,
    /// Its name, which WhatsApp calls the subject.
    pub name: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// How many people are in it.
    pub participant_count: Option<u64>,
    /// When it was made, in Unix seconds.
    pub created_at: Option<i64>,
    /// Who made it.
    pub owner: Option<String>,
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("participant_count", &self.participant_count)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

/// NOWEB's names are in small letters, GOWS's begin with capitals, WEBJS has everything in `groupMetadata`.
#[derive(Deserialize)]
struct WireGroup {
    #[serde(default, deserialize_with = "wire::text")]
    id: Option<String>,
    #[serde(default, rename = "JID", deserialize_with = "wire::text")]
    go_id: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    subject: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    name: Option<String>,
    #[serde(default, rename = "Name", deserialize_with = "wire::text")]
    go_name: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    desc: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    description: Option<String>,
    #[serde(default, rename = "Topic", deserialize_with = "wire::text")]
    go_topic: Option<String>,
    #[serde(default, deserialize_with = "wire::length")]
    participants: Option<u64>,
    #[serde(default, rename = "Participants", deserialize_with = "wire::length")]
    go_participants: Option<u64>,
    #[serde(default, deserialize_with = "wire::number")]
    size: Option<i64>,
    #[serde(default, rename = "ParticipantCount", deserialize_with = "wire::number")]
    go_size: Option<i64>,
    #[serde(default, deserialize_with = "wire::seconds")]
    creation: Option<i64>,
    #[serde(default, rename = "GroupCreated", deserialize_with = "wire::seconds")]
    go_created: Option<i64>,
    #[serde(default, deserialize_with = "wire::text")]
    owner: Option<String>,
    #[serde(default, rename = "OwnerJID", deserialize_with = "wire::text")]
    go_owner: Option<String>,
    #[serde(default, rename = "groupMetadata", deserialize_with = "metadata")]
    metadata: Option<Box<WireGroup>>,
}

fn metadata<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Box<WireGroup>>, D::Error> {
    Ok(wire::object::<D, WireGroup>(json)?.map(Box::new))
}

impl WireGroup {
    fn into_group(self) -> Option<Group> {
        let own_id = self.id.or(self.go_id);
        let inner = self.metadata.and_then(|mut metadata| {
            // What it says counts also when it does not repeat the id.
            metadata.id = metadata.id.or_else(|| own_id.clone());
            metadata.into_group()
        });
        let (inner_id, inner) = match inner {
            Some(group) => (Some(group.id.clone()), Some(group)),
            None => (None, None),
        };
        let id = own_id.or(inner_id)?;
        let said = self
            .size
            .or(self.go_size)
            .and_then(|size| u64::try_from(size).ok());
        let counted = self
            .participants
            .or(self.go_participants)
            .filter(|count| *count > 0);
        let from_inner = |field: fn(&Group) -> Option<String>| inner.as_ref().and_then(field);
        Some(Group {
            id: normalize_chat_id(&id),
            name: self
                .subject
                .or(self.go_name)
                .or_else(|| from_inner(|group| group.name.clone()))
                .or(self.name),
            description: self
                .desc
                .or(self.description)
                .or(self.go_topic)
                .or_else(|| from_inner(|group| group.description.clone())),
            participant_count: counted
                .or(said)
                .or_else(|| inner.as_ref().and_then(|group| group.participant_count)),
            created_at: self
                .creation
                .or(self.go_created)
                .or_else(|| inner.as_ref().and_then(|group| group.created_at)),
            owner: self
                .owner
                .or(self.go_owner)
                .as_deref()
                .map(normalize_chat_id)
                .or_else(|| from_inner(|group| group.owner.clone())),
        })
    }
}

/// A list of groups: NOWEB answers an object whose names are the ids, the other engines a list.
struct WireGroups(Vec<WireGroup>);

impl<'de> Deserialize<'de> for WireGroups {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(GroupsVisitor)
    }
}

struct GroupsVisitor;

impl<'de> Visitor<'de> for GroupsVisitor {
    type Value = WireGroups;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("groups")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut groups = Vec::new();
        while let Some(group) = list.next_element()? {
            groups.push(group);
        }
        Ok(WireGroups(groups))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut groups = Vec::new();
        while let Some(id) = map.next_key::<String>()? {
            if !id.contains('@') {
                map.next_value::<IgnoredAny>()?;
                return Err(de::Error::custom("an object that is not keyed by groups' ids"));
            }
            let mut group: WireGroup = map.next_value()?;
            group.id.get_or_insert(id);
            groups.push(group);
        }
        Ok(WireGroups(groups))
    }
}

impl WahaClient {
    /// The groups that the session's account is in.
    pub async fn groups(&self, session: &str, query: &GroupsQuery) -> Result<Vec<Group>, WahaError> {
        let call = Call::get(CallKind::Read, &["api", session, "groups"])
            .query_if("limit", query.page.limit)
            .query_if("offset", query.page.offset)
            .query_if("exclude", query.without_participants.then_some("participants"));
        let answer = self.answer(call).await?;
        let WireGroups(groups) = answer.decode()?;
        let given = groups.len();
        let groups: Vec<Group> = groups.into_iter().filter_map(WireGroup::into_group).collect();
        if groups.is_empty() && given > 0 {
            return Err(answer.broken("none of its elements has an id"));
        }
        Ok(groups)
    }

    /// One group; `NotFound` if there is none.
    pub async fn group(&self, session: &str, group_id: &str) -> Result<Group, WahaError> {
        let call = Call::get(CallKind::Read, &["api", session, "groups", group_id]);
        let group: Option<WireGroup> = self.optional_json(call).await?;
        group.and_then(WireGroup::into_group).ok_or(WahaError::NotFound)
    }
}
