//! The names under which endpoints are told events: wahana's own, or WAHA's for receivers that were made for it.

use wahana_domain::{Ability, EventType, Happening, WebhookEndpoint, WebhookStyle};
use wahana_store::organization_events::WrittenEvent;

use super::waha_event;

/// The name of a test, which is no event's.
pub(super) const TEST: &str = "webhook.test";

/// Every name by which endpoints of a style choose events.
#[must_use]
pub fn event_names(style: WebhookStyle) -> Vec<&'static str> {
    match style {
        WebhookStyle::Standard => EventType::ALL.map(EventType::as_str).to_vec(),
        WebhookStyle::Waha => waha_event::NAMES.to_vec(),
    }
}

/// What one must be allowed to do to be told events of this name; `None` if there is no such name.
pub(super) fn ability(style: WebhookStyle, name: &str) -> Option<Ability> {
    match style {
        WebhookStyle::Standard => Some(EventType::from_word(name)?.ability()),
        WebhookStyle::Waha => {
            let known = waha_event::NAMES.iter().find(|known| **known == name)?;
            Some(match known.split('.').next() {
                Some("session") => Ability::SessionsRead,
                Some("group") => Ability::ContactsRead,
                _ => Ability::MessagesRead,
            })
        }
    }
}

/// Under which names an endpoint is told an event.
pub(super) fn told_as(endpoint: &WebhookEndpoint, event: &WrittenEvent) -> Vec<String> {
    let mut names = match endpoint.style {
        WebhookStyle::Standard => vec![event.event_type.clone()],
        WebhookStyle::Waha => names_at_waha(event),
    };
    names.retain(|name| endpoint.wants(name, event.session));
    names
}

fn names_at_waha(event: &WrittenEvent) -> Vec<String> {
    let event_type = EventType::from_word(&event.event_type).filter(|_| event.session.is_some());
    let happening = event_type.and_then(|event_type| Happening::parse(event_type, &event.data).ok());
    let names = happening.as_ref().map_or(&[][..], waha_event::names);
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_needs_an_ability_and_nothing_else_is_a_name() {
        for style in WebhookStyle::ALL {
            for name in event_names(style) {
                assert!(ability(style, name).is_some(), "{name}");
            }
            assert_eq!(ability(style, TEST), None);
            assert_eq!(ability(style, "message.burnt"), None);
        }
        for (name, expected) in [
            ("message.any", Ability::MessagesRead),
            ("call.received", Ability::MessagesRead),
            ("session.status", Ability::SessionsRead),
            ("group.v2.join", Ability::ContactsRead),
        ] {
            assert_eq!(ability(WebhookStyle::Waha, name), Some(expected), "{name}");
        }
    }
}
