//! `wahana config`

use crate::{
    config::{Effective, Given},
    output::{Output, Row},
};

impl Row for Effective {
    const COLUMNS: &'static [&'static str] = &["SETTING", "VALUE", "FROM"];

    fn cells(&self) -> Vec<String> {
        vec![self.name.to_owned(), self.value.clone(), self.source.clone()]
    }
}

pub(super) fn run(given: &Given, output: Output) -> anyhow::Result<()> {
    output.list(&given.effective(&given.check()?))
}
