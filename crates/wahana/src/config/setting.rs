//! Every setting there is, in one table.

use super::PREFIX;

/// A setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// Its name, such as `database.url`.
    pub(crate) name: &'static str,
    /// What a sound value looks like, in TOML.
    pub(crate) example: &'static str,
}

const fn setting(name: &'static str, example: &'static str) -> Setting {
    Setting { name, example }
}

/// Every setting. `wahana.example.toml` says what each is for.
pub(crate) const SETTINGS: [Setting; 55] = [
    setting("listen", r#""127.0.0.1:8080""#),
    setting("public_url", r#""https://wahana.example.com""#),
    setting("hook_url", r#""http://10.0.0.5:8080""#),
    setting("trusted_proxies", r#"["127.0.0.1", "10.0.0.0/8"]"#),
    setting("cors_origins", r#"["https://app.example.com"]"#),
    setting("role", r#""all""#),
    setting("database.url", r#""sqlite:///var/lib/wahana/wahana.db""#),
    setting(
        "database.tenant_url",
        r#""postgres://wahana_tenant_user@db.example.com/wahana""#,
    ),
    setting(
        "database.platform_url",
        r#""postgres://wahana_platform_user@db.example.com/wahana""#,
    ),
    setting("database.max_connections", "8"),
    setting("keys.file", r#""/etc/wahana/wahana.keys""#),
    setting(
        "keys.ring",
        "the text of a file that `wahana keys init` made, in the environment variable WAHANA_KEYS__RING",
    ),
    setting("limits.body_bytes", "1048576"),
    setting("limits.event_bytes", "1048576"),
    setting("limits.media_bytes", "33554432"),
    setting("limits.upload_memory_bytes", "268435456"),
    setting("limits.upload_seconds", "300"),
    setting("limits.header_bytes", "32768"),
    setting("limits.header_seconds", "10"),
    setting("limits.write_seconds", "30"),
    setting("limits.event_streams", "5000"),
    setting("limits.organization_event_streams", "100"),
    setting("limits.shutdown_seconds", "30"),
    setting("limits.messages_per_minute", "60"),
    setting("limits.messages_per_hour", "1000"),
    setting("limits.media_per_minute", "10"),
    setting("limits.media_per_hour", "100"),
    setting("limits.requests_per_minute", "1000"),
    setting("limits.queued_messages", "10000"),
    setting("log.format", r#""json""#),
    setting("log.level", r#""info""#),
    setting("media.directory", r#""/var/lib/wahana/media""#),
    setting("media.file_bytes", "104857600"),
    setting("media.organization_bytes", "10737418240"),
    setting("media.allowed_types", r#"["image/*", "application/pdf"]"#),
    setting("media.allow", r#"["10.1.0.0/16:443"]"#),
    setting("metrics.public", "false"),
    setting("metrics.listen", r#""127.0.0.1:9180""#),
    setting("redis.url", r#""redis://127.0.0.1:6379""#),
    setting("redis.timeout_ms", "100"),
    setting("retention.events_days", "7"),
    setting("retention.organization_events_days", "7"),
    setting("retention.webhook_deliveries_days", "30"),
    setting("retention.jobs_days", "30"),
    setting("retention.history_days", "400"),
    setting("retention.audit_days", "400"),
    setting("retention.sign_ins_days", "30"),
    setting("reconcile.interval_seconds", "5"),
    setting("reconcile.steps_per_second", "2"),
    setting("reconcile.concurrency", "8"),
    setting("sync.max_age_seconds", "5"),
    setting("sync.wait_seconds", "2"),
    setting("waha.send_seconds", "55"),
    setting("waha.read_seconds", "55"),
    setting("webhooks.allow", r#"["127.0.0.1:9000", "10.1.0.0/16"]"#),
];

/// The setting with this name.
pub(crate) fn named(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The environment variable that sets it.
pub(crate) fn environment_variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase().replace('.', "__"))
}
