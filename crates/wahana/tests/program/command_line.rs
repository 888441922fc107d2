//! The command line, as its users run it, over a SQLite database of its own.

use crate::installation::Installation;

#[test]
fn an_installation_is_set_up_from_nothing() {
    let installation = Installation::empty();
    installation.run(&["keys", "init"]).expect_success();
    let early = installation.run(&["users", "list"]).expect_failure();
    assert!(early.contains("wahana migrate"), "{early}");
    let applied = installation.run(&["--json", "migrate"]).json();
    assert!(!applied.as_array().unwrap().is_empty());
    let again = installation.run(&["migrate"]).expect_success();
    assert!(again.contains("nothing to do"), "{again}");

    let created = installation
        .run_with_input(
            &[
                "--json",
                "users",
                "create",
                "--email",
                "operator@example.com",
                "--platform-administrator",
                "--password-stdin",
            ],
            "correct horse battery\n",
        )
        .json();
    assert_eq!(created["is_platform_administrator"], true);
    let token = installation
        .run(&[
            "--json",
            "platform-tokens",
            "create",
            "--user",
            "operator@example.com",
        ])
        .json();
    assert!(token["bearer"].as_str().unwrap().starts_with("platform_"));
    let list = installation.run(&["platform-tokens", "list"]).expect_success();
    let (id, secret) = token["bearer"].as_str().unwrap().split_once('|').unwrap();
    assert!(list.contains(id) && !list.contains(secret), "{list}");
    installation
        .run(&["platform-tokens", "revoke", id])
        .expect_success();
    installation
        .run(&["platform-tokens", "revoke", id])
        .expect_failure();
}

#[test]
fn organizations_and_people_are_managed() {
    let installation = Installation::ready();
    let run = |arguments: &[&str]| installation.run(arguments);
    run(&[
        "organizations",
        "create",
        "--name",
        "Toko Satu",
        "--country",
        "id",
        "--session-limit",
        "3",
    ])
    .expect_success();
    run(&[
        "users",
        "create",
        "--email",
        "owner@example.com",
        "--organization",
        "Toko Satu",
        "--role",
        "owner",
    ])
    .expect_success();
    run(&[
        "users",
        "create",
        "--email",
        "agent@example.com",
        "--name",
        "Agen",
    ])
    .expect_success();
    run(&[
        "users",
        "add-membership",
        "AGENT@example.com",
        "--organization",
        "Toko Satu",
        "--role",
        "agent",
    ])
    .expect_success();
    let shown = run(&["users", "show", "agent@example.com"]).expect_success();
    assert!(shown.contains("Toko Satu (agent)"), "{shown}");
    let limited = run(&[
        "--json",
        "organizations",
        "set-limit",
        "Toko Satu",
        "--sessions",
        "none",
    ])
    .json();
    assert!(limited["session_limit"].is_null());
    limits_are_shown_and_changed(&installation);
    run(&["organizations", "suspend", "Toko Satu"]).expect_success();
    run(&["organizations", "resume", "Toko Satu"]).expect_success();
    let unsure = run(&["organizations", "close", "Toko Satu"]).expect_failure();
    assert!(unsure.contains("--yes"), "{unsure}");
    run(&["organizations", "close", "Toko Satu", "--yes"]).expect_success();
    let list = run(&["--json", "organizations", "list"]).json();
    assert_eq!(list[0]["status"], "closed");
    run(&["users", "disable", "owner@example.com"]).expect_success();
    let users = run(&["--json", "users", "list"]).json();
    let disabled: Vec<bool> = users
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["disabled_at"].is_string())
        .collect();
    assert_eq!(disabled, [false, true]);
}

