//! Sending and reading through a (simulated) WAHA, over wahana's real routes.

mod media;
mod privacy;
mod reading;
mod sending;
mod wahana;
