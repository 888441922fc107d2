//! The server as a process: started, asked, and stopped with a request in flight.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStderr, Command},
};

use crate::installation::Installation;

pub(crate) struct Server {
    process: Child,
    log: BufReader<ChildStderr>,
    address: String,
}

impl Server {
    pub(crate) fn start(installation: &Installation, extra: &[&str]) -> Self {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], extra].concat();
        let mut process = installation
            .command(&arguments)
            .env("WAHANA_METRICS__LISTEN", "127.0.0.1:0")
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let line = read_until(&mut log, "listens on http://");
        let (_, rest) = line.split_once("listens on http://").unwrap();
        let address = rest.split_whitespace().next().unwrap().to_owned();
        Self {
            process,
            log,
            address,
        }
    }

    /// A process that does background work alone, and where its metrics are.
    pub(crate) fn start_worker(installation: &Installation) -> (Self, String) {
        let mut process = installation
            .command(&["serve", "--role", "worker"])
            .env("WAHANA_METRICS__LISTEN", "127.0.0.1:0")
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let line = read_until(&mut log, "metrics are at http://");
        let (_, metrics) = line.split_once("http://").unwrap();
        let address = metrics.split('/').next().unwrap().to_owned();
        let worker = Self {
            process,
            log,
            address: address.clone(),
        };
        (worker, address)
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn stop(&mut self) {
        self.terminate();
        assert!(self.process.wait().unwrap().success());
    }

    fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    pub(crate) fn get(&self, path: &str) -> String {
        self.get_from(&self.address, path)
    }

    pub(crate) fn get_from(&self, address: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        rest(stream)
    }

    fn terminate(&self) {
        let id = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended in every test that passes.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn rest(mut stream: impl Read) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn read_until(log: &mut BufReader<ChildStderr>, wanted: &str) -> String {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert_ne!(
            log.read_line(&mut line).unwrap(),
            0,
            "{wanted} is not in the log:\n{seen}"
        );
        if line.contains(wanted) {
            return line;
        }
        seen.push_str(&line);
    }
}

#[test]
fn it_answers_and_counts_on_an_address_of_its_own() {
    let installation = Installation::ready();
    let mut server = Server::start(&installation, &[]);
    let line = read_until(&mut server.log, "metrics are at http://");
    let (_, metrics) = line.split_once("http://").unwrap();
    let metrics = metrics.split('/').next().unwrap().to_owned();
    for path in ["/healthz", "/readyz"] {
        let answer = server.get(path);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert!(server.get("/metrics").starts_with("HTTP/1.1 404 "));
    let counts = server.get_from(&metrics, "/metrics");
    assert!(
        counts.contains(r#"wahana_http_requests_total{method="GET",route="/readyz",status="200"} 1"#),
        "{counts}"
    );
    assert!(counts.contains("process_resident_memory_bytes"), "{counts}");
    server.terminate();
    assert!(server.process.wait().unwrap().success());
}

#[test]
fn a_request_in_flight_ends_before_the_process_does() {
    let installation = Installation::ready();
    let create = [
        "users",
        "create",
        "--email",
        "operator@example.com",
        "--platform-administrator",
        "--password-stdin",
    ];
    installation
        .run_with_input(&create, "correct horse battery")
        .expect_success();
    let token = installation
        .run(&[
            "--json",
            "platform-tokens",
            "create",
            "--user",
            "operator@example.com",
        ])
        .json();
    let bearer = token["bearer"].as_str().unwrap();
    let mut server = Server::start(&installation, &[]);
    let idle = server.send("");
    let (body, path) = (r#"{"name": "Toko Satu"}"#, "/api/platform/organizations");
    let (first, second) = body.split_at(5);
    let mut stream = server.send(&format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {bearer}\r\nContent-Type: application/json\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        server.address,
        body.len()
    ));
    // The handler asks for the body, so the request runs.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert!(
        interim.starts_with(b"HTTP/1.1 100"),
        "{}",
        String::from_utf8_lossy(&interim)
    );
    stream.write_all(first.as_bytes()).unwrap();
    server.terminate();
    read_until(&mut server.log, "wahana stops");
    assert!(server.process.try_wait().unwrap().is_none());
    stream.write_all(second.as_bytes()).unwrap();
    let answer = rest(stream);
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(server.process.wait().unwrap().success());
    drop(idle);
    assert!(TcpStream::connect(&server.address).is_err());
    // What was kept in memory is written down.
    let tokens = installation.run(&["--json", "platform-tokens", "list"]).json();
    assert!(tokens[0]["last_used_at"].is_string(), "{tokens}");
    let organizations = installation.run(&["--json", "organizations", "list"]).json();
    assert_eq!(organizations[0]["name"], "Toko Satu");
}

#[test]
fn a_guessed_public_address_with_another_port_is_warned_of() {
    let installation = Installation::ready();
    let mut server = Server::start(&installation, &[]);
    read_until(&mut server.log, "public_url is not set");
}

#[test]
fn floods_of_headers_are_refused() {
    let installation = Installation::ready();
    let server = Server::start(&installation, &[]);
    let long = format!(
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n",
        "a".repeat(100_000)
    );
    let many = format!(
        "GET /healthz HTTP/1.1\r\nHost: x\r\n{}\r\n",
        "X-Many: 1\r\n".repeat(200)
    );
    for request in [long, many] {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        // The server may close before everything is sent.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
            "{answer}"
        );
    }
    assert!(server.get("/healthz").starts_with("HTTP/1.1 200 "));
}

#[test]
fn it_does_not_start_on_what_it_cannot_serve_and_says_why() {
    let installation = Installation::empty();
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let no_keys = installation.run(&serve).expect_failure();
    assert!(no_keys.contains("wahana keys init"), "{no_keys}");
    installation.run(&["keys", "init"]).expect_success();
    let no_database = installation.run(&serve).expect_failure();
    assert!(no_database.contains("wahana migrate"), "{no_database}");
    let placeholder = format!("1 {}", "0".repeat(64));
    installation.remove("wahana.keys");
    let refused = installation
        .run_with_environment(&serve, &[("WAHANA_KEYS__RING", &placeholder)])
        .expect_failure();
    assert!(
        refused.contains("placeholder") && !refused.contains("0000"),
        "{refused}"
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let installation = Installation::ready();
    let refused = installation
        .run(&["serve", "--listen", &address])
        .expect_failure();
    assert!(
        refused.contains("cannot listen") && refused.contains(&address),
        "{refused}"
    );
}

#[test]
fn an_open_stream_ends_when_the_process_is_told_to_stop() {
    let installation = Installation::ready();
    let run = |line: &str| {
        let arguments: Vec<&str> = line.split(' ').collect();
        installation.run(&arguments)
    };
    run("organizations create --name Shops").expect_success();
    run("users create --email owner@example.com --organization Shops --role owner").expect_success();
    let token = run("--json tokens create --organization Shops --user owner@example.com").json();
    let mut server = Server::start(&installation, &[]);
    let mut stream = BufReader::new(server.send(&format!(
        "GET /api/waha/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
        server.address,
        token["bearer"].as_str().unwrap()
    )));
    let mut line = String::new();
    while !line.starts_with("retry: ") {
        line.clear();
        assert_ne!(
            stream.read_line(&mut line).unwrap(),
            0,
            "the stream does not begin"
        );
    }
    server.terminate();
    // An answer that was cut off would lack its last chunk.
    assert!(rest(stream).ends_with("0\r\n\r\n"));
    assert!(server.process.wait().unwrap().success());
}
