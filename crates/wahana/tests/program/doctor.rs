//! `wahana doctor`, as operators run it.

use crate::installation::Installation;

#[test]
fn the_doctor_names_what_is_wrong_and_what_to_do() {
    let installation = Installation::empty();
    let ill = installation.run(&["doctor"]);
    assert!(
        ill.stdout.contains("wahana keys init") && ill.stdout.contains("wahana migrate"),
        "{}",
        ill.stdout
    );
    ill.expect_failure();
    installation.run(&["keys", "init"]).expect_success();
    installation.run(&["migrate"]).expect_success();
    let fair = installation.run(&["doctor"]).expect_success();
    assert!(
        fair.contains("wahana users create") && fair.contains("wahana servers add"),
        "{fair}"
    );

    let public = [("WAHANA_PUBLIC_URL", "http://wahana.example.com")];
    let public = installation
        .run_with_environment(&["--json", "doctor"], &public)
        .json();
    let warned = public
        .as_array()
        .unwrap()
        .iter()
        .any(|finding| finding["subject"] == "network" && finding["verdict"] == "warning");
    assert!(warned, "{public}");

    assert!(!fair.contains("Redis"), "{fair}");
    let redis = [("WAHANA_REDIS__URL", "redis://127.0.0.1:1")];
    let redis = installation
        .run_with_environment(&["doctor"], &redis)
        .expect_success();
    assert!(
        redis.contains("Redis: it is away") && redis.contains("redis.url"),
        "{redis}"
    );

    installation
        .add_server("one", "http://127.0.0.1:3000", "key")
        .expect_success();
    installation.allow_others_to_read("wahana.keys");
    let open = installation.run(&["doctor"]);
    assert!(open.stdout.contains("chmod 600"), "{}", open.stdout);
    open.expect_failure();
    installation.remove("wahana.keys");
    installation.run(&["keys", "init"]).expect_success();
    let other_keys = installation.run(&["doctor"]);
    assert!(other_keys.stdout.contains("key ring"), "{}", other_keys.stdout);
    other_keys.expect_failure();
}
