//! Which WAHA servers there are, whether they answer, and what will not work on them.

use wahana_service::{
    Operator, Services,
    platform::{
        hooks,
        servers::{self, ServerAnswer, ServerLoad},
    },
};

use super::Finding;

const SUBJECT: &str = "WAHA";

pub(super) async fn examine(services: &Services) -> Vec<Finding> {
    let servers = match servers::list(services, &Operator::CommandLine).await {
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
    let mut findings = Vec::new();
    for load in &servers {
        findings.push(load_of(load));
        findings.push(answer_of(services, load).await);
        findings.push(events_of(services, load));
    }
    findings
}

fn load_of(load: &ServerLoad) -> Finding {
    let server = &load.server;
    let is_full = server
        .capacity
        .is_some_and(|capacity| load.sessions >= i64::from(capacity));
    let text = format!(
        "{} at {} has {} sessions",
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
}

fn events_of(services: &Services, load: &ServerLoad) -> Finding {
    let report = hooks::report(services, &Operator::CommandLine, &load.server);
    if report.is_good {
        Finding::good(SUBJECT, report.text)
    } else {
        Finding::warning(
            SUBJECT,
            report.text,
            "set hook_url to wahana's address as WAHA sees it, see that WAHA reaches it, and run `wahana sessions \
             take-over --dry-run`, or give WAHA the lines that `wahana servers hook <name>` prints",
        )
    }
}

async fn answer_of(services: &Services, load: &ServerLoad) -> Finding {
    let name = &load.server.name;
    match servers::ask(services, &Operator::CommandLine, load.server.id).await {
        Ok(ServerAnswer {
            version,
            engine,
            tier,
            drawback,
        }) => {
            let text = format!("{name} answers: WAHA {version}, engine {engine}, {tier}");
            match drawback {
                Some(drawback) => Finding::warning(
                    SUBJECT,
                    format!("{text}; {drawback}"),
                    "run WAHA 2026.6.1 or newer on it",
                ),
                None => Finding::good(SUBJECT, text),
            }
        }
        Err(error) => Finding::fault(
            SUBJECT,
            format!("{name} does not work: {error}"),
            Some("see that WAHA runs at that address with that key; `wahana servers update` changes both"),
        ),
    }
}
