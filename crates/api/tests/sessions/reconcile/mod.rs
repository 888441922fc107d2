//! What wahana does by itself about sessions that are not as their organizations want them.

mod attempts;
mod clock_steps;
mod drift;
mod leaders;
mod moved;
mod people;
mod return_of_sessions;
mod silence;
mod trouble;
mod untouched;
mod watch;
