//! Requests to addresses that tenants name, and the guard that keeps them out of private networks.
//!
//! What an organization gives never leads to a private address, unless the platform's operator allowed
//! that network and port. The guard cannot be turned off.

mod address;
mod fetch;
mod policy;
mod resolver;

pub(crate) use fetch::Fetcher;
pub use policy::AllowedNetwork;
pub(crate) use policy::TenantPolicy;
