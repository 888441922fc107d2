use figment::Jail;

use super::{
    setting::{SETTINGS, environment_variable},
    *,
};

const EXAMPLE: &str = include_str!("../../../../wahana.example.toml");

fn check(toml: &str) -> Result<Settings, Faults> {
    Given(Figment::from(Toml::string(toml))).check()
}

fn faults(toml: &str) -> Vec<reader::Fault> {
    check(toml).unwrap_err().0
}

#[test]
fn every_faulty_setting_is_named_and_none_is_quoted() {
    for (toml, setting) in [
        ("listen = 'MARK'", "listen"),
        ("listen = 8080", "listen"),
        ("public_url = 'MARK'", "public_url"),
        ("public_url = 'https://user:MARK@example.com'", "public_url"),
        ("public_url = 'https://example.com/MARK'", "public_url"),
        ("hook_url = 'ftp://MARK'", "hook_url"),
        ("trusted_proxies = ['MARK']", "trusted_proxies"),
        ("trusted_proxies = ['0.0.0.0/0']", "trusted_proxies"),
        ("trusted_proxies = [1]", "trusted_proxies"),
        ("cors_origins = ['*']", "cors_origins"),
        ("cors_origins = ['https://example.com/MARK']", "cors_origins"),
        ("database.url = 'mysql://MARK'", "database.url"),
        ("database.url = 'sqlite::memory:'", "database.url"),
        ("database.url = 'postgres://u:changeme@h/MARK'", "database.url"),
        (
            "database.tenant_url = 'postgres://u@h/MARK'",
            "database.tenant_url",
        ),
        (
            "database.url = 'postgres://u@h/d'\ndatabase.platform_url = 'MARK'",
            "database.platform_url",
        ),
        ("database.max_connections = 0", "database.max_connections"),
        ("database.max_connections = 'MARK'", "database.max_connections"),
        ("keys.file = ''", "keys.file"),
        ("limits.body_bytes = -1", "limits.body_bytes"),
        ("limits.event_bytes = 1", "limits.event_bytes"),
        ("limits.media_bytes = 1.5", "limits.media_bytes"),
        ("limits.header_bytes = 1", "limits.header_bytes"),
        ("limits.header_seconds = 0", "limits.header_seconds"),
        ("limits.upload_memory_bytes = 1", "limits.upload_memory_bytes"),
        ("limits.upload_seconds = 0", "limits.upload_seconds"),
        ("limits.write_seconds = 0", "limits.write_seconds"),
        ("limits.shutdown_seconds = 'MARK'", "limits.shutdown_seconds"),
        ("limits.messages_per_minute = -1", "limits.messages_per_minute"),
        ("limits.messages_per_hour = 'MARK'", "limits.messages_per_hour"),
        ("limits.media_per_minute = 1.5", "limits.media_per_minute"),
        ("limits.media_per_hour = 100_000_000", "limits.media_per_hour"),
        (
            "limits.requests_per_minute = 'MARK'",
            "limits.requests_per_minute",
        ),
        ("log.format = 'MARK'", "log.format"),
        ("log.level = 'x=MARK'", "log.level"),
        ("log.level = 'MARK'", "log.level"),
        ("log.level = 'info,MARK'", "log.level"),
        ("media.directory = ' '", "media.directory"),
        ("media.file_bytes = 1", "media.file_bytes"),
        ("media.organization_bytes = 'MARK'", "media.organization_bytes"),
        ("media.allowed_types = ['MARK']", "media.allowed_types"),
        ("media.allow = ['MARK']", "media.allow"),
        ("media.allow = ['0.0.0.0/0']", "media.allow"),
        ("metrics.public = 'MARK'", "metrics.public"),
        ("metrics.listen = 'MARK'", "metrics.listen"),
        ("role = 'MARK'", "role"),
        ("role = 1", "role"),
        ("retention.events_days = 1", "retention.events_days"),
        (
            "retention.organization_events_days = 3",
            "retention.organization_events_days",
        ),
        (
            "retention.webhook_deliveries_days = 1",
            "retention.webhook_deliveries_days",
        ),
        ("retention.jobs_days = 0", "retention.jobs_days"),
        ("retention.history_days = 'MARK'", "retention.history_days"),
        ("retention.audit_days = 89", "retention.audit_days"),
        ("retention.sign_ins_days = -1", "retention.sign_ins_days"),
        ("redis.url = 'http://MARK'", "redis.url"),
        ("redis.url = 'redis://:changeme@MARK'", "redis.url"),
        ("redis.timeout_ms = 0", "redis.timeout_ms"),
        ("reconcile.interval_seconds = 0", "reconcile.interval_seconds"),
        ("reconcile.steps_per_second = 0", "reconcile.steps_per_second"),
        ("reconcile.concurrency = 'MARK'", "reconcile.concurrency"),
        ("sync.max_age_seconds = 0", "sync.max_age_seconds"),
        ("sync.wait_seconds = 'MARK'", "sync.wait_seconds"),
        ("waha.send_seconds = 0", "waha.send_seconds"),
        ("waha.read_seconds = 'MARK'", "waha.read_seconds"),
        ("webhooks.allow = ['127.0.0.1:MARK']", "webhooks.allow"),
        ("webhooks.allow = [1]", "webhooks.allow"),
        ("databse.url = 'MARK'", "databse"),
        ("database.password = 'MARK'", "database.password"),
        ("database = 'MARK'", "database"),
    ] {
        let faults = faults(toml);
        assert_eq!(faults.len(), 1, "{toml}: {faults:?}");
        assert_eq!(faults[0].setting, setting, "{toml}");
        let text = Faults(faults).to_string();
        assert!(!text.contains("MARK") && !text.contains("changeme"), "{text}");
    }
}

