//! The async client: one connection, from which rooms are entered.

use std::sync::Arc;

use hither_protocol::message::Map;
use hither_protocol::message::control::{Status, User};
use hither_protocol::reconnect::Status as ConnectionStatus;
use hither_protocol::{RoomHandle, RoomName};
use hither_transport::Link;
use tokio::sync::oneshot;

use crate::closed::Closed;
use crate::connect::ConnectOptions;
use crate::driver::Handle;
use crate::keeper::Life;
use crate::mailbox::Mailbox;
use crate::outgoing::{Refused, SendError, check_presence};
use crate::polled::Polled;
use crate::room::Room;

/// A client of a server, after its first welcome. Clones are cheap and share it.
///
/// A connection that is lost is made again: [`Self::status`] says how that stands. Rooms stay entered, and what is done
/// in them meanwhile is sent after: presence, viewport and position as they are then, events and edits up to 256 KiB.
/// [`Event::Entered`](crate::Event::Entered) comes again for each room, with what became of it, or
/// [`Event::Left`](crate::Event::Left).
///
/// It ends when the last clone and the last [`Room`] are dropped; [`Self::close`] also waits until the server knows.
#[derive(Clone, Debug)]
pub struct Client(Arc<Connection>);

/// What clients and rooms hold together. The connection closes when it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) handle: Handle,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) life: Arc<Life>,
}

impl Client {
    /// What is needed to connect to `https://host[:port]`, or over WebSocket to `wss://` or `ws://`; go on with
    /// [`ConnectOptions::connect`].
    pub fn builder(url: impl Into<String>) -> ConnectOptions {
        ConnectOptions::new(url)
    }

    pub(crate) fn new(handle: Handle, mailbox: Arc<Mailbox>, life: Arc<Life>) -> Self {
        Self(Arc::new(Connection { handle, mailbox, life }))
    }

    /// Enters `namespace:name` with a first presence of at most 4 KiB, and returns once its roster is whole. At most 16
    /// rooms at a time. Cancel safe: a room whose future is dropped is left again.
    ///
    /// # Errors
    /// [`EnterError`].
    pub async fn enter(&self, room: &str, presence: Map) -> Result<Room, EnterError> {
        let name: RoomName = room.parse()?;
        check_presence(&presence)?;
        let Connection { handle, mailbox, .. } = &*self.0;
        self.0.check()?;
        let (request, answer) = handle.with(|session, _now| {
            let request = session.enter(name, presence, None);
            (request, mailbox.expect_entry(request))
        });
        let mut entering = Entering { connection: &self.0, request, answer };
        match (&mut entering.answer).await {
            Ok(Ok(room)) => Ok(Room::new(Arc::clone(&self.0), room, request)),
            Ok(Err(error)) => Err(EnterError::Refused(error.into())),
            Err(_) => Err(EnterError::Closed(self.closed().await)),
        }
    }

    /// Says to all rooms whether the user is there: `Active` or `Away`. While away, no motion comes.
    ///
    /// # Errors
    /// [`SendError::Closed`] and [`SendError::Backlogged`].
    pub fn set_status(&self, status: Status) -> Result<(), SendError> {
        self.0.set_status(status)
    }

    /// The user that the server made of the token, or of an anonymous hello.
    pub fn user(&self) -> User {
        // The welcome has set it before there is a client.
        self.0.handle.with(|session, _now| session.user().cloned()).unwrap_or_default()
    }

    /// The link under the newest connection, for its round trip and its counters.
    pub fn link(&self) -> Link {
        self.0.handle.link()
    }

    /// How it stands with the connection.
    pub fn status(&self) -> ConnectionStatus {
        self.0.life.status()
    }

    /// Waits until the status is another one than `status`, and returns that. Cancel safe.
    pub async fn status_after(&self, status: ConnectionStatus) -> ConnectionStatus {
        self.0.life.status_after(status).await
    }

    /// Waits for the end for good, and says why it came: the application wanted it, or the server does. What the first
    /// end of a connection says is this only where it is not [made again](ConnectOptions::reconnect).
    pub async fn closed(&self) -> Closed {
        self.0.life.ended().await
    }

    /// Leaves every room, says bye, and returns when the connection is closed, after a second at most.
    pub async fn close(self) -> Closed {
        self.0.close();
        self.closed().await
    }

    /// The same connection for a program that never waits. It goes on running on the runtime that it was made on,
    /// which must have a thread of its own; [`Polled::connect`] brings one. Rooms that were entered before stay with
    /// their [`Room`] handles.
    pub fn into_polled(self) -> Polled {
        Polled::new(self)
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.0
    }
}

/// Why a room was not entered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EnterError {
    /// The caller's fault: not the name of a room.
    #[error(transparent)]
    Name(#[from] hither_protocol::ids::RoomNameError),
    /// It was not asked for.
    #[error(transparent)]
    NotSent(#[from] SendError),
    /// The server said no: the room is full or unknown, or the token gives no right to join it.
    #[error(transparent)]
    Refused(Refused),
    /// The connection ended before the answer.
    #[error(transparent)]
    Closed(Closed),
}

impl Connection {
    /// Whether something may be sent on a stream now.
    pub(crate) fn check(&self) -> Result<(), SendError> {
        if self.life.ended_now().is_some() {
            Err(SendError::Closed)
        } else if self.handle.is_backlogged() {
            Err(SendError::Backlogged)
        } else {
            Ok(())
        }
    }

    /// Ends the client: a bye, if there is somebody to say it to.
    pub(crate) fn close(&self) {
        self.life.close(&self.handle);
    }

    pub(crate) fn leave(&self, room: RoomHandle) {
        self.handle.with(|session, _now| {
            session.leave(room);
            self.mailbox.drain(session);
        });
    }

    pub(crate) fn set_status(&self, status: Status) -> Result<(), SendError> {
        self.check()?;
        self.handle.with(|session, _now| session.set_status(status));
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

/// An entry that was asked for. Dropped with an answer that nobody took, it leaves the room again.
struct Entering<'a> {
    connection: &'a Connection,
    request: u32,
    answer: oneshot::Receiver<Result<RoomHandle, hither_protocol::message::control::ErrorMessage>>,
}

impl Drop for Entering<'_> {
    fn drop(&mut self) {
        self.answer.close();
        if let Ok(Ok(room)) = self.answer.try_recv() {
            self.connection.mailbox.release(room, self.request);
            self.connection.leave(room);
        }
    }
}