fn limits_are_shown_and_changed(installation: &Installation) {
    let limits = |arguments: &[&str]| {
        let command = ["--json", "organizations", "limits", "Toko Satu"];
        installation.run(&[command.as_slice(), arguments].concat())
    };
    let value = |shown: &serde_json::Value, name: &str| {
        let rows = shown.as_array().unwrap();
        let row = rows.iter().find(|row| row["limit"] == name).unwrap();
        (row["value"].as_u64(), row["is_default"].as_bool().unwrap())
    };
    let shown = limits(&[]).json();
    assert_eq!(value(&shown, "messages_per_minute"), (Some(60), true));
    assert_eq!(value(&shown, "monthly_messages"), (None, true));
    assert_eq!(value(&shown, "queued_messages"), (Some(10_000), true));
    let changed = limits(&["--messages-per-minute", "5", "--monthly-messages", "100"]).json();
    assert_eq!(value(&changed, "messages_per_minute"), (Some(5), false));
    assert_eq!(value(&changed, "monthly_messages"), (Some(100), false));
    let changed = limits(&["--messages-per-minute", "default"]).json();
    assert_eq!(value(&changed, "messages_per_minute"), (Some(60), true));
    assert_eq!(value(&changed, "monthly_messages"), (Some(100), false));
    assert_eq!(
        value(&limits(&["--default"]).json(), "monthly_messages"),
        (None, true)
    );
    let refused = limits(&["--media-per-hour", "-1"]).expect_failure();
    assert!(!refused.is_empty());
    limits(&["--media-per-hour", "100000000"]).expect_failure();
    limits(&["--default", "--sessions", "1"]).expect_failure();
}

#[test]
fn organizations_of_one_name_can_be_told_apart() {
    let installation = Installation::ready();
    let run = |arguments: &[&str]| installation.run(arguments);
    let create = ["--json", "organizations", "create", "--name", "Toko"];
    let first = run(&create).json();
    run(&["organizations", "close", "Toko", "--yes"]).expect_success();
    // A name that only closed organizations have is free.
    let second = run(&create);
    assert!(second.stderr.is_empty(), "{}", second.stderr);
    let second = second.json();
    run(&["organizations", "show", "Toko"]).expect_success();
    let third = run(&create);
    assert!(
        third.stderr.contains("warning") && third.stderr.contains(second["id"].as_str().unwrap()),
        "{}",
        third.stderr
    );
    let third = third.json();
    let ambiguous = run(&["organizations", "show", "Toko"]).expect_failure();
    for id in [&second["id"], &third["id"]] {
        assert!(ambiguous.contains(id.as_str().unwrap()), "{ambiguous}");
    }
    assert!(!ambiguous.contains(first["id"].as_str().unwrap()), "{ambiguous}");
    let rename = [
        "organizations",
        "rename",
        third["id"].as_str().unwrap(),
        "--name",
        "Toko Dua",
    ];
    run(&rename).expect_success();
    let shown = run(&["--json", "organizations", "show", "Toko"]).json();
    assert_eq!(shown["id"], second["id"]);
    assert_eq!(
        run(&["--json", "organizations", "show", "Toko Dua"]).json()["id"],
        third["id"]
    );
}

#[test]
fn a_password_link_is_made_and_says_how_it_is_used() {
    let installation = Installation::ready();
    installation
        .run(&["users", "create", "--email", "a@example.com"])
        .expect_success();
    let made = installation
        .run(&["--json", "users", "password-link", "a@example.com"])
        .json();
    let link = made["link"].as_str().unwrap();
    assert!(
        link.starts_with("http://127.0.0.1:8080/password-reset#") && link.contains('.'),
        "{link}"
    );
    assert!(
        made["usage"]
            .as_str()
            .unwrap()
            .contains("/api/auth/password-reset")
    );
    assert!(made["expires_at"].is_string());
    installation
        .run(&["users", "password-link", "nobody@example.com"])
        .expect_failure();
}

#[test]
fn what_holds_secrets_is_for_its_owner_alone() {
    let installation = Installation::ready();
    installation
        .run(&["organizations", "create", "--name", "Toko"])
        .expect_success();
    for (file, mode) in installation.modes() {
        assert_eq!(mode, 0o600, "{file}");
    }
}

#[test]
fn a_server_that_does_not_answer_is_told_at_once() {
    let installation = Installation::ready();
    let added = installation.add_server("one", "http://127.0.0.1:1", "key\n");
    assert!(
        added.stderr.contains("warning") && added.stderr.contains("WAHA server one at http://127.0.0.1:1"),
        "{}",
        added.stderr
    );
    added.expect_success();
    let doctor = installation.run(&["doctor"]);
    assert!(
        doctor.stdout.contains("could not be reached") && !doctor.stdout.contains("WhatsApp service"),
        "{}",
        doctor.stdout
    );
}

#[test]
fn other_keys_than_the_database_s_are_told_and_not_served_with() {
    let installation = Installation::ready();
    installation
        .add_server("one", "http://127.0.0.1:1", "key\n")
        .expect_success();
    installation.remove("wahana.keys");
    let made = installation.run(&["keys", "init"]);
    assert!(
        made.stderr.contains("warning") && made.stderr.contains("does not open"),
        "{}",
        made.stderr
    );
    made.expect_success();
    let refused = installation
        .run(&["serve", "--listen", "127.0.0.1:0"])
        .expect_failure();
    assert!(refused.contains("key ring"), "{refused}");
}

