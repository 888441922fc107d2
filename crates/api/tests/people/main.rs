//! People over HTTP: signing in, passwords, invitations, members and the audit log, on both databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod audit_log;
mod guessing;
mod invitations;
mod logs;
mod members;
mod passwords;
mod sign_in;
mod tokens;
mod wahana;
