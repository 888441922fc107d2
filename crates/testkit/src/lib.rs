//! What the tests of several crates share.

pub mod cutting_proxy;
pub mod database;
pub mod postgres;
pub mod sqlite;
