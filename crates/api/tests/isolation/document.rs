//! The operations of the OpenAPI document.

use http::Method;
use serde_json::Value;

/// An operation of the document.
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) path: String,
}

impl Operation {
    /// The names of what its path names.
    pub(crate) fn parameters(&self) -> Vec<&str> {
        let parts = self.path.split('/');
        parts
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect()
    }

    /// Whether it leaves a row in the audit log, also when it is refused.
    pub(crate) fn is_audited(&self) -> bool {
        match self.id.as_str() {
            "sessions.qr" | "exports.file" => true,
            "sessions.sync" => false,
            _ => self.method != Method::GET,
        }
    }
}

/// Every operation, in the order of their paths.
pub(crate) fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(wahana_api::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let mut operations = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            let Some(id) = operation.get("operationId").and_then(Value::as_str) else {
                assert!(!operation.is_object(), "{method} {path} has no operationId");
                continue;
            };
            operations.push(Operation {
                id: id.to_owned(),
                method: method.to_ascii_uppercase().parse().unwrap(),
                path: path.clone(),
            });
        }
    }
    operations
}
