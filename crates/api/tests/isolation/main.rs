//! The proof that organizations are apart: every operation of the OpenAPI document is called by everybody who
//! might call it, on both databases, and each gets what `lines.rs` says and nothing else.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that lacks what it needs has failed"
)]

mod answers;
mod document;
mod existence;
mod expected;
mod kept_messages;
mod lines;
mod matrix;
mod things;

use std::collections::BTreeSet;

use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::{document::operations, lines::LINES};

#[test]
fn every_operation_has_one_line_and_every_line_an_operation() {
    let documented: Vec<_> = operations().into_iter().map(|operation| operation.id).collect();
    let listed: Vec<_> = LINES.iter().map(|line| line.operation.to_owned()).collect();
    let (documented_once, listed_once): (BTreeSet<_>, BTreeSet<_>) =
        (documented.iter().collect(), listed.iter().collect());
    assert_eq!(documented_once, listed_once, "the document, and lines.rs");
    assert_eq!(
        documented.len(),
        documented_once.len(),
        "an operationId is given twice"
    );
    assert_eq!(listed.len(), listed_once.len(), "an operation has two lines");
}

async fn everybody_gets_what_is_theirs(database: &TestDatabase) {
    let matrix = matrix::call_everything(database).await;
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(".");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("matrix", matrix));
}

async fn foreign_and_missing_are_equal(database: &TestDatabase) {
    existence::compare(database).await;
}

async fn kept_messages_are_listed_for_who_may_see_them(database: &TestDatabase) {
    kept_messages::compare(database).await;
}

on_both_databases!(
    everybody_gets_what_is_theirs,
    foreign_and_missing_are_equal,
    kept_messages_are_listed_for_who_may_see_them,
);
