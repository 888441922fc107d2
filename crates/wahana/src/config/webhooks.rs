//! Where organizations' webhooks may go.

use wahana_service::AllowedNetwork;

use super::{list, reader::Reader};

const ALLOW: &str = "webhooks.allow";

/// Where organizations' webhooks may go.
#[derive(Clone, Debug)]
pub(crate) struct Webhooks {
    /// Where besides the internet.
    pub(crate) allow: Vec<AllowedNetwork>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Webhooks> {
    let allow = reader.parsed_list(ALLOW)?;
    Some(Webhooks { allow })
}

impl Webhooks {
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        vec![(ALLOW, list(&self.allow))]
    }
}
