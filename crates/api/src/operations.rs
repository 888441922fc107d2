//! What the API's own description says of the operation that a request is for: its name in the audit log,
//! and which parameters it takes.

use std::collections::HashMap;

use axum::http::Method;
use utoipa::openapi::{
    OpenApi, PathItem, RefOr,
    path::{Operation, ParameterIn},
};

/// Reads that hand out what lets somebody in, or everything at once, and are logged like changes.
const AUDITED_READS: [&str; 2] = ["sessions.qr", "exports.file"];
/// What only reads although its method could change something: it is not logged when it succeeds either.
const READS_BY_POST: [&str; 1] = ["sessions.sync"];

/// The operations of the API by route.
#[derive(Debug)]
pub(crate) struct Operations(HashMap<(Method, String), Described>);

#[derive(Debug)]
struct Described {
    /// The name that the audit log has for it: its `operationId`.
    name: String,
    /// The parameters that its query may have.
    parameters: Vec<String>,
}

impl Operations {
    pub(crate) fn of(document: &OpenApi) -> Self {
        let operations = document.paths.paths.iter().flat_map(|(path, item)| {
            methods(item).filter_map(move |(method, operation)| {
                Some(((method, path.clone()), Described::of(operation)?))
            })
        });
        Self(operations.collect())
    }

    /// The operation's name, if refusing it is logged: changes, and reads that hand out much.
    pub(crate) fn audited(&self, method: &Method, route: &str) -> Option<&str> {
        let name = self.get(method, route)?.name.as_str();
        let is_audited = if is_read(method) {
            AUDITED_READS.contains(&name)
        } else {
            !READS_BY_POST.contains(&name)
        };
        is_audited.then_some(name)
    }

    /// The first parameter of a query that the operation does not take.
    pub(crate) fn unknown_parameter(&self, method: &Method, route: &str, query: &str) -> Option<String> {
        let known = &self.get(method, route)?.parameters;
        url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, _)| name)
            .find(|name| !known.iter().any(|known| known == name))
            .map(String::from)
    }

    /// Whether the operation takes this parameter in its query.
    pub(crate) fn takes(&self, method: &Method, route: &str, parameter: &str) -> bool {
        self.get(method, route)
            .is_some_and(|described| described.parameters.iter().any(|known| known == parameter))
    }

    fn get(&self, method: &Method, route: &str) -> Option<&Described> {
        // What answers GET answers HEAD too.
        let method = if is_read(method) { &Method::GET } else { method };
        self.0.get(&(method.clone(), route.to_owned()))
    }
}

impl Described {
    fn of(operation: &Operation) -> Option<Self> {
        let parameters = operation
            .parameters
            .iter()
            .flatten()
            .filter_map(|parameter| match parameter {
                RefOr::T(parameter) => Some(parameter),
                RefOr::Ref(_) => None,
            });
        Some(Self {
            name: operation.operation_id.clone()?,
            parameters: parameters
                .filter(|parameter| matches!(parameter.parameter_in, ParameterIn::Query))
                .map(|parameter| parameter.name.clone())
                .collect(),
        })
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
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
