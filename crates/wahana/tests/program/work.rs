//! Background work: a process that does nothing else, and the commands to look at it.

use std::{thread, time::Duration};

use serde_json::Value;

use crate::{installation::Installation, serve::Server};

/// How long is waited before something is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The kinds of the jobs that a worker repeats by itself.
const REPEATED: [&str; 2] = ["retention", "forget_texts"];

/// Lets a worker run until it has done the first round of all that it repeats.
fn worked() -> Installation {
    let installation = Installation::ready();
    let (mut worker, metrics) = Server::start_worker(&installation);
    loop {
        let is_done = |kind: &&str| {
            let done = installation
                .run(&["--json", "jobs", "list", "--state", "done", "--kind", kind])
                .json();
            !done.as_array().unwrap().is_empty()
        };
        if REPEATED.iter().all(is_done) {
            break;
        }
        thread::sleep(LOOK_AGAIN);
    }
    assert!(worker.get_from(&metrics, "/healthz").starts_with("HTTP/1.1 200 "));
    loop {
        let counts = worker.get_from(&metrics, "/metrics");
        let is_shown = [
            "process_start_time_seconds ",
            "wahana_jobs{",
            r#"wahana_sessions{status="working"} 0"#,
            r#"wahana_sessions_not_as_wanted{reason="phone_needed"} 0"#,
            "wahana_waha_events_oldest_waiting_seconds 0",
            "wahana_jobs_oldest_waiting_seconds{",
            "wahana_table_rows{",
        ]
        .iter()
        .all(|name| counts.contains(name));
        if is_shown && counts.contains(r#"wahana_table_bytes{table="jobs"}"#) {
            break;
        }
        thread::sleep(LOOK_AGAIN);
    }
    worker.stop();
    installation
}

fn only(found: &Value) -> &Value {
    let found = found.as_array().unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    &found[0]
}

#[test]
fn a_worker_works_and_its_work_is_seen_and_run_again() {
    let installation = worked();
    let run = |arguments: &[&str]| installation.run(arguments);
    let done = run(&["--json", "jobs", "list", "--state", "done", "--kind", "retention"]).json();
    let done = only(&done)["id"].as_str().unwrap();
    let refused = run(&["jobs", "retry", done]).expect_failure();
    assert!(refused.contains("The job is done"), "{refused}");
    let waiting = run(&["--json", "jobs", "list", "--state", "waiting"]).json();
    assert_eq!(waiting.as_array().unwrap().len(), REPEATED.len(), "{waiting:?}");
    let waiting = run(&[
        "--json",
        "jobs",
        "list",
        "--state",
        "waiting",
        "--kind",
        "retention",
    ])
    .json();
    let waiting = only(&waiting);
    let id = waiting["id"].as_str().unwrap();
    let shown = run(&["jobs", "show", id]).expect_success();
    assert!(shown.contains("retention") && shown.contains(id), "{shown}");
    let retried = run(&["--json", "jobs", "retry", id]).json();
    assert_ne!(retried["run_at"], waiting["run_at"]);
    let database = installation.database();
    let audited = b"platform.jobs.retry";
    assert!(database.windows(audited.len()).any(|bytes| bytes == audited));
    let none = run(&["jobs", "retry", "--all-dead"]).expect_success();
    assert!(none.contains("Jobs that run again: 0."), "{none}");
    assert_eq!(
        run(&["--json", "jobs", "list", "--limit", "1"])
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    for wrong in [
        &["jobs", "retry"][..],
        &["jobs", "retry", id, "--all-dead"],
        &["jobs", "list", "--kind", "unknown"],
        &["jobs", "list", "--state", "unknown"],
        &["jobs", "show", "00000000-0000-7000-8000-000000000000"],
    ] {
        run(wrong).expect_failure();
    }
    let doctor = run(&["doctor"]).expect_success();
    assert!(doctor.contains("jobs that wait: 2"), "{doctor}");
    assert!(
        doctor.contains("organizations") && doctor.contains("KiB"),
        "{doctor}"
    );
}

#[test]
fn an_unknown_role_is_refused() {
    let installation = Installation::ready();
    let refused = installation.run(&["serve", "--role", "both"]).expect_failure();
    assert!(
        refused.contains("role") && refused.contains("api, worker or all"),
        "{refused}"
    );
}

#[test]
fn a_process_that_only_answers_requests_does_no_background_work() {
    let installation = Installation::ready();
    let mut server = Server::start(&installation, &["--role", "api"]);
    assert!(server.get("/healthz").starts_with("HTTP/1.1 200 "));
    server.stop();
    assert_eq!(
        installation.run(&["--json", "jobs", "list"]).json(),
        Value::Array(Vec::new())
    );
}
