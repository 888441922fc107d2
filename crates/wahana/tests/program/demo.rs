//! The demo as a newcomer meets it: started, its file read, its calls made, and the command line used on
//! it.

use std::{
    collections::HashMap,
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

struct Demo {
    process: Child,
    folder: TempDir,
    variables: HashMap<String, String>,
}

impl Demo {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let env_file = folder.path().join("demo.env");
        let process = Command::new(env!("CARGO_BIN_EXE_wahana"))
            .args(["demo", "--listen", "127.0.0.1:0", "--env-file"])
            .arg(&env_file)
            .env_clear()
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut demo = Self {
            process,
            folder,
            variables: HashMap::new(),
        };
        demo.variables = demo.read(&env_file);
        demo
    }

    /// The file appears whole, once everything is ready; the runner bounds how long that may take.
    fn read(&mut self, env_file: &Path) -> HashMap<String, String> {
        while !env_file.exists() {
            assert!(
                self.process.try_wait().unwrap().is_none(),
                "the demo ended before it was ready"
            );
            thread::sleep(Duration::from_millis(20));
        }
        // What a shell makes of the file, so that its quoting is tested too.
        let script = format!(". '{}' && set", env_file.display());
        let shell = Command::new("sh")
            .args(["-c", &script])
            .env_clear()
            .output()
            .unwrap();
        let text = String::from_utf8(shell.stdout).unwrap();
        text.lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect()
    }

    fn call(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
        let (status, answer) = self.ask("WAHANA_URL", method, path, token, body);
        (status, serde_json::from_str(&answer).unwrap())
    }

    /// What the receiver of Acme's webhook says of itself.
    fn receiver(&self) -> Value {
        let (status, answer) = self.ask("RECEIVER_URL", "GET", "/", "ACME_TOKEN", "");
        assert_eq!(status, 200);
        serde_json::from_str(&answer).unwrap()
    }

    /// Waits until it has taken so many deliveries.
    fn received(&self, deliveries: u64) -> Value {
        loop {
            let receiver = self.receiver();
            if receiver["deliveries"].as_u64().unwrap() >= deliveries {
                return receiver;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn ask(&self, server: &str, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
        let address = self.variables[server].strip_prefix("http://").unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.variables[token],
            body.len()
        );
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    fn command(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_wahana"))
            .args(["--config", &self.variables["WAHANA_CONFIG"]])
            .args(arguments)
            .env_clear()
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_second_demo_leaves_the_first_alone_and_the_end_is_tidy() {
    let mut demo = Demo::start();
    let env_file = demo.folder.path().join("demo.env");
    let mode = fs::metadata(&env_file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let second = Command::new(env!("CARGO_BIN_EXE_wahana"))
        .args(["demo", "--listen", "127.0.0.1:0", "--env-file"])
        .arg(&env_file)
        .env_clear()
        .current_dir(demo.folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success());
    assert!(
        said.contains("runs in") && said.contains(&demo.process.id().to_string()),
        "{said}"
    );
    assert!(env_file.exists());
    let (status, _) = demo.call("GET", "/api/waha/sessions", "ACME_TOKEN", "");
    assert_eq!(status, 200);
    // What the file sets may be in the environment of every command.
    let output = Command::new(env!("CARGO_BIN_EXE_wahana"))
        .args(["organizations", "show", "Acme"])
        .env_clear()
        .envs(&demo.variables)
        .current_dir(demo.folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let id = demo.process.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    assert!(demo.process.wait().unwrap().success());
    assert!(!env_file.exists());
}

fn names(list: &Value) -> Vec<&str> {
    list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| session["session_name"].as_str().unwrap())
        .collect()
}

#[test]
fn the_demo_is_what_the_readme_says() {
    let demo = Demo::start();

    let (status, acme) = demo.call("GET", "/api/waha/sessions", "ACME_TOKEN", "");
    let (_, globex) = demo.call("GET", "/api/waha/sessions", "GLOBEX_TOKEN", "");
    assert_eq!(status, 200);
    assert!(names(&acme).contains(&"support") && names(&globex).contains(&"support"));
    assert!(names(&acme).contains(&"sales") && !names(&globex).contains(&"sales"));
    assert!(names(&globex).contains(&"orders") && !names(&acme).contains(&"orders"));

    let (status, missing) = demo.call("GET", "/api/waha/sessions/sales/status", "GLOBEX_TOKEN", "");
    assert_eq!(
        (status, missing["error_code"].as_str()),
        (404, Some("SESSION_NOT_FOUND"))
    );

    let text = r#"{"to": "+15550100042", "text": "Hello from wahana"}"#;
    let (status, sent) = demo.call("POST", "/api/waha/sessions/support/send-text", "ACME_TOKEN", text);
    assert_eq!(
        (status, sent["data"]["status"].as_str()),
        (200, Some("accepted")),
        "{sent}"
    );
    // Before any session is made through wahana, which gives it a webhook of its own.
    while !demo
        .command(&["--json", "servers", "list"])
        .1
        .contains(r#""last_event_at": "2"#)
    {
        thread::sleep(Duration::from_millis(20));
    }
    let (status, _) = demo.call(
        "POST",
        "/api/waha/sessions/support/send-text",
        "ACME_VIEWER_TOKEN",
        text,
    );
    assert_eq!(status, 403);

    let (status, started) = demo.call("POST", "/api/waha/sessions/shop/start", "ACME_TOKEN", "");
    assert_eq!(status, 201, "{started}");
    let (status, qr) = demo.call("GET", "/api/waha/sessions/shop/qr?wait=20", "ACME_TOKEN", "");
    assert!(status == 200 && qr["data"]["value"].is_string(), "{qr}");

    let (status, log) = demo.call("GET", "/api/waha/audit-log", "ACME_TOKEN", "");
    assert!(status == 200 && !log.to_string().contains("Hello from wahana"));

    let (is_well, findings) = demo.command(&["doctor"]);
    assert!(is_well, "{findings}");
}

#[test]
fn sessions_that_were_there_before_are_assigned_from_a_file() {
    let demo = Demo::start();
    let (_, listed) = demo.command(&["sessions", "unassigned", "--csv"]);
    assert_eq!(
        listed.trim(),
        "server,waha_name,organization,session_name\nsimulated,left-over,,"
    );
    let file = demo.folder.path().join("sessions.csv");
    let assign = |line: &str, extra: &[&str]| {
        fs::write(
            &file,
            format!("server,waha_name,organization,session_name\n{line}\n"),
        )
        .unwrap();
        demo.command(&[&["sessions", "assign", "--file", file.to_str().unwrap()], extra].concat())
    };

    // A name that the organization has, a session that is not there: nothing is assigned.
    let (is_done, said) = assign(
        "simulated,left-over,Acme,front-desk\nsimulated,nowhere,Acme,other",
        &[],
    );
    assert!(
        !is_done && said.contains("WAHA does not have this session"),
        "{said}"
    );
    assert!(!assign("simulated,left-over,Acme,support", &[]).0);

    let (is_possible, said) = assign("simulated,left-over,Acme,front-desk", &["--dry-run"]);
    assert!(is_possible && said.contains("can be assigned"), "{said}");
    let (status, _) = demo.call("GET", "/api/waha/sessions/front-desk/status", "ACME_TOKEN", "");
    assert_eq!(status, 404);

    assert!(assign("simulated,left-over,Acme,front-desk", &[]).0);
    let (status, session) = demo.call("GET", "/api/waha/sessions/front-desk/status", "ACME_TOKEN", "");
    assert_eq!(
        (status, session["data"]["status"].as_str()),
        (200, Some("working"))
    );
    assert!(
        !session.to_string().contains("left-over"),
        "the name on WAHA is not the tenants' to know"
    );
    let (status, _) = demo.call("GET", "/api/waha/sessions/front-desk/status", "GLOBEX_TOKEN", "");
    assert_eq!(status, 404);
    assert!(demo.command(&["sessions", "unassigned"]).1.lines().count() <= 1);
    // It gets wahana's webhook when it is taken over, and not twice.
    let take_over = |extra: &[&str]| {
        let command = [
            "sessions",
            "take-over",
            "--session",
            "front-desk",
            "--pace",
            "6000",
        ];
        demo.command(&[command.as_slice(), extra].concat())
    };
    for (extra, expected) in [
        (&["--dry-run"][..], "gets the webhook"),
        (&[], "has the webhook now"),
        (&[], "has the webhook already"),
    ] {
        let (is_done, said) = take_over(extra);
        assert!(is_done && said.contains(expected), "{said}");
    }
    // What was assigned once is not assigned again.
    assert!(!assign("simulated,left-over,Globex,front-desk", &[]).0);
}

#[test]
fn what_the_receiver_missed_while_it_was_stopped_is_delivered() {
    let demo = Demo::start();
    let control = |path| demo.ask("RECEIVER_URL", "POST", path, "ACME_TOKEN", "");
    let text = r#"{"to": "+15550100042", "text": "Hello from wahana"}"#;
    let send = || {
        let (status, sent) = demo.call("POST", "/api/waha/sessions/support/send-text", "ACME_TOKEN", text);
        assert_eq!(status, 200, "{sent}");
    };
    send();
    let before = demo.received(1);
    assert_eq!(before["is_running"], true);
    assert_eq!(control("/stop").0, 200);
    assert_eq!(demo.receiver()["is_running"], false);
    send();
    assert_eq!(control("/start").0, 200);
    let after = demo.received(before["deliveries"].as_u64().unwrap() + 1);
    assert_eq!(
        (&after["is_running"], &after["wrongly_signed"]),
        (&true.into(), &0.into())
    );
}