#[test]
fn what_cannot_be_used_is_named() {
    let installation = Installation::ready();
    let nowhere = [("WAHANA_DATABASE__URL", "sqlite://nowhere/at/all/wahana.db")];
    let error = installation
        .run_with_environment(&["migrate"], &nowhere)
        .expect_failure();
    assert!(error.contains("nowhere/at/all/wahana.db"), "{error}");
    let away = [("WAHANA_DATABASE__URL", "postgres://me:MARK@127.0.0.1:1/wahana")];
    for command in ["migrate", "doctor"] {
        let outcome = installation.run_with_environment(&[command], &away);
        let said = outcome.everything();
        assert!(
            said.contains("127.0.0.1:1") && said.contains("refused") && !said.contains("MARK"),
            "{said}"
        );
        outcome.expect_failure();
    }
    let folder = installation.run(&["--config", ".", "config"]).expect_failure();
    assert!(folder.contains("is a directory"), "{folder}");
    for (text, fault) in [
        ("server,waha_name,organization,session_name\nmain,a\n", "line 2"),
        (
            "server,waha_name,organization,session_name\n",
            "no line with an organization",
        ),
        (
            "server,waha_name,organization,session_name\nmain,a,,\n",
            "no line with an organization",
        ),
    ] {
        installation.write("sessions.csv", text);
        let error = installation
            .run(&["sessions", "assign", "--file", "sessions.csv"])
            .expect_failure();
        assert!(error.contains("sessions.csv") && error.contains(fault), "{error}");
    }
}

#[test]
fn what_clients_call_wahana_s_address_is_no_setting() {
    let installation = Installation::empty();
    let environment = [("WAHANA_URL", "http://127.0.0.1:8080")];
    installation
        .run_with_environment(&["config"], &environment)
        .expect_success();
}

#[test]
fn tokens_are_made_for_members_and_shown_once() {
    let installation = Installation::ready();
    let run = |arguments: &[&str]| installation.run(arguments);
    run(&["organizations", "create", "--name", "Toko Satu"]).expect_success();
    let owner = [
        "users",
        "create",
        "--email",
        "owner@example.com",
        "--role",
        "owner",
    ];
    run(&[&owner[..], &["--organization", "Toko Satu"]].concat()).expect_success();
    let token = run(&[
        "--json",
        "tokens",
        "create",
        "--organization",
        "Toko Satu",
        "--user",
        "owner@example.com",
        "--ability",
        "sessions:read",
        "--ability",
        "messages:send",
        "--expires",
        "90d",
    ])
    .json();
    assert_eq!(
        token["abilities"],
        serde_json::json!(["sessions:read", "messages:send"])
    );
    assert!(token["expires_at"].is_string());
    let (id, secret) = token["bearer"].as_str().unwrap().split_once('|').unwrap();
    let list = run(&["tokens", "list", "--organization", "Toko Satu"]).expect_success();
    assert!(list.contains(id) && !list.contains(secret), "{list}");
    run(&["tokens", "revoke", id, "--organization", "Toko Satu"]).expect_success();

    let create = |extra: &[&str]| {
        let mut arguments = vec!["tokens", "create", "--organization", "Toko Satu"];
        arguments.extend(extra);
        run(&arguments).expect_failure()
    };
    for (extra, fault) in [
        (&["--user", "stranger@example.com"][..], "member"),
        (
            &["--user", "owner@example.com", "--ability", "everything"],
            "sessions:read",
        ),
        (
            &["--user", "owner@example.com", "--session", "nobody"],
            "sessions",
        ),
        (
            &["--user", "owner@example.com", "--expires", "2020-01-01T00:00:00Z"],
            "future",
        ),
    ] {
        let error = create(extra);
        assert!(error.contains(fault), "{error}");
    }
}

