//! A session's configuration: what is refused, what is dropped, what is filled in.

use serde_json::{Map, Value, json};

use crate::events;

/// The fields WAHA knows; others vanish without a word.
const FIELDS: [&str; 9] = [
    "metadata", "proxy", "debug", "ignore", "client", "noweb", "gows", "webjs", "webhooks",
];

/// Checks a configuration and gives it the form WAHA stores; the messages are WAHA's.
pub(crate) fn normalise(config: &Value) -> Result<Option<Value>, Vec<String>> {
    let fields = match config {
        Value::Null => return Ok(None),
        Value::Object(fields) => fields,
        _ => return Err(vec!["config must be an object".to_owned()]),
    };
    let mut faults = Vec::new();
    if let Some(webhooks) = fields.get("webhooks") {
        check_webhooks(webhooks, &mut faults);
    }
    let flat = |metadata: &Value| match metadata {
        Value::Null => true,
        Value::Object(pairs) => pairs.values().all(Value::is_string),
        _ => false,
    };
    if fields.get("metadata").is_some_and(|metadata| !flat(metadata)) {
        faults.push("config.metadata accepts string key-value pairs only".to_owned());
    }
    if fields
        .get("debug")
        .is_some_and(|debug| !debug.is_boolean() && !debug.is_null())
    {
        faults.push("config.debug must be a boolean value".to_owned());
    }
    if !faults.is_empty() {
        return Err(faults);
    }

    let mut kept: Map<String, Value> = fields
        .iter()
        .filter(|(name, _)| FIELDS.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if let Some(Value::Object(noweb)) = kept.get_mut("noweb") {
        noweb.entry("markOnline").or_insert(true.into());
        if let Some(Value::Object(store)) = noweb.get_mut("store") {
            store.entry("enabled").or_insert(false.into());
            store.entry("fullSync").or_insert(false.into());
        }
    }
    Ok(Some(Value::Object(kept)))
}

fn check_webhooks(webhooks: &Value, faults: &mut Vec<String>) {
    let Some(webhooks) = webhooks.as_array() else {
        if !webhooks.is_null() {
            faults.push("config.webhooks must be an array".to_owned());
        }
        return;
    };
    for (index, webhook) in webhooks.iter().enumerate() {
        let url = webhook
            .get("url")
            .and_then(Value::as_str)
            .and_then(|url| url::Url::parse(url).ok());
        if !url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            faults.push(format!("config.webhooks.{index}.url must be a URL address"));
        }
        let known = |event: &Value| {
            event
                .as_str()
                .is_some_and(|event| event == "*" || events::NAMES.contains(&event))
        };
        let events = webhook.get("events").and_then(Value::as_array);
        if !events.is_some_and(|events| events.iter().all(known)) {
            faults.push(format!(
                "config.webhooks.{index}.each value in events must be one of the following values: {}, *",
                events::NAMES.join(", ")
            ));
        }
    }
}

/// Checks a session's name; an empty one is allowed and means that WAHA makes one.
pub(crate) fn check_name(name: &Value) -> Result<Option<String>, Vec<String>> {
    let name = match name {
        Value::Null => return Ok(None),
        Value::String(name) if name.is_empty() => return Ok(None),
        Value::String(name) => name,
        _ => return Err(vec!["name must be a string".to_owned()]),
    };
    let mut faults = Vec::new();
    if name.chars().count() > 54 {
        faults.push("name must be shorter than or equal to 54 characters".to_owned());
    }
    if !name
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
    {
        faults.push(
            "Session name can only contain alphanumeric characters, hyphens, and underscores \
             (a-z, A-Z, 0-9, -, _) or be empty"
                .to_owned(),
        );
    }
    if faults.is_empty() {
        Ok(Some(name.clone()))
    } else {
        Err(faults)
    }
}

/// A configuration with NOWEB's store on, for sessions that are put in by hand.
pub(crate) fn with_store(metadata: Option<Value>) -> Value {
    let mut config = json!({"noweb": {"markOnline": true, "store": {"enabled": true, "fullSync": false}}});
    if let Some(metadata) = metadata {
        config["metadata"] = metadata;
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_vanish_and_defaults_appear() {
        let config = json!({"metadata": {"a": "b"}, "unknown": 1, "noweb": {"store": {"enabled": true}}});
        assert_eq!(
            normalise(&config).unwrap().unwrap(),
            with_store(Some(json!({"a": "b"})))
        );
        assert_eq!(normalise(&Value::Null).unwrap(), None);
    }

    #[test]
    fn metadata_is_flat_text() {
        for metadata in [
            json!("x"),
            json!([1]),
            json!({"n": 5}),
            json!({"nested": {"x": "y"}}),
        ] {
            let faults = normalise(&json!({"metadata": metadata})).unwrap_err();
            assert_eq!(faults, ["config.metadata accepts string key-value pairs only"]);
        }
    }

    #[test]
    fn names_are_letters_digits_hyphens_and_underscores() {
        assert_eq!(check_name(&json!("a-B_9")).unwrap().as_deref(), Some("a-B_9"));
        assert_eq!(check_name(&json!("")).unwrap(), None);
        assert_eq!(check_name(&json!("a/b.c")).unwrap_err().len(), 1);
        assert_eq!(check_name(&json!("é".repeat(55))).unwrap_err().len(), 2);
        assert_eq!(check_name(&json!("a".repeat(54))).unwrap().unwrap().len(), 54);
    }
}
