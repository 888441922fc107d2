//! What the demo tells: a file of shell assignments, and calls to paste.

use std::{fmt::Write as _, fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use anyhow::Context as _;
use wahana_domain::{Role, Secret};

use super::{receiver::Receiver, world::World};

/// Names and values, in the order in which they are written.
pub(super) type Variables = Vec<(String, String)>;

pub(super) fn variables(
    url: &str,
    (waha_url, waha_key): (&str, &Secret),
    world: &World,
    receiver: &Receiver,
    folder: &Path,
) -> Variables {
    let mut variables = vec![
        ("WAHANA_URL".to_owned(), url.to_owned()),
        ("WAHA_URL".to_owned(), waha_url.trim_end_matches('/').to_owned()),
        ("WAHA_API_KEY".to_owned(), waha_key.expose().to_owned()),
        ("RECEIVER_URL".to_owned(), receiver.control_url()),
    ];
    for tenant in &world.organizations {
        let name = tenant.name.to_uppercase();
        for (role, token) in &tenant.tokens {
            let variable = match role {
                Role::Owner => format!("{name}_TOKEN"),
                role => format!("{name}_{}_TOKEN", role.as_str().to_uppercase()),
            };
            variables.push((variable, token.clone()));
        }
        variables.push((format!("{name}_OWNER_EMAIL"), tenant.owner_email.clone()));
        variables.push((format!("{name}_OWNER_PASSWORD"), tenant.owner_password.clone()));
    }
    variables.push(("PLATFORM_TOKEN".to_owned(), world.platform_token.clone()));
    let configuration = folder.join("wahana.toml");
    let configuration = configuration.canonicalize().unwrap_or(configuration);
    variables.push(("WAHANA_CONFIG".to_owned(), configuration.display().to_string()));
    variables
}

/// Writes the file at once, so that whoever finds it finds it whole.
pub(super) fn write(file: &Path, variables: &Variables) -> anyhow::Result<()> {
    let mut text = String::new();
    for (name, value) in variables {
        // What is between single quotes means itself; a quote ends it, stands for itself, and begins it anew.
        writeln!(text, "{name}='{}'", value.replace('\'', r"'\''"))?;
    }
    let unfinished = file.with_extension("env.new");
    super::remove(&unfinished)?;
    // It holds tokens and a password.
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished);
    written
        .and_then(|mut unfinished| unfinished.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&unfinished, file))
        .with_context(|| format!("{} cannot be written", file.display()))
}

/// What the terminal shows once everything is ready.
pub(super) fn banner(url: &str, env_file: &Path, variables: &Variables) -> String {
    let value = |name: &str| {
        let found = variables.iter().find(|(variable, _)| variable == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    let (acme, globex) = (value("ACME_TOKEN"), value("GLOBEX_TOKEN"));
    format!(
        r#"
wahana's demo is ready. Its WAHA is a simulator: no phone, no WhatsApp.

  wahana             {url}
  API, to try it     {url}/docs
  simulated WAHA     {waha_url}   (X-Api-Key: {waha_key})
  Acme's owner       {acme}
  Globex's owner     {globex}
  operator           {platform}

These and the tokens of the other roles are in {env_file}. Paste:

  # Acme's sessions; Globex's are not among them.
  curl -s '{url}/api/waha/sessions' -H 'Authorization: Bearer {acme}'

  # Both organizations have a session named "support". Each has its own.
  curl -s '{url}/api/waha/sessions/support/status' -H 'Authorization: Bearer {globex}'

  # A session of Acme's does not exist for Globex.
  curl -s '{url}/api/waha/sessions/sales/status' -H 'Authorization: Bearer {globex}'

  # Send a text.
  curl -s '{url}/api/waha/sessions/support/send-text' -H 'Authorization: Bearer {acme}' \
    -H 'Content-Type: application/json' -d '{{"to": "+15550100042", "text": "Hello from wahana"}}'

  # Start a session that does not exist yet, and get its QR code. It pairs by itself after a while.
  curl -s -X POST '{url}/api/waha/sessions/shop/start' -H 'Authorization: Bearer {acme}'
  curl -sf '{url}/api/waha/sessions/shop/qr?wait=10' -H 'Authorization: Bearer {acme}' \
    -H 'Accept: image/png' -o shop.png

  # Stop the program that Acme's events are delivered to, whose words appear here, and start it again: what it
  # missed is delivered by and by.
  curl -s -X POST '{receiver}/stop'
  curl -s -X POST '{receiver}/start'

  # Who did what.
  curl -s '{url}/api/waha/audit-log' -H 'Authorization: Bearer {acme}'

Ctrl-C ends it.
"#,
        waha_url = value("WAHA_URL"),
        waha_key = value("WAHA_API_KEY"),
        platform = value("PLATFORM_TOKEN"),
        receiver = value("RECEIVER_URL"),
        env_file = env_file.display(),
    )
}