#[test]
fn passwords_are_never_printed_and_weak_ones_are_refused() {
    let installation = Installation::ready();
    installation
        .run(&["users", "create", "--email", "a@example.com"])
        .expect_success();
    let set = ["users", "set-password", "a@example.com", "--password-stdin"];
    let done = installation.run_with_input(&set, "correct horse battery\n");
    assert!(!done.everything().contains("battery"));
    done.expect_success();
    for input in ["MARK\n", "", "MARK MARK MARK\nMARK MARK\n"] {
        let refused = installation.run_with_input(&set, input);
        assert!(!refused.everything().contains("MARK"));
        refused.expect_failure();
    }
    // Nobody can be asked here, and the command says what to do instead.
    let nobody = installation
        .run(&["users", "set-password", "a@example.com"])
        .expect_failure();
    assert!(nobody.contains("--password-stdin"), "{nobody}");
    let operator = [
        "users",
        "create",
        "--email",
        "b@example.com",
        "--platform-administrator",
    ];
    let nobody = installation.run(&operator).expect_failure();
    assert!(nobody.contains("--password-stdin"), "{nobody}");
}

#[test]
fn servers_are_managed_and_their_keys_never_printed_or_taken_as_arguments() {
    let installation = Installation::ready();
    let add = [
        "servers",
        "add",
        "--name",
        "one",
        "--base-url",
        "http://127.0.0.1:1",
    ];
    let with = |extra: &[&'static str]| [&add[..], extra].concat();
    let added = installation.run_with_input(&with(&["--key-stdin", "--capacity", "5"]), "KEY-MARK\n");
    assert!(!added.everything().contains("KEY-MARK"));
    added.expect_success();
    installation.run(&with(&["--key", "KEY-MARK"])).expect_failure();
    let nobody = installation.run(&add).expect_failure();
    assert!(nobody.contains("--key-stdin"), "{nobody}");
    let unset = installation
        .run(&with(&["--key-env", "NOT_SET_ANYWHERE"]))
        .expect_failure();
    assert!(unset.contains("NOT_SET_ANYWHERE"), "{unset}");
    let refused = installation
        .add_server("x", "http://169.254.169.254", "KEY-MARK")
        .expect_failure();
    assert!(refused.contains("link-local"), "{refused}");

    let update = [
        "--json",
        "servers",
        "update",
        "one",
        "--name",
        "eins",
        "--key-env",
        "WAHA_API_KEY",
    ];
    let updated = installation
        .run_with_environment(&update, &[("WAHA_API_KEY", "KEY-MARK-2")])
        .json();
    assert_eq!(
        (&updated["name"], &updated["capacity"]),
        (&"eins".into(), &5.into())
    );
    let list = installation.run(&["servers", "list"]).expect_success();
    assert!(
        list.contains("http://127.0.0.1:1/") && !list.contains("KEY-MARK"),
        "{list}"
    );
    installation.run(&["servers", "remove", "eins"]).expect_success();
    assert_eq!(
        installation.run(&["--json", "servers", "list"]).json(),
        serde_json::json!([])
    );
    // What is at rest is encrypted.
    assert!(
        !installation
            .database()
            .windows(8)
            .any(|bytes| bytes == b"KEY-MARK")
    );
}

#[test]
fn the_document_is_printed_alone() {
    let installation = Installation::empty();
    let document = installation.run(&["openapi"]);
    assert_eq!(document.json()["openapi"], "3.1.0");
    assert!(document.stderr.is_empty(), "{}", document.stderr);
}

#[test]
fn a_faulty_configuration_is_told_by_name_and_place_and_without_values() {
    let installation = Installation::empty();
    installation.write("wahana.toml", "listen = 'MARK'\n[databse]\nurl = 'MARK'\n");
    let environment = [("WAHANA_LOG__FORMAT", "MARK")];
    let error = installation
        .run_with_environment(&["migrate"], &environment)
        .expect_failure();
    for part in [
        "listen (from file",
        "wahana.toml)",
        "databse",
        "environment variable WAHANA_LOG__FORMAT",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!error.contains("MARK"), "{error}");
    let missing = installation
        .run(&["--config", "nowhere.toml", "config"])
        .expect_failure();
    assert!(missing.contains("nowhere.toml"), "{missing}");
}

#[test]
fn the_effective_configuration_is_shown_without_secrets() {
    let installation = Installation::empty();
    let environment = [
        ("WAHANA_DATABASE__URL", "postgres://me:MARK@db.example.com/wahana"),
        ("WAHANA_KEYS__RING", "1 MARK"),
    ];
    let shown = installation
        .run_with_environment(&["config"], &environment)
        .expect_success();
    assert!(
        shown.contains("me:***@db.example.com") && !shown.contains("MARK"),
        "{shown}"
    );
}
