//! Where the counts of the process are shown.

use std::net::SocketAddr;

use super::{UNSET, network::address, reader::Reader};

/// Where the counts of the process are shown. By default nowhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetricsSettings {
    /// At `/metrics` beside the API, to everybody who can reach it.
    pub(crate) is_public: bool,
    /// At `/metrics` of an address of its own, which only the operator reaches.
    pub(crate) listen: Option<SocketAddr>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> MetricsSettings {
    MetricsSettings {
        is_public: reader.flag("metrics.public"),
        listen: address(reader, "metrics.listen"),
    }
}

impl MetricsSettings {
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        let listen = self
            .listen
            .map_or_else(|| UNSET.to_owned(), |listen| format!("\"{listen}\""));
        vec![
            ("metrics.public", self.is_public.to_string()),
            ("metrics.listen", listen),
        ]
    }
}
