//! What the simulator's tests share.

pub(crate) mod client;
pub(crate) mod hook;
