use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::{TryStreamExt as _, future::BoxFuture};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

const LIMIT: usize = 1000;

/// A file that was fetched whole.
#[derive(Debug)]
struct Fetched {
    media_type: MediaType,
    name: Option<FileName>,
    data: Vec<u8>,
}

impl Fetcher {
    async fn fetch(&self, address: &str, limit: usize) -> Result<Fetched, FetchError> {
        let download = self.open(address, limit).await?;
        let pieces: Vec<Bytes> = download.bytes.try_collect().await?;
        Ok(Fetched {
            media_type: download.media_type,
            name: download.name,
            data: pieces.concat(),
        })
    }
}

/// A server that gives each path its answer, and keeps what it was asked.
#[derive(Debug)]
struct Site {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Site {
    async fn start(ip: Ipv4Addr, port: u16, answers: &[(&str, String)]) -> Self {
        let listener = TcpListener::bind((ip, port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let answers: HashMap<String, String> = answers
            .iter()
            .map(|(path, answer)| ((*path).to_owned(), answer.clone()))
            .collect();
        let asked = requests.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => request.push(byte),
                        Err(_) => break,
                    }
                }
                let request = String::from_utf8(request).unwrap();
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                asked.lock().unwrap().push(request);
                let answer = answers.get(&path).cloned().unwrap_or_else(|| head(404, ""));
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { address, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn head(status: u16, headers: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nConnection: close\r\n{headers}\r\n")
}

fn file(media_type: &str, body: &str) -> String {
    let headers = format!("Content-Type: {media_type}\r\nContent-Length: {}\r\n", body.len());
    head(200, &headers) + body
}

fn redirect(to: &str) -> String {
    head(302, &format!("Location: {to}\r\nContent-Length: 0\r\n"))
}

fn only(addresses: &[SocketAddr]) -> Vec<AllowedNetwork> {
    let allowed = addresses.iter().map(|address| AllowedNetwork {
        network: address.ip().into(),
        port: Some(address.port()),
    });
    allowed.collect()
}

fn fetcher(allowed: Vec<AllowedNetwork>, look_up: impl LookUp) -> Fetcher {
    // Every test may be the first of its process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Fetcher::with_look_up(allowed, look_up)
}

/// Gives the next of its answers each time it is asked, and the last one for ever.
#[derive(Debug)]
struct Changing {
    answers: Vec<Vec<IpAddr>>,
    asked: Arc<AtomicUsize>,
}

impl LookUp for Changing {
    fn addresses(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let number = self
            .asked
            .fetch_add(1, Ordering::SeqCst)
            .min(self.answers.len() - 1);
        let answer = self.answers[number].clone();
        Box::pin(async move { Ok(answer) })
    }
}

#[tokio::test]
async fn a_file_comes_with_its_type_and_name_and_nothing_of_ours_goes_out() {
    let path = "/a/price%20list.pdf?x=1";
    let site = Site::start(
        Ipv4Addr::LOCALHOST,
        0,
        &[(path, file("Application/PDF; x=y", "bytes"))],
    )
    .await;
    let fetcher = fetcher(only(&[site.address]), NameServers);
    let found = fetcher.fetch(&site.url(path), LIMIT).await.unwrap();
    assert_eq!(found.media_type.as_str(), "application/pdf");
    assert_eq!(found.name.unwrap().as_str(), "price list.pdf");
    assert_eq!(found.data, b"bytes");
    let request = site.requests().remove(0).to_ascii_lowercase();
    for header in ["authorization", "cookie", "x-api-key", "referer"] {
        assert!(!request.contains(header), "{request}");
    }
}

#[tokio::test]
async fn private_addresses_are_refused_in_every_spelling() {
    let fetcher = fetcher(Vec::new(), NameServers);
    for address in [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://127.0.0.1./",
        "http://%31%32%37.0.0.1/",
        "http://１２７.0.0.1/",
        "http://0.0.0.0/",
        "http://0/",
        "http://10.0.0.1/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/",
        "http://192.168.0.1/",
        "http://224.0.0.1/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:7f00:1::]/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "http://localhost/",
        "http://localhost./",
        "http://LOCALHOST/",
        "http://sub.localhost/",
        "http://name-that-is-not-there.invalid/",
    ] {
        let refused = fetcher.fetch(address, LIMIT).await.unwrap_err();
        assert!(
            matches!(refused, FetchError::Unreachable),
            "{address}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn other_schemes_ports_and_user_information_are_refused() {
    let fetcher = fetcher(Vec::new(), NameServers);
    let long = format!("http://example.com/{}", "x".repeat(2048));
    for address in [
        "",
        "example.com/a.png",
        "ftp://example.com/a.png",
        "file:///etc/passwd",
        "gopher://example.com/",
        "data:text/plain,hello",
        "http://example.com:8080/a.png",
        "http://example.com:22/",
        "http://user@example.com/",
        "http://user:password@example.com/",
        "http://:password@example.com/",
        "http://127.0.0.1:6379/",
        &long,
    ] {
        let refused = fetcher.fetch(address, LIMIT).await.unwrap_err();
        assert!(matches!(refused, FetchError::Address), "{address}: {refused:?}");
    }
}

#[tokio::test]
async fn a_name_that_changes_its_address_reaches_nothing_private() {
    let inside = Site::start(Ipv4Addr::LOCALHOST, 0, &[("/a", file("text/plain", "secret"))]).await;
    let port = inside.address.port();
    let outside_ip = Ipv4Addr::new(127, 0, 0, 2);
    let outside = Site::start(outside_ip, port, &[("/a", file("text/plain", "public"))]).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let look_up = Changing {
        answers: vec![
            vec![outside_ip.into()],
            vec![inside.address.ip()],
            vec![outside_ip.into(), inside.address.ip()],
            Vec::new(),
        ],
        asked: asked.clone(),
    };
    let fetcher = fetcher(only(&[outside.address]), look_up);
    let url = format!("http://rebinding.example:{port}/a");
    let found = fetcher.fetch(&url, LIMIT).await.unwrap();
    assert_eq!(found.data, b"public");
    // Checked and connected to: one answer of the resolver serves for both.
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    for _ in 0..3 {
        let refused = fetcher.fetch(&url, LIMIT).await.unwrap_err();
        assert!(matches!(refused, FetchError::Unreachable), "{refused:?}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    assert!(inside.requests().is_empty());
    assert_eq!(outside.requests().len(), 1);
}

#[tokio::test]
async fn each_redirect_is_checked_and_there_are_not_many() {
    let inside = Site::start(Ipv4Addr::LOCALHOST, 0, &[("/a", file("text/plain", "secret"))]).await;
    let answers = [
        ("/to-the-file", redirect("/file.txt")),
        ("/file.txt", file("text/plain", "found")),
        ("/inside", redirect(&inside.url("/a"))),
        (
            "/inside-by-name",
            redirect(&format!("http://localhost:{}/a", inside.address.port())),
        ),
        ("/inside-usual-port", redirect("http://127.0.0.1/a")),
        ("/to-a-file-scheme", redirect("file:///etc/passwd")),
        ("/nowhere", head(302, "Content-Length: 0\r\n")),
        ("/1", redirect("/2")),
        ("/2", redirect("/3")),
        ("/3", redirect("/4")),
        ("/4", redirect("/file.txt")),
    ];
    let site = Site::start(Ipv4Addr::new(127, 0, 0, 3), 0, &answers).await;
    let fetcher = fetcher(only(&[site.address]), NameServers);
    let fetch = async |path: &str| fetcher.fetch(&site.url(path), LIMIT).await;
    let found = fetch("/to-the-file").await.unwrap();
    assert_eq!(
        (found.data, found.name.unwrap().as_str()),
        (b"found".to_vec(), "file.txt")
    );
    assert!(fetch("/2").await.is_ok());
    assert!(matches!(
        fetch("/1").await.unwrap_err(),
        FetchError::TooManyRedirects
    ));
    assert!(matches!(
        fetch("/nowhere").await.unwrap_err(),
        FetchError::Status(302)
    ));
    assert!(matches!(
        fetch("/to-a-file-scheme").await.unwrap_err(),
        FetchError::Address
    ));
    assert!(matches!(
        fetch("/inside-usual-port").await.unwrap_err(),
        FetchError::Unreachable
    ));
    for path in ["/inside", "/inside-by-name"] {
        assert!(
            matches!(fetch(path).await.unwrap_err(), FetchError::Address),
            "{path}"
        );
    }
    assert!(inside.requests().is_empty());
}

#[tokio::test]
async fn what_is_no_whole_file_of_the_allowed_size_is_refused() {
    let endless = "y".repeat(LIMIT + 1);
    let exact = "z".repeat(LIMIT);
    let answers = [
        ("/announced", head(200, "Content-Length: 1001\r\n")),
        ("/unannounced", head(200, "") + &endless),
        ("/exact", file("image/png", &exact)),
        ("/cut", head(200, "Content-Length: 10\r\n") + "abc"),
        (
            "/gzip",
            head(200, "Content-Encoding: gzip\r\nContent-Length: 3\r\n") + "abc",
        ),
        ("/untyped", head(200, "Content-Length: 3\r\n") + "abc"),
    ];
    let site = Site::start(Ipv4Addr::LOCALHOST, 0, &answers).await;
    let fetcher = fetcher(only(&[site.address]), NameServers);
    let fetch = async |path: &str| fetcher.fetch(&site.url(path), LIMIT).await;
    assert!(matches!(
        fetch("/announced").await.unwrap_err(),
        FetchError::TooLarge
    ));
    assert!(matches!(
        fetch("/unannounced").await.unwrap_err(),
        FetchError::TooLarge
    ));
    assert_eq!(fetch("/exact").await.unwrap().data.len(), LIMIT);
    assert!(matches!(fetch("/cut").await.unwrap_err(), FetchError::BrokenOff));
    assert!(matches!(
        fetch("/gzip").await.unwrap_err(),
        FetchError::Compressed
    ));
    assert!(matches!(
        fetch("/missing").await.unwrap_err(),
        FetchError::Status(404)
    ));
    let untyped = fetch("/untyped").await.unwrap();
    assert_eq!(untyped.media_type, MediaType::unknown());
}
