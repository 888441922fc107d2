//! Which WAHA servers there are, and whether their keys can be read.

use wahana_service::{Services, platform::servers};

use super::Finding;

const SUBJECT: &str = "WAHA";

pub(super) async fn examine(services: &Services) -> Vec<Finding> {
    let servers = match servers::list(services).await {
        Ok(servers) => servers,
        Err(error) => {
            return vec![Finding::fault(
                SUBJECT,
                error.to_string(),
                Some("bring back the key ring that the servers were added with"),
            )];
        }
    };
    if servers.is_empty() {
        return vec![Finding::warning(
            SUBJECT,
            "there is no WAHA server, so nobody can have a session",
            "run `wahana servers add --name <name> --base-url <address>`",
        )];
    }
    let findings = servers.iter().map(|load| {
        let server = &load.server;
        let is_full = server
            .capacity
            .is_some_and(|capacity| load.sessions >= i64::from(capacity));
        let text = format!(
            "{} at {} has {} sessions and its key can be read",
            server.name, server.base_url, load.sessions
        );
        if is_full {
            Finding::warning(
                SUBJECT,
                format!("{text}; it is full"),
                "add another WAHA server, or raise its capacity with `wahana servers update`",
            )
        } else {
            Finding::good(SUBJECT, text)
        }
    });
    findings.collect()
}
