//! The platform API, over a real database.

mod harness;
mod organizations;
mod refusals;
mod servers;
mod tokens;
mod users;
