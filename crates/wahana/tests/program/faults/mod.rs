//! Processes that die, freeze and come back, over a real WAHA simulator.

mod killed;
mod leaders;
mod process;
mod sending;
mod torture;
mod world;
