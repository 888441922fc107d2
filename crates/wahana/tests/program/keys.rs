//! Changing the keys that encrypt secrets at rest, and WAHA servers on the command line.

use crate::installation::Installation;

#[test]
fn keys_are_changed_in_four_steps() {
    let installation = Installation::ready();
    let run = |arguments: &[&str]| installation.run(arguments);
    installation
        .add_server("main", "http://127.0.0.1:1", "the-key-of-waha")
        .expect_success();
    let nothing = run(&["keys", "prune"]).expect_success();
    assert!(nothing.contains("needed"), "{nothing}");

    let rotated = run(&["keys", "rotate"]).expect_success();
    assert!(
        rotated.contains("Key 2") && rotated.contains("wahana keys reencrypt"),
        "{rotated}"
    );
    let doctor = run(&["doctor"]).everything();
    assert!(
        doctor.contains("1 stored secrets are still encrypted with key 1"),
        "{doctor}"
    );
    let needed = run(&["keys", "prune", "--yes"]).expect_success();
    assert!(needed.contains("needed"), "{needed}");

    let done = run(&["keys", "reencrypt"]).expect_success();
    assert!(done.starts_with("1 secrets"), "{done}");
    let unsure = run(&["keys", "prune"]).expect_failure();
    assert!(unsure.contains("keys 1") && unsure.contains("--yes"), "{unsure}");
    let pruned = run(&["keys", "prune", "--yes"]).expect_success();
    assert!(pruned.contains("Removed keys 1"), "{pruned}");
    let doctor = run(&["doctor"]).everything();
    assert!(doctor.contains("key 2 encrypts, and encrypted 1 of"), "{doctor}");
    let list = run(&["servers", "list"]).expect_success();
    assert!(
        list.contains("main") && !list.contains("the-key-of-waha"),
        "{list}"
    );
}

#[test]
fn keys_in_the_environment_are_not_changed() {
    let installation = Installation::empty();
    let ring = "1 3f9a0c5b7e1d2846a0b9c8d7e6f50413a2b1c0d9e8f7a6b5c4d3e2f1908a7b6c";
    let refused = installation.run_with_environment(&["keys", "rotate"], &[("WAHANA_KEYS__RING", ring)]);
    let refused = refused.expect_failure();
    assert!(
        refused.contains("environment") && !refused.contains("3f9a"),
        "{refused}"
    );
}

#[test]
fn servers_are_paused_drained_bound_and_checked() {
    let installation = Installation::ready();
    let run = |arguments: &[&str]| installation.run(arguments);
    installation
        .add_server("main", "http://127.0.0.1:1", "the-key-of-waha")
        .expect_success();
    run(&["organizations", "create", "--name", "Acme"]).expect_success();
    run(&["servers", "pause", "main"]).expect_success();
    let draining = run(&["servers", "drain", "main"]).expect_success();
    assert!(draining.contains("paused, drained"), "{draining}");
    let bound = run(&["--json", "servers", "bind", "main", "--organization", "Acme"]).json();
    assert_eq!(bound["organization"], "Acme");
    assert!(bound["paused_at"].is_string() && bound["draining_at"].is_string());
    let limited = run(&[
        "--json",
        "servers",
        "update",
        "main",
        "--concurrency",
        "8",
        "--requests-per-second",
        "20",
    ]);
    assert_eq!(
        (
            &limited.json()["concurrency"],
            &limited.json()["requests_per_second"]
        ),
        (&8.into(), &20.into())
    );
    let refused = run(&["servers", "update", "main", "--concurrency", "0"]).expect_failure();
    assert!(refused.contains("concurrency"), "{refused}");
    for act in ["resume", "undrain", "unbind"] {
        run(&["servers", act, "main"]).expect_success();
    }
    let list = run(&["servers", "list"]).expect_success();
    assert!(list.contains("in use"), "{list}");
    let away = run(&["servers", "check", "main"]).expect_failure();
    assert!(away.contains("Nothing answers"), "{away}");
    let unknown = run(&[
        "sessions",
        "move",
        "0198f000-0000-7000-8000-000000000000",
        "--to",
        "main",
    ])
    .expect_failure();
    assert!(unknown.contains("not found"), "{unknown}");
    let unnamed = run(&["sessions", "move", "shop", "--to", "main"]).expect_failure();
    assert!(unnamed.contains("--organization"), "{unnamed}");
}
