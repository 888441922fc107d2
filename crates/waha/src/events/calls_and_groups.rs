//! What events say of calls and groups. Nothing of it is needed to count them, so what cannot be read is left out.

use std::fmt;

use serde::Deserialize;

use super::{EventEnvelope, EventName, payload::is_word};
use crate::{normalize_chat_id, wire};

/// Somebody calls.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CallNews {
    /// WhatsApp's id of the call.
    pub id: Option<String>,
    /// Who calls, as a chat id.
    pub from: Option<String>,
    /// Whether with a picture.
    pub is_video: bool,
    /// Whether it is a group's.
    pub is_group: bool,
}

/// A group, or who is in it, changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupNews {
    /// The group's id.
    pub group_id: Option<String>,
    /// What happened.
    pub change: GroupChange,
}

/// What happened to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupChange {
    /// The session's account joined it, or was added to it.
    Joined,
    /// The session's account left it, or was removed from it.
    Left,
    /// It was changed.
    Updated,
    /// Members came, left or got another role.
    Participants,
}

impl fmt::Debug for CallNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallNews")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[derive(Default, Deserialize)]
struct WireCall {
    #[serde(default, deserialize_with = "wire::text")]
    id: Option<String>,
    #[serde(default, deserialize_with = "wire::text")]
    from: Option<String>,
    #[serde(default, rename = "isVideo", deserialize_with = "wire::flag")]
    is_video: bool,
    #[serde(default, rename = "isGroup", deserialize_with = "wire::flag")]
    is_group: bool,
}

#[derive(Default, Deserialize)]
struct WireGroupEvent {
    #[serde(default, deserialize_with = "wire::object")]
    group: Option<WireGroup>,
}

#[derive(Deserialize)]
struct WireGroup {
    #[serde(default, deserialize_with = "wire::text")]
    id: Option<String>,
}

fn word(text: Option<String>) -> Option<String> {
    text.filter(|text| is_word(text))
}

impl EventEnvelope<'_> {
    pub(super) fn call(&self) -> CallNews {
        let wire: WireCall = serde_json::from_str(self.payload).unwrap_or_default();
        CallNews {
            id: word(wire.id),
            from: word(wire.from).map(|from| normalize_chat_id(&from)),
            is_video: wire.is_video,
            is_group: wire.is_group,
        }
    }

    pub(super) fn group(&self) -> GroupNews {
        let wire: WireGroupEvent = serde_json::from_str(self.payload).unwrap_or_default();
        GroupNews {
            group_id: word(wire.group.and_then(|group| group.id)),
            change: match self.event {
                EventName::GroupV2Join => GroupChange::Joined,
                EventName::GroupV2Leave => GroupChange::Left,
                EventName::GroupV2Participants => GroupChange::Participants,
                _ => GroupChange::Updated,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EventNews;

    fn recorded(text: &str) -> EventNews {
        EventEnvelope::parse(text).unwrap().news().unwrap()
    }

    #[test]
    fn recorded_events_say_who_calls_and_which_group_changed() {
        let call = recorded(include_str!("fixtures/call.received.json"));
        let expected = CallNews {
            id: Some("CALL1".to_owned()),
            from: Some("15550001111@c.us".to_owned()),
            is_video: false,
            is_group: false,
        };
        assert!(!format!("{call:?}").contains("15550001111"));
        assert_eq!(call, EventNews::Call(expected));
        for (text, change) in [
            (
                include_str!("fixtures/group.v2.update.json"),
                GroupChange::Updated,
            ),
            (
                include_str!("fixtures/group.v2.participants.json"),
                GroupChange::Participants,
            ),
        ] {
            let expected = GroupNews {
                group_id: Some("120363000000000001@g.us".to_owned()),
                change,
            };
            assert_eq!(recorded(text), EventNews::GroupChange(expected));
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        for payload in [
            "null",
            "[]",
            r#"{"id": ["x"], "group": "y"}"#,
            r#"{"from": "a\u0000"}"#,
        ] {
            let text = |event| {
                format!(
                    r#"{{"id": "evt_1", "timestamp": 1, "event": "{event}", "session": "s", "payload": {payload}}}"#
                )
            };
            assert_eq!(
                recorded(&text("call.received")),
                EventNews::Call(CallNews::default())
            );
            let left = GroupNews {
                group_id: None,
                change: GroupChange::Left,
            };
            assert_eq!(recorded(&text("group.v2.leave")), EventNews::GroupChange(left));
        }
    }
}
