//! Ids of chats and messages in one spelling.

/// The id of a chat as WAHA spells it in messages and contacts.
///
/// People are `<number>@c.us`: WAHA 2026.2.1 answers `@s.whatsapp.net` in the list of chats and in NOWEB's
/// answers to sends, and a device may be named (`<number>:<device>@s.whatsapp.net`). Groups (`@g.us`), hidden
/// ids (`@lid`), channels (`@newsletter`) and broadcasts stay as they are.
#[must_use]
pub fn normalize_chat_id(id: &str) -> String {
    let Some((user, server)) = id.split_once('@') else {
        return id.to_owned();
    };
    match server {
        "s.whatsapp.net" | "c.us" => {
            let number = user.split_once(':').map_or(user, |(number, _device)| number);
            format!("{number}@c.us")
        }
        _ => id.to_owned(),
    }
}

/// The parts of a message's id, `{from_me}_{chat}_{key}` and in groups `_{participant}` after it.
///
/// The chat and the key name a message; the participant is there on some engines and absent on others, so
/// compare keys and not whole ids.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageKey {
    /// Whether the session's own account sent it.
    pub from_me: bool,
    /// The chat, see [`normalize_chat_id`].
    pub chat_id: String,
    /// WhatsApp's own key of the message.
    pub key: String,
    /// Who sent it, in a group.
    pub participant: Option<String>,
}

impl MessageKey {
    /// Takes an id apart; `None` if it has another form.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        let mut parts = id.splitn(4, '_');
        let from_me = match parts.next()? {
            "true" => true,
            "false" => false,
            _ => return None,
        };
        let chat_id = parts
            .next()
            .filter(|chat| chat.contains('@'))
            .map(normalize_chat_id)?;
        let key = parts.next().filter(|key| !key.is_empty())?.to_owned();
        let participant = parts.next().map(normalize_chat_id);
        Some(Self {
            from_me,
            chat_id,
            key,
            participant,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_have_one_spelling_and_everything_else_keeps_its_own() {
        for (given, expected) in [
            ("15550001111@s.whatsapp.net", "15550001111@c.us"),
            ("15550001111:12@s.whatsapp.net", "15550001111@c.us"),
            ("15550001111@c.us", "15550001111@c.us"),
            ("120363000000000001@g.us", "120363000000000001@g.us"),
            ("123456789012345@lid", "123456789012345@lid"),
            ("120363999999999999@newsletter", "120363999999999999@newsletter"),
            ("status@broadcast", "status@broadcast"),
            ("15550001111", "15550001111"),
        ] {
            assert_eq!(normalize_chat_id(given), expected);
        }
    }

    #[test]
    fn message_ids_come_apart_with_and_without_a_participant() {
        let direct = MessageKey::parse("true_15550001111@s.whatsapp.net_3EB0").unwrap();
        assert!(direct.from_me && direct.participant.is_none());
        assert_eq!(
            (direct.chat_id.as_str(), direct.key.as_str()),
            ("15550001111@c.us", "3EB0")
        );

        let group = MessageKey::parse("false_120363000000000001@g.us_3A18_15550002222@c.us").unwrap();
        assert!(!group.from_me);
        assert_eq!(group.key, "3A18");
        assert_eq!(group.participant.as_deref(), Some("15550002222@c.us"));

        for other in ["3EB0", "true_3EB0", "maybe_1@c.us_3EB0", "true_1@c.us_", ""] {
            assert!(MessageKey::parse(other).is_none(), "{other}");
        }
    }
}
