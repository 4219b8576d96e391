//! How members come in, whatever carries them, and what the run asks of them then. It stands apart from the runs, so
//! that the idle one and the moving one let their members in by the same door.

use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use hither_client::Viewport;

use super::inbox::World;
use super::target::{Target, Transport};
use super::{baseline_ws, hither};
use crate::layout::Layout;

/// One member as its transport sees it. Receiving runs in the transport's own task and goes to the
/// member's [`Inbox`](super::inbox::Inbox).
pub(super) trait Member {
    /// Sends where the mouse now is; `t_ms` is the time of the look since the run's start. Never
    /// waits: when nothing can be sent now, a newer position replaces this one or it is dropped.
    fn send(&mut self, position: (i32, i32), t_ms: u64);

    /// From now on it wants to be shown only who is in this rectangle.
    fn look(&mut self, viewport: Viewport);

    /// What has passed since it joined.
    fn traffic(&self) -> Traffic;
}

/// Counts since a member joined.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traffic {
    /// Datagrams of motion, or messages, received.
    pub(super) datagrams_down: u64,
    /// Datagrams of motion, or messages, sent.
    pub(super) datagrams_up: u64,
    /// UDP packets, or TCP segments, received.
    pub(super) packets_down: u64,
    /// UDP packets, or TCP segments, sent.
    pub(super) packets_up: u64,
    /// Bytes received, with the headers of IP and UDP or TCP.
    pub(super) bytes_down: u64,
}

impl Traffic {
    /// Of all members together.
    pub(super) fn of(members: &[Box<dyn Member>]) -> Self {
        members.iter().map(|member| member.traffic()).fold(Self::default(), |a, b| Self {
            datagrams_down: a.datagrams_down + b.datagrams_down,
            datagrams_up: a.datagrams_up + b.datagrams_up,
            packets_down: a.packets_down + b.packets_down,
            packets_up: a.packets_up + b.packets_up,
            bytes_down: a.bytes_down + b.bytes_down,
        })
    }
}

/// How many join at the same time: servers bound the handshakes pending for one address.
const JOINING_MAX: usize = 16;

/// The way in, and what members share on it.
pub(super) enum Entrance {
    Hither {
        network: hither::Network,
        /// The last so many members are on sockets that can be left unread.
        stalling: Option<(usize, Box<hither::Network>)>,
    },
    Baseline(Target),
}

impl Entrance {
    /// For `members` members, the last `stalled` of which can stall. Errors: a hash that is none, or this machine's.
    pub(super) fn open(target: &Target, members: usize, stalled: usize) -> Result<Self> {
        if target.transport == Transport::BaselineWs {
            return Ok(Self::Baseline(target.clone()));
        }
        let network = hither::Network::bind(target, members - stalled)?;
        let stalling = match stalled {
            0 => None,
            _ => Some((members - stalled, Box::new(hither::Network::bind_aside(target, stalled)?))),
        };
        Ok(Self::Hither { network, stalling })
    }

    /// The same, for members whose motion goes over the control lane if `reliable`.
    pub(super) fn with_motion(self, reliable: bool) -> Self {
        let Self::Hither { network, stalling } = self else { return self };
        let network = network.with_motion(reliable);
        let stalling =
            stalling.map(|(first, aside)| (first, Box::new(aside.with_motion(reliable))));
        Self::Hither { network, stalling }
    }

    /// Connects all members of `layout`, each in its room, and waits until each is in and knows its slot. Errors are
    /// the server's or the network's.
    pub(super) async fn join_all(
        &self,
        layout: &Layout,
        room_name: impl Fn(usize) -> String,
        world: &World,
    ) -> Result<Vec<Box<dyn Member>>> {
        let joins = (0..layout.members()).map(|index| {
            let room = room_name(layout.room_of(index));
            async move {
                let joined = self.join(index, &room, world).await;
                joined.with_context(|| format!("member {index}"))
            }
        });
        stream::iter(joins).buffered(JOINING_MAX).try_collect().await
    }

    async fn join(&self, index: usize, room: &str, world: &World) -> Result<Box<dyn Member>> {
        let inbox = world.inbox(index);
        match self {
            Self::Baseline(target) => Ok(Box::new(baseline_ws::join(target, room, inbox).await?)),
            Self::Hither { stalling: Some((first, network)), .. } if index >= *first => {
                Ok(Box::new(network.join(index - first, room, inbox).await?))
            }
            Self::Hither { network, .. } => Ok(Box::new(network.join(index, room, inbox).await?)),
        }
    }

    /// Lets those who can stall stop reading for `duration`, from now on; returns at once.
    pub(super) fn stall(&self, duration: Duration) {
        if let Self::Hither { stalling: Some((_, network)), .. } = self {
            network.stall(duration);
        }
    }

    /// Waits until the server knows that everybody has left, so that a run leaves nothing to the next.
    pub(super) async fn wait_idle(&self) {
        if let Self::Hither { network, stalling } = self {
            network.wait_idle().await;
            if let Some((_, network)) = stalling {
                network.wait_idle().await;
            }
        }
    }
}
