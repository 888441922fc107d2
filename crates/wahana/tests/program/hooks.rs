//! `wahana servers hook` and `wahana sessions take-over`.

use serde_json::json;
use waha_sim::{SessionSeed, Status, WahaSim};

use crate::installation::Installation;

#[test]
fn the_lines_for_a_servers_hook_are_printed() {
    let installation = Installation::ready();
    installation
        .add_server("one", "http://10.0.0.8:3000", "key")
        .expect_success();
    let unset = installation.run(&["servers", "hook", "one"]).expect_failure();
    assert!(unset.contains("hook_url"), "{unset}");
    let unset = installation.run(&["sessions", "take-over"]).expect_failure();
    assert!(unset.contains("hook_url"), "{unset}");

    let address = [("WAHANA_HOOK_URL", "http://10.0.0.5:8080")];
    let hook = |arguments: &[&str]| installation.run_with_environment(arguments, &address);
    let lines = hook(&["servers", "hook", "one"]).expect_success();
    let names: Vec<&str> = lines
        .lines()
        .map(|line| line.split('=').next().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "WHATSAPP_HOOK_URL",
            "WHATSAPP_HOOK_EVENTS",
            "WHATSAPP_HOOK_HMAC_KEY",
            "WHATSAPP_HOOK_RETRIES_POLICY",
            "WHATSAPP_HOOK_RETRIES_DELAY_SECONDS",
            "WHATSAPP_HOOK_RETRIES_ATTEMPTS",
        ]
    );
    assert_eq!(hook(&["servers", "hook", "one"]).expect_success(), lines);
    let rotated = hook(&["--json", "servers", "hook", "one", "--rotate"]).json();
    let key = rotated["WHATSAPP_HOOK_HMAC_KEY"].as_str().unwrap();
    assert!(!lines.contains(key), "the key is another one");
    assert!(rotated["WHATSAPP_HOOK_URL"].as_str().unwrap().ends_with("/1.2"));
    assert_eq!(hook(&["--json", "sessions", "take-over"]).json(), json!([]));
    let refused = hook(&["sessions", "take-over", "--session", "nowhere"]).expect_failure();
    assert!(refused.contains("not found"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_at_waha_are_imported_if_that_is_wanted_and_their_keys_are_not_printed() {
    // Another test of the same process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sim = WahaSim::builder().api_key("key").start().await.unwrap();
    let webhooks = json!([
        {"url": "http://127.0.0.1:9/path", "events": ["message", "presence.update"], "hmac": {"key": "receivers-key"}},
        {"url": "http://10.0.0.8/path", "events": ["message"], "hmac": {"key": "receivers-key"}},
    ]);
    let seed = SessionSeed::new("default").status(Status::Stopped);
    sim.add_session(seed.config(json!({"webhooks": webhooks})));

    let installation = Installation::ready();
    installation
        .add_server("one", &sim.base_url(), "key")
        .expect_success();
    let run = |line: &str| {
        let arguments: Vec<&str> = line.split(' ').collect();
        let settings = [
            ("WAHANA_HOOK_URL", "http://10.0.0.5:8080"),
            ("WAHANA_WEBHOOKS__ALLOW", "127.0.0.1:9"),
        ];
        let outcome = installation.run_with_environment(&arguments, &settings);
        let said = outcome.everything();
        assert!(
            !said.contains("receivers-key") && !said.contains("/path"),
            "{said}"
        );
        outcome
    };
    run("organizations create --name Shops").expect_success();
    run("sessions assign --server one --waha-name default --organization Shops --name support")
        .expect_success();
    let dry = run("sessions take-over --import-webhooks --dry-run").expect_success();
    for expected in [
        "gets the webhook",
        "http://127.0.0.1:9 (is imported: message; not imported, stays at WAHA: presence.update)",
        "http://10.0.0.8 (stays at WAHA: its address must be",
    ] {
        assert!(dry.contains(expected), "{dry}");
    }
    let plain = run("--json sessions take-over").json();
    assert_eq!(
        plain[0]["webhooks"],
        json!([]),
        "nothing is imported without the flag"
    );
    let imported = run("--json sessions take-over --import-webhooks").json();
    assert_eq!(imported[0]["outcome"], "has the webhook now");
    let webhooks = &imported[0]["webhooks"];
    assert_eq!(webhooks[0]["events"], json!(["message"]));
    assert_eq!(
        (&webhooks[0]["imported"], &webhooks[1]["imported"]),
        (&json!(true), &json!(false))
    );
    let again = run("sessions take-over --import-webhooks").expect_success();
    assert!(again.contains("has the webhook already"), "{again}");
}
