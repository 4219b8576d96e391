//! A second thread with a runtime of its own, on the generator's core: for the relay, whose timers must not wait for
//! the generator's work, for members that stall, whose sockets must not be read by anybody meanwhile, and for newcomers
//! that would keep others' acks waiting.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use hither_transport::relay::{Impairment, Relay};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::Plan;
use super::target::Target;

/// The thread; dropping it ends it, with all tasks on it.
pub(super) struct Aside {
    handle: Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Aside {
    /// Errors are this machine's: no thread, or no descriptors.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name("aside".into()).spawn(move || {
            let _ = runtime.block_on(ended); // the sender is gone either way
        })?;
        Ok(Self { handle, end: Some(end), thread: Some(thread) })
    }

    /// Its runtime, to be entered or spawned on.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Holds the thread up for `duration`, from now on; returns at once. That is the purpose: a sleep that awaits would
    /// let the runtime go on, which would read the sockets and ack what comes, as no stalled member does.
    pub(super) fn stall(&self, duration: Duration) {
        self.handle.spawn(async move { thread::sleep(duration) });
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic on it has been printed
        }
    }
}

/// The network of a run: a relay before the server, if it has any impairment.
pub(super) struct Way {
    /// The server as members are to reach it.
    pub(super) target: Target,
    relay: Option<RelayAside>,
}

/// In this order: the relay goes before its thread.
struct RelayAside {
    relay: Relay,
    impairment: Impairment,
    _aside: Aside,
}

impl Way {
    /// Starts the relay that `plan` asks for; it loses nothing yet. Errors: a host without an address, or this
    /// machine's.
    pub(super) fn open(plan: &Plan) -> Result<Self> {
        let mut target = plan.target.clone();
        let Some(impairment) = plan.network.impairment() else {
            return Ok(Self { target, relay: None });
        };
        let server = target.authority().to_socket_addrs().context("the server's address")?.next();
        let server = server.context("the server has no address")?;
        let aside = Aside::start()?;
        let entered = aside.handle().enter();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let lossless = Impairment { loss: 0.0, ..impairment };
        let relay = Relay::bind(any, server, plan.network.relay_seed, lossless)?;
        drop(entered);
        target.url = format!("https://{}", relay.local_addr());
        Ok(Self { target, relay: Some(RelayAside { relay, impairment, _aside: aside }) })
    }

    /// Loses packets from now on, if any were to be lost. A run is about those who are in: of 30 % lost each way, some
    /// handshakes end by the silence of 2.5 s, and clients try again.
    pub(super) fn begin_loss(&self) {
        if let Some(RelayAside { relay, impairment, .. }) = &self.relay {
            relay.set_impairment(*impairment);
        }
    }
}
