//! nginx as a plain proxy.

use std::fs;
use std::net::SocketAddr;

use anyhow::Context as _;

use super::Bench;
use super::servers::{Server, command, free_address, listens};
use crate::system_packages;

/// A running nginx.
pub(super) struct Nginx {
    _process: Server,
    pub(super) address: SocketAddr,
}

impl Nginx {
    /// Passes everything on to one server, over connections that are kept. It logs each request, as it
    /// does unless told otherwise, and as wahana does.
    pub(super) fn start(bench: &Bench, upstream: SocketAddr) -> anyhow::Result<Self> {
        let folder = bench.path("nginx");
        fs::create_dir(&folder)?;
        let address = free_address()?;
        // Its worker would otherwise become a user who cannot write into this folder.
        let user = if rustix::process::geteuid().is_root() {
            "user root;"
        } else {
            ""
        };
        let configuration = format!(
            "{user} daemon off; worker_processes 1; pid nginx.pid; error_log stderr; \
             events {{ worker_connections 1024; }} \
             http {{ \
               access_log access.log; \
               client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; \
               uwsgi_temp_path uwsgi; scgi_temp_path scgi; \
               keepalive_requests 1000000000; \
               upstream waha {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; }} \
               server {{ listen {address}; location / {{ \
                 proxy_pass http://waha; proxy_http_version 1.1; proxy_set_header Connection \"\"; \
               }} }} \
             }}\n"
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration)?;
        let mut command = command(&system_packages::nginx().context("nginx is not there")?);
        command.arg("-p").arg(&folder).arg("-c").arg(&file);
        let mut process = Server::start(command, &bench.path("nginx.log"))?;
        process.wait_until(&bench.interruption, || listens(address))?;
        Ok(Self {
            _process: process,
            address,
        })
    }
}
