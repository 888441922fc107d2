//! The organization's own webhooks.

mod sending;
mod waha_event;
