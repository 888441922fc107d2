//! The store on both databases. One program, because each links both drivers.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests, and a step that fails ends its test"
)]

mod access_tokens;
mod audit;
mod caches;
mod erasures;
mod errors;
mod frozen;
mod hooks;
mod identities;
mod invitations;
mod jobs;
mod leases;
mod media_files;
mod members;
mod message_history;
mod messages;
mod migrations;
mod observation;
mod open_transactions;
mod organization_events;
mod organizations;
mod people;
mod placement;
mod platform_functions;
mod platform_sessions;
mod platform_tokens;
mod retention;
mod row_security;
mod runtime_users;
mod secrets;
mod send_queue;
mod servers;
mod session_list;
mod sessions;
mod standing;
mod table_sizes;
mod transactions;
mod upkeep;
mod usage;
mod walls;
mod webhooks;
mod world;
