//! What the tests of several crates share.

#[cfg(feature = "app")]
pub mod app;
pub mod cutting_proxy;
pub mod database;
pub mod postgres;
pub mod receiver;
pub mod redis;
pub mod reserved_port;
pub mod rows;
pub mod sqlite;
