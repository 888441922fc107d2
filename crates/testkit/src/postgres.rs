//! The PostgreSQL server of this run of the tests.

use std::env;

use url::Url;

/// The environment variable that names the server.
const VARIABLE: &str = "TESTKIT_POSTGRES_URL";

/// The address of the test server's maintenance database, for a superuser. Tests make databases of their
/// own through it and leave this one alone.
///
/// # Panics
///
/// When the tests were started without a server.
#[must_use]
pub fn admin_url() -> Url {
    let text = env::var(VARIABLE).unwrap_or_else(|_| {
        fail(
            "this test needs PostgreSQL: run it with `cargo xtask test`, or set",
            "to a superuser's URL",
        )
    });
    // The URL has a password, so it is not repeated.
    Url::parse(&text).unwrap_or_else(|_| fail("the environment variable", "is not a URL"))
}

#[expect(
    clippy::panic,
    reason = "only tests call this, and a test without its server has failed"
)]
fn fail(before: &str, after: &str) -> ! {
    panic!("{before} {VARIABLE} {after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_run_with_a_postgres_server() {
        let url = admin_url();
        let addresses = url.socket_addrs(|| Some(5432)).unwrap();
        std::net::TcpStream::connect(&*addresses).unwrap();
    }
}
