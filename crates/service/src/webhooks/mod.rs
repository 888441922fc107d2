//! The organization's own webhooks.

mod sending;
