//! wahana over HTTP.
//!
//! A route's arguments say who may call it: `Allowed` and its siblings are the only
//! way to the permissions that the services ask for. Errors become answers in one place.

mod body_memory;
mod envelope;
mod error;
mod extract;
mod file_response;
mod json;
mod metrics;
mod operations;
mod origin;
mod part;
mod qr_image;
mod request;
mod routes;
mod settings;
mod state;

pub use metrics::{Metrics, MetricsError};
pub use routes::{metrics_router, openapi, router};
pub use settings::{ApiSettings, UploadLimits};
pub use state::ApiState;
