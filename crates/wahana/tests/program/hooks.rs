//! `wahana servers hook` and `wahana sessions take-over`.

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
    assert_eq!(
        hook(&["--json", "sessions", "take-over"]).json(),
        serde_json::json!([])
    );
    let refused = hook(&["sessions", "take-over", "--session", "nowhere"]).expect_failure();
    assert!(refused.contains("not found"), "{refused}");
}
