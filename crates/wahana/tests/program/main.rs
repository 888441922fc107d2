//! The program, as its users run it.

#![expect(
    clippy::unwrap_used,
    reason = "the lint knows test functions, but not what they call"
)]

mod command_line;
mod demo;
mod doctor;
mod faults;
mod hooks;
mod installation;
mod keys;
mod serve;
mod work;
