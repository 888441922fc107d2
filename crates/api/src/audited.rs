//! Which operations leave a row in the audit log when they are refused.

use std::collections::HashMap;

use axum::http::Method;
use utoipa::openapi::{OpenApi, PathItem, path::Operation};

/// Reads that hand out what lets somebody in, and are logged like changes.
const AUDITED_READS: [&str; 1] = ["sessions.qr"];

/// The operations of the API by route, each with the name that the audit log has for it: its
/// `operationId`.
#[derive(Debug)]
pub(crate) struct Operations(HashMap<(Method, String), String>);

impl Operations {
    pub(crate) fn of(document: &OpenApi) -> Self {
        let operations = document.paths.paths.iter().flat_map(|(path, item)| {
            methods(item).filter_map(move |(method, operation)| {
                Some(((method, path.clone()), operation.operation_id.clone()?))
            })
        });
        Self(operations.collect())
    }

    /// The operation's name, if refusing it is logged: changes, and reads that hand out secrets.
    pub(crate) fn audited(&self, method: &Method, route: &str) -> Option<&str> {
        let name = self.0.get(&(method.clone(), route.to_owned()))?;
        let is_audited = *method != Method::GET || AUDITED_READS.contains(&name.as_str());
        is_audited.then_some(name.as_str())
    }
}

fn methods(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}
