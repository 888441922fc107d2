//! How stored messages become answers.

use std::cmp::Reverse;

use serde_json::Value;

use super::{call::Call, errors::WahaError};
use crate::{media, messages::Message};

/// Which of a chat's messages are asked for.
pub(super) struct Filter {
    newest_first: bool,
    limit: usize,
    offset: usize,
    since: u64,
    until: u64,
    from_me: Option<bool>,
    ack: Option<String>,
}

impl Filter {
    /// WAHA's names and defaults: ten messages, newest first.
    pub(super) fn from_query(call: &Call) -> Result<Self, WahaError> {
        let bound = |name: &str, default: u64| -> Result<u64, WahaError> {
            call.query(name).map_or(Ok(default), |text| {
                text.parse().map_err(|_invalid| {
                    WahaError::invalid(&[format!(
                        "{name} must be a number conforming to the specified constraints"
                    )])
                })
            })
        };
        Ok(Self {
            newest_first: call.descending().unwrap_or(true),
            limit: call.number("limit", 10)?,
            offset: call.number("offset", 0)?,
            since: bound("filter.timestamp.gte", 0)?,
            until: bound("filter.timestamp.lte", u64::MAX)?,
            from_me: call.boolean("filter.fromMe")?,
            ack: call.query("filter.ack").map(str::to_owned),
        })
    }

    /// The page of `messages`, which are oldest first.
    pub(super) fn apply(&self, messages: &[Message]) -> Vec<Message> {
        let wanted = |message: &&Message| {
            (self.since..=self.until).contains(&message.timestamp)
                && self.from_me.is_none_or(|from_me| message.from_me == from_me)
                && self
                    .ack
                    .as_deref()
                    .is_none_or(|ack| message.ack.name() == ack || message.ack.number().to_string() == ack)
        };
        let mut messages: Vec<&Message> = messages.iter().filter(wanted).collect();
        if self.newest_first {
            // NOWEB's store keeps messages of the same second in the order they were stored, in both directions.
            messages.sort_by_key(|message| Reverse(message.timestamp));
        }
        messages
            .into_iter()
            .skip(self.offset)
            .take(self.limit)
            .cloned()
            .collect()
    }
}

/// Whether the answer shall carry the files, which is WAHA's default.
pub(super) fn wants_media(call: &Call) -> Result<bool, WahaError> {
    Ok(call.boolean("downloadMedia")?.unwrap_or(true))
}

/// Messages of the store in WAHA's form.
pub(super) fn show(call: &Call, session: &str, messages: &[Message], with_media: bool) -> Vec<Value> {
    let mut state = call.sim.lock();
    messages
        .iter()
        .map(|message| {
            let media = if with_media {
                media::download(&call.sim, &mut state, session, message)
            } else {
                Value::Null
            };
            message.to_waha(call.sim.options.engine, false, &media)
        })
        .collect()
}
