//! `wahana migrate`

use serde::Serialize;

use crate::{
    config::Settings,
    output::{Output, Row},
};

#[derive(Serialize)]
struct Migration {
    applied: String,
}

impl Row for Migration {
    const COLUMNS: &'static [&'static str] = &["APPLIED"];

    fn cells(&self) -> Vec<String> {
        vec![self.applied.clone()]
    }
}

pub(super) async fn run(settings: &Settings, output: Output) -> anyhow::Result<()> {
    let applied = wahana_store::migrate(&settings.database).await?;
    if applied.is_empty() && !output.is_json {
        return output.done("The database has this release's schema; there was nothing to do.");
    }
    let rows: Vec<Migration> = applied.into_iter().map(|applied| Migration { applied }).collect();
    output.list(&rows)
}
