//! Chats of WhatsApp, and whom a message is for.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{Country, InvalidPhoneNumber, PhoneNumber};

/// A chat of WhatsApp: a person (`@c.us`, or `@lid` where the number is hidden), a group (`@g.us`)
/// or a channel (`@newsletter`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ChatId(String);

/// The text names nobody a message could go to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecipient {
    /// It looks like a phone number and is none.
    #[error(transparent)]
    PhoneNumber(#[from] InvalidPhoneNumber),
    /// It looks like a chat id and is none.
    #[error(
        "must be a phone number, or a chat id ending in @c.us, @s.whatsapp.net, @g.us, @lid or @newsletter"
    )]
    ChatId,
}

/// The kinds of chats that messages can be sent to.
const SENT_TO: [&str; 5] = ["c.us", "s.whatsapp.net", "lid", "newsletter", "g.us"];

impl ChatId {
    /// Reads a chat id. `@s.whatsapp.net` is another way to write `@c.us`: WAHA uses both for the
    /// same person, and wahana only the latter.
    pub fn parse(text: &str) -> Result<Self, InvalidRecipient> {
        let (name, kind) = text.split_once('@').ok_or(InvalidRecipient::ChatId)?;
        let digits = |name: &str| (1..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_digit());
        let sound = match kind {
            "c.us" | "s.whatsapp.net" => PhoneNumber::from_digits(name).is_ok(),
            "lid" | "newsletter" => digits(name),
            // Groups made before 2021 are named by their creator's number and a time.
            "g.us" => digits(name) || name.split_once('-').is_some_and(|(a, b)| digits(a) && digits(b)),
            _ => false,
        };
        if !sound {
            return Err(InvalidRecipient::ChatId);
        }
        let kind = if kind == "s.whatsapp.net" { "c.us" } else { kind };
        Ok(Self(format!("{name}@{kind}")))
    }

    /// Reads the id of a chat that messages come from: also of kinds to which none can be sent, such as lists
    /// (`@broadcast`).
    pub fn parse_source(text: &str) -> Result<Self, InvalidRecipient> {
        Self::parse(text).or_else(|refused| {
            let (name, kind) = text.split_once('@').ok_or(InvalidRecipient::ChatId)?;
            let has = |part: &str, most: usize, others: &[u8]| {
                (1..=most).contains(&part.len())
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || others.contains(&b))
            };
            let is_other = !SENT_TO.contains(&kind) && has(name, 64, b"-_.:") && has(kind, 32, b"-_");
            is_other.then(|| Self(text.to_owned())).ok_or(refused)
        })
    }

    /// Reads whom a message is for: a chat id, or a phone number (national only where the
    /// organization has set its country).
    pub fn parse_recipient(text: &str, country: Option<Country>) -> Result<Self, InvalidRecipient> {
        let text = text.trim();
        if text.contains('@') {
            return Self::parse(text);
        }
        Ok(Self::of_person(&PhoneNumber::parse_in(text, country)?))
    }

    /// The chat with the person of this number.
    #[must_use]
    pub fn of_person(number: &PhoneNumber) -> Self {
        Self(format!("{}@c.us", number.digits()))
    }

    /// Whether it is one person's, and not a group's or a channel's.
    #[must_use]
    pub fn is_person(&self) -> bool {
        self.0.ends_with("@c.us") || self.0.ends_with("@lid")
    }

    /// The id as it is written and stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for ChatId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Shows the kind and the last three digits only: chat ids of people hold their numbers.
impl fmt::Debug for ChatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, kind) = self.0.split_once('@').unwrap_or_default();
        write!(
            f,
            "…{}@{kind}",
            name.get(name.len().saturating_sub(3)..).unwrap_or_default()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_chat_is_read() {
        for text in [
            "6281234567890@c.us",
            "120363041234567890@g.us",
            "6281234567890-1612345678@g.us",
            "123456789012345@lid",
            "120363041234567890@newsletter",
        ] {
            assert_eq!(ChatId::parse(text).unwrap().as_str(), text);
        }
        assert_eq!(
            ChatId::parse("6281234567890@s.whatsapp.net").unwrap().as_str(),
            "6281234567890@c.us"
        );
    }

    #[test]
    fn messages_also_come_from_chats_that_none_can_be_sent_to() {
        for text in [
            "1612345678@broadcast",
            "status@broadcast",
            "6281234567890@c.us",
            "1@bot",
        ] {
            assert_eq!(ChatId::parse_source(text).unwrap().as_str(), text);
        }
        for text in [
            "abc@c.us",
            "1@c.us",
            "@broadcast",
            "1@",
            "1@b@c",
            "1 2@broadcast",
            "1@example.com",
            "1",
        ] {
            assert!(ChatId::parse_source(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_is_the_chat_with_its_owner() {
        assert_eq!(
            ChatId::parse_recipient("+62 812 3456 7890", None)
                .unwrap()
                .as_str(),
            "6281234567890@c.us"
        );
        assert_eq!(
            ChatId::parse_recipient("0812 3456 7890", Some("ID".parse().unwrap()))
                .unwrap()
                .as_str(),
            "6281234567890@c.us"
        );
        assert_eq!(
            ChatId::parse_recipient("081234567890", None),
            Err(InvalidRecipient::PhoneNumber(InvalidPhoneNumber::NoCountry))
        );
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "@c.us",
            "abc@c.us",
            "1@c.us",
            "123@example.com",
            "status@broadcast",
            "1@c.us@g.us",
            "1/2@g.us",
            "1-@g.us",
            "12345678@c.us\n",
            "12345678@C.US",
        ] {
            assert_eq!(ChatId::parse(text), Err(InvalidRecipient::ChatId), "{text:?}");
        }
    }
}
