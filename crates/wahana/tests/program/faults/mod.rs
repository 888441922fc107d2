//! Processes that die, freeze and come back, over a real WAHA simulator.

mod delivering;
mod killed;
mod leaders;
mod process;
mod sending;
mod told;
mod torture;
mod world;
