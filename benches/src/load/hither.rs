//! Members of Hither itself, over raw QUIC, WebTransport and WebSocket. It stands apart as one transport among
//! others: each member has a whole session of its own, which decodes its own view, on the client's
//! driver; only UDP sockets are shared.

use std::iter;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use hither_client::driver::{self, Activity, Driver, Handle};
use hither_client::{
    ClientEndpoint, ClientTls, CloseCode, Event, Hello, Link, Map, Position, RoomHandle, RoomName,
    Session, Viewport,
};
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::aside::Aside;
use super::entrance::Traffic;
use super::inbox::Inbox;
use super::target::{Target, Transport};

/// Members that share a socket: its 4 MiB of buffer hold a second of what they all get at 60 Hz.
const MEMBERS_A_SOCKET: usize = 50;

/// How long the server may take to close the connections of members that have said bye.
const LEAVE_DEADLINE: Duration = Duration::from_secs(2);

/// The sockets of a run, and where they lead.
pub(super) struct Network {
    url: String,
    transport: hither_client::Transport,
    sockets: Vec<ClientEndpoint>,
    hello: Hello,
    /// Whose thread reads the sockets, if it is not this one.
    aside: Option<Aside>,
}

/// A member in its room. Dropping it says bye.
pub(super) struct Member {
    handle: Handle,
    room: RoomHandle,
}

impl Network {
    /// Binds as many sockets as `members` members need. Errors: a hash that is none, or this machine's.
    pub(super) fn bind(target: &Target, members: usize) -> Result<Self> {
        let transport = match target.transport {
            Transport::Quic => hither_client::Transport::Quic,
            Transport::WebTransport => hither_client::Transport::WebTransport,
            Transport::WebSocket => hither_client::Transport::WebSocket,
            Transport::BaselineWs => bail!("the baseline is no Hither"),
        };
        let tls = match &target.cert_sha256 {
            Some(hex) => ClientTls::Hash(hash(hex).context("--cert-sha256 is not 64 hex digits")?),
            None => ClientTls::Roots,
        };
        let sockets = 0..members.div_ceil(MEMBERS_A_SOCKET);
        let sockets: Vec<_> =
            sockets.map(|_| ClientEndpoint::bind(tls)).collect::<Result<_, _>>()?;
        if sockets.iter().any(|socket| socket.socket_buffers().fall_short()) {
            eprintln!("hither-load: small socket buffers: raise net.core.rmem_max");
        }
        let (url, hello) = (target.url.clone(), Hello::default());
        Ok(Self { url, transport, sockets, hello, aside: None })
    }

    /// The same, with sockets that a thread of their own reads, which [`Self::stall`] can stop.
    pub(super) fn bind_aside(target: &Target, members: usize) -> Result<Self> {
        let aside = Aside::start()?;
        let entered = aside.handle().enter();
        let network = Self::bind(target, members)?;
        drop(entered);
        Ok(Self { aside: Some(aside), ..network })
    }

    /// The same, with motion on the control lane if `reliable`.
    pub(super) fn with_motion(self, reliable: bool) -> Self {
        Self { hello: Hello { reliable_motion: reliable, ..self.hello }, ..self }
    }

    /// Connects member `index` and waits until it is in `room`. Errors are the server's or the
    /// network's, or a room's name that is none.
    pub(super) async fn join(&self, index: usize, room: &str, inbox: Inbox) -> Result<Member> {
        let name: RoomName = room.parse().with_context(|| format!("the room {room}"))?;
        let link = self.connect(index / MEMBERS_A_SOCKET).await?;
        let (handle, driver) = driver::start(link, self.hello.clone());
        handle.with(|session, _now| session.enter(name, Map::new(), None));
        let (entering, entered) = oneshot::channel();
        spawn_local(receive(driver, inbox, entering));
        match entered.await {
            Ok(room) => Ok(Member { handle, room: room? }),
            Err(_) => Err(handle.closed().await.into()),
        }
    }

    /// Leaves the sockets unread for `duration`, from now on; returns at once. Without a thread of
    /// their own it does nothing.
    pub(super) fn stall(&self, duration: Duration) {
        if let Some(aside) = &self.aside {
            aside.stall(duration);
        }
    }

    /// A connection's own tasks run where it is made.
    async fn connect(&self, socket: usize) -> Result<Link> {
        let socket = self.sockets[socket].clone();
        let (url, transport) = (self.url.clone(), self.transport);
        let connecting = async move { socket.connect(&url, transport).await };
        match &self.aside {
            Some(aside) => Ok(aside.handle().spawn(connecting).await??),
            None => Ok(connecting.await?),
        }
    }

