//! `wahana config`

use serde::Serialize;

use crate::{
    config::Given,
    output::{Output, Row},
};

#[derive(Serialize)]
struct Setting {
    name: &'static str,
    value: String,
    source: String,
}

impl Row for Setting {
    const COLUMNS: &'static [&'static str] = &["SETTING", "VALUE", "FROM"];

    fn cells(&self) -> Vec<String> {
        vec![self.name.to_owned(), self.value.clone(), self.source.clone()]
    }
}

pub(super) fn run(given: &Given, output: Output) -> anyhow::Result<()> {
    let effective = given.effective(&given.check()?);
    let rows: Vec<Setting> = effective
        .into_iter()
        .map(|setting| Setting {
            name: setting.name,
            value: setting.value,
            source: setting.source,
        })
        .collect();
    output.list(&rows)
}