#[test]
fn all_faults_are_told_at_once_and_a_broken_file_is_not_quoted() {
    assert_eq!(faults("listen = 'a'\nlog.format = 'b'\nunknown = 1").len(), 3);
    let text = Faults(faults("database.url = 'postgres://u:MARK@h/d")).to_string();
    assert!(text.contains("line 1") && !text.contains("MARK"), "{text}");
}

#[test]
fn nothing_given_is_a_sound_configuration() {
    let settings = check("").unwrap();
    assert_eq!(settings.network.listen.to_string(), "127.0.0.1:8080");
    assert!(settings.network.listen.ip().is_loopback());
    assert!(!settings.metrics.is_public && settings.metrics.listen.is_none());
    assert!(matches!(settings.keys, Keys::File(_)));
    assert!(settings.redis.settings.is_none());
}

#[test]
fn the_example_is_the_defaults_and_holds_every_setting() {
    // As it is, it changes nothing.
    let shown = |given: Given| {
        let settings = given.check().unwrap();
        let effective = given.effective(&settings);
        effective
            .into_iter()
            .map(|setting| (setting.name, setting.value))
            .collect::<Vec<_>>()
    };
    let defaults = shown(Given(Figment::new()));
    assert_eq!(shown(Given(Figment::from(Toml::string(EXAMPLE)))), defaults);
    // Each line that is commented out is a setting, and a sound one.
    let mut section = String::new();
    let mut found = Vec::new();
    for line in EXAMPLE.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
        }
        let assignment = line.strip_prefix("#").unwrap_or(line);
        let Some((name, value)) = assignment.split_once(" = ") else {
            continue;
        };
        if assignment.starts_with(' ') {
            continue;
        }
        let name = format!("{section}{name}");
        // The places of the two roles only make sense on PostgreSQL.
        let database = if name.ends_with("_url") && name.starts_with("database.") {
            "database.url = 'postgres://u@h/d'\n"
        } else {
            ""
        };
        check(&format!("{database}{name} = {value}")).unwrap();
        found.push(name);
    }
    let mut wanted: Vec<String> = SETTINGS.iter().map(|setting| setting.name.to_owned()).collect();
    // The keys themselves are not for the file.
    wanted.retain(|name| name != "keys.ring");
    assert_eq!(found, wanted);
    let names: Vec<_> = defaults.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, SETTINGS.map(|setting| setting.name));
}

