//! Which server is loaded, and how members reach it: the flags that all modes of `hither-load` share. Apart from the
//! modes, so that what connects needs to know none of them.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::process::{self, Memory};

/// One server.
#[derive(Debug, Clone, Args)]
pub(super) struct Target {
    /// The server: `https://HOST:PORT`, whatever the transport to it, or `http://HOST:PORT` for the baseline.
    #[arg(long)]
    pub(super) url: String,
    /// SHA-256 of the server's certificate in hex, as its ready line shows it. Default: none, which suits the baseline.
    #[arg(long)]
    pub(super) cert_sha256: Option<String>,
    /// How members connect.
    #[arg(long, value_enum)]
    pub(super) transport: Transport,
    /// The server's process, for its CPU and memory. Default: they are reported as 0.
    #[arg(long)]
    pub(super) server_pid: Option<u32>,
}

/// How members connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(clippy::enum_variant_names, reason = "WebTransport is called so")]
pub(super) enum Transport {
    /// Raw QUIC.
    Quic,
    /// WebTransport.
    #[value(name = "webtransport")]
    WebTransport,
    /// WebSocket in TLS.
    #[value(name = "websocket")]
    WebSocket,
    /// Plain WebSocket to `baseline-ws`.
    BaselineWs,
}

impl Transport {
    /// Whether it is TCP, which no UDP relay impairs.
    pub(super) fn is_tcp(self) -> bool {
        matches!(self, Self::WebSocket | Self::BaselineWs)
    }

    /// Its name on the command line and in the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::WebTransport => "webtransport",
            Self::WebSocket => "websocket",
            Self::BaselineWs => "baseline-ws",
        }
    }
}

impl Target {
    /// Host and port of the server, as the URL has them.
    pub(super) fn authority(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        rest.split_once('/').map_or(rest, |(authority, _)| authority)
    }

    /// The server's port; 0 when the URL names none.
    pub(super) fn port(&self) -> u16 {
        let port = self.authority().rsplit_once(':');
        port.and_then(|(_, port)| port.parse().ok()).unwrap_or(0)
    }

    /// User and system time of the server's process so far; 0 without its pid. Fails when it is not there.
    pub(super) fn server_cpu_time(&self) -> Result<Duration> {
        let time = self.server_pid.map(|pid| process::cpu_time(Some(pid)));
        Ok(time.transpose().context("the server's CPU time")?.unwrap_or_default())
    }

    /// Memory of the server's process in KiB; 0 without its pid. Fails when it is not there.
    pub(super) fn server_memory_kb(&self, memory: Memory) -> Result<u64> {
        let kb = self.server_pid.map(|pid| process::memory_kb(pid, memory));
        Ok(kb.transpose().context("the server's memory")?.unwrap_or(0))
    }
}
