//! What happened in an organization, told to the organization: numbered in the order in which it was committed, and
//! rendered for who asks.

mod body;
mod feed;
mod feeds;
mod filter;
mod places;
mod render;
mod subscription;
#[cfg(test)]
mod tests;

pub use body::{
    CallData, EndpointDisabledData, EventBody, GroupData, HealthData, MediaBody, MessageBody, MessageData,
    MessageStatusData, NoData, StatusData, described_data,
};
pub(crate) use feeds::Feeds;
pub use filter::EventFilter;
pub use places::StreamLimits;
pub use render::RenderedEvent;
pub(crate) use render::{Referred, media_body};
pub use subscription::{Subscription, Told, subscribe};