#[test]
fn what_is_opened_for_tenants_is_read_and_shown_as_it_was_written() {
    let toml = "media.allow = ['10.1.0.0/16:443']\nwebhooks.allow = '127.0.0.1:9000, ::1, [fd12::/16]:80'";
    let given = Given(Figment::from(Toml::string(toml)));
    let settings = given.check().unwrap();
    let effective = given.effective(&settings);
    let shown = |name: &str| {
        let setting = effective.iter().find(|setting| setting.name == name);
        setting.unwrap().value.clone()
    };
    assert_eq!(shown("media.allow"), r#"["10.1.0.0/16:443"]"#);
    assert_eq!(
        shown("webhooks.allow"),
        r#"["127.0.0.1/32:9000", "::1/128", "[fd12::/16]:80"]"#
    );
}

#[test]
fn the_examples_in_messages_are_sound() {
    for setting in SETTINGS.iter().filter(|setting| setting.name != "keys.ring") {
        let toml = format!("{} = {}", setting.name, setting.example);
        let database = if setting.name.starts_with("database.") && setting.name != "database.url" {
            "database.url = 'postgres://u@h/d'\n"
        } else {
            ""
        };
        check(&format!("{database}{toml}")).unwrap();
    }
}

#[test]
#[expect(clippy::result_large_err, reason = "the jail's own error type")]
fn the_later_source_wins_and_is_named() {
    Jail::expect_with(|jail| {
        jail.create_file("wahana.toml", "listen = '127.0.0.1:1'\n[log]\nlevel = 'debug'")?;
        jail.set_env("WAHANA_LISTEN", "127.0.0.1:2");
        jail.set_env("WAHANA_LOG__FORMAT", "json");
        jail.set_env("WAHANA_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8");
        jail.set_env("WAHANA_REDIS__URL", "rediss://me:MARK@cache:6380/1");
        jail.set_env(
            "WAHANA_DATABASE__URL",
            "postgres://me:MARK@db/wahana?password=MARK",
        );
        let given = Given::gather(None, vec![("public_url", "https://a.example".to_owned())]).unwrap();
        let settings = given.check().unwrap();
        assert_eq!(settings.network.listen.port(), 2);
        assert_eq!(settings.network.trusted_proxies.len(), 2);
        assert_eq!(settings.log.level, "debug");
        assert_eq!(settings.log.format, LogFormat::Json);
        for setting in given.effective(&settings) {
            assert!(!setting.value.contains("MARK"), "{}", setting.name);
            let expected = match setting.name {
                "log.level" => "file wahana.toml".to_owned(),
                "public_url" => "the command line".to_owned(),
                "listen" | "trusted_proxies" | "database.url" | "log.format" | "redis.url" => {
                    format!("environment variable {}", environment_variable(setting.name))
                }
                _ => "the default".to_owned(),
            };
            assert!(setting.source.starts_with(&expected[..4]), "{}", setting.source);
        }
        jail.set_env("WAHANA_DATABASE__MAX_CONNECTIONS", "MARK");
        let text = Given::gather(None, Vec::new())
            .unwrap()
            .check()
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("environment variable WAHANA_DATABASE__MAX_CONNECTIONS"),
            "{text}"
        );
        assert!(!text.contains("MARK"), "{text}");
        Ok(())
    });
}

#[test]
fn keys_are_not_for_the_file() {
    let faults = faults("keys.ring = '1 MARK'");
    assert!(!faults.is_empty());
    assert!(!Faults(faults).to_string().contains("MARK"));
}

#[test]
fn a_filter_is_a_level_and_levels_of_parts() {
    for level in [
        "info",
        "WARN",
        "off",
        "info,wahana_api=debug",
        "wahana_service=trace, warn",
    ] {
        check(&format!("log.level = '{level}'")).unwrap();
    }
}
