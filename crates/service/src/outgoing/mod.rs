//! Requests to addresses that tenants and operators name, and the guards that keep them out of networks that
//! are not theirs.
//!
//! What an organization gives never leads to a private address, unless the platform's operator allowed
//! that network and port. The guard cannot be turned off.

mod address;
mod allowed_network;
mod clients;
mod fetch;
mod name_servers;
mod policy;
mod resolver;
mod waha;

pub use allowed_network::{AllowedNetwork, InvalidAllowedNetwork};
pub(crate) use clients::{Refusal, TenantClients};
pub(crate) use fetch::{Download, FetchError, Fetcher};
pub(crate) use name_servers::NameServers;
pub(crate) use policy::TenantPolicy;
pub(crate) use resolver::LookUp;
pub use waha::connections_to_waha;