    /// Waits until the server has closed the connections of all members, which must be dropped.
    pub(super) async fn wait_idle(&self) {
        let idle = async {
            for socket in &self.sockets {
                socket.wait_idle().await;
            }
        };
        // A server that does not answer will miss them by itself.
        let _ = timeout(LEAVE_DEADLINE, idle).await;
    }
}

impl super::entrance::Member for Member {
    fn send(&mut self, (x, y): (i32, i32), _t_ms: u64) {
        self.handle.with(|session, now| session.set_motion(now, self.room, Position::xy(x, y)));
    }

    fn look(&mut self, viewport: Viewport) {
        let viewport = Some(viewport);
        self.handle.with(|session, _now| session.set_viewport(self.room, viewport, None));
    }

    fn traffic(&self) -> Traffic {
        let stats = self.handle.link().stats();
        Traffic {
            datagrams_down: stats.datagrams_received,
            datagrams_up: stats.datagrams_sent,
            packets_down: stats.udp_received,
            packets_up: stats.udp_sent,
            // What TCP adds in headers is not known here.
            bytes_down: stats.udp_bytes_received
                + HEADER_BYTES * stats.udp_received
                + stats.tcp_bytes_received,
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// Of IPv4 and UDP, before each payload.
const HEADER_BYTES: u64 = 28;

/// Runs a member's connection to its end. The room's handle goes to `entering`, what it is shown to
/// `inbox`.
async fn receive(driver: Driver, mut inbox: Inbox, entering: oneshot::Sender<Result<RoomHandle>>) {
    let mut entering = Some(entering);
    let mut entered = None;
    let closed = driver
        .run(|session, activity| match activity {
            Activity::Datagrams => {
                let Some(room) = entered else { return };
                let moved = iter::from_fn(|| session.poll_motion(room));
                inbox.show(moved.map(|(slot, at)| (slot.0, at.map(|at| (at.x(), at.y())))));
            }
            Activity::Event(event) => {
                let Some(answer) = answer(session, event, &mut inbox) else { return };
                entered = answer.as_ref().ok().copied();
                if let Some(entering) = entering.take() {
                    let _ = entering.send(answer); // nobody waits in a run that was given up
                }
            }
            _ => {}
        })
        .await;
    if closed.code != Some(CloseCode::Done.number()) {
        inbox.report_lost(&closed);
    }
}

/// What the event says about entering the only room; None if nothing.
fn answer(session: &Session, event: Event, inbox: &mut Inbox) -> Option<Result<RoomHandle>> {
    match event {
        Event::Entered { room, .. } => {
            inbox.set_slot(session.room(room)?.slot().0);
            Some(Ok(room))
        }
        Event::Refused(error) => Some(Err(anyhow!("refused: {}", error.message))),
        Event::Left { reason, .. } => Some(Err(anyhow!("the membership ended: {reason:?}"))),
        _ => None,
    }
}

/// The 32 bytes of a certificate's SHA-256 in hex.
fn hash(hex: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let digits = hex.as_bytes();
    if digits.len() != 2 * hash.len() || !hex.is_ascii() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::entrance::Entrance;

    /// Also of those on sockets of their own, as they are members like all others.
    #[tokio::test]
    async fn reliable_motion_is_asked_for_by_every_member() {
        let url = "https://127.0.0.1:1".to_owned();
        let transport = Transport::Quic;
        let target = Target { url, transport, cert_sha256: None, server_pid: None };
        for reliable in [true, false] {
            let entrance = Entrance::open(&target, 3, 1).unwrap().with_motion(reliable);
            let Entrance::Hither { network, stalling: Some((2, aside)) } = entrance else {
                panic!("the last of three can stall");
            };
            let asked = [&network, &*aside].map(|network| network.hello.reliable_motion);
            assert_eq!(asked, [reliable; 2]);
        }
    }

    #[test]
    fn a_hash_is_64_hex_digits() {
        assert_eq!(hash(&"0fA0".repeat(16)).unwrap()[..3], [0x0f, 0xa0, 0x0f]);
        for wrong in ["", "00", &"0g".repeat(32), &"é".repeat(32), &"00".repeat(33)] {
            assert_eq!(hash(wrong), None, "{wrong}");
        }
    }
}
