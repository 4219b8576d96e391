//! A room's document as an async program edits it. Apart from the rest of a room, since edits alone are waited for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use hither_protocol::RoomHandle;
use hither_protocol::message::edits::{Ack, Edit, Op, Reject};
use hither_protocol::session::Resolve;
use tokio::sync::oneshot;

use crate::client::Connection;
use crate::outgoing::{Refused, SendError, check_edit};
use crate::room::Room;

impl Room {
    /// Opens the room's document; [`Event::DocumentLoaded`](crate::Event::DocumentLoaded) comes when its records can be
    /// [read](Self::read). Nothing happens if it is open.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn open_document(&self) -> Result<(), SendError> {
        self.connection.open_document(self.room)
    }

    /// Submits an edit of at most 64 operations and 60 KiB, which is applied whole or not at all. The records show it
    /// at once, until it is rejected; await what this returns to know that it is durable. Opens the document if it is
    /// not.
    ///
    /// Without a connection edits wait for one, and while 64 of the room are unanswered for their answers. Each has its
    /// effect once, over reconnects and restarts of the server.
    pub fn submit(&self, ops: Vec<Op>) -> Submitted {
        Submitted(self.connection.submit(self.room, ops))
    }

    /// Looks up the edits of the room before a place, or the latest, `limit` at most and 100, in their order. Fewer
    /// come where the answer would be too large, and none where the server keeps no more: ask with the place of the
    /// first until then.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub async fn history(
        &self,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Edit>, HistoryError> {
        let Connection { mailbox, .. } = &*self.connection;
        let asked = self.connection.act(self.room, |session| {
            let request = session.history(self.room, before, limit)?;
            Some(mailbox.expect_history(self.room, request))
        })?;
        let history = asked.ok_or(SendError::Closed)?.await.map_err(|_| SendError::Closed)?;
        match history.refused {
            None => Ok(history.edits),
            Some(code) => {
                let retry_after_ms = history.retry_after_ms;
                let reject = Reject::new(0, code.into(), "the history can't be had".to_owned());
                Err(HistoryError::Refused(Reject { retry_after_ms, ..reject }.into()))
            }
        }
    }

    /// Takes back the last group of own edits, or the last edit; false if there is nothing to take back. What was put
    /// is as it was before, whoever has changed it since. [`Event::EditRejected`](crate::Event::EditRejected) says if
    /// that is refused.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn undo(&self) -> Result<bool, SendError> {
        self.connection.act(self.room, |session| session.undo(self.room).is_some())
    }

    /// Does again what was taken back last, as long as nothing else was done since; as [`Self::undo`].
    ///
    /// # Errors
    /// [`SendError`].
    pub fn redo(&self) -> Result<bool, SendError> {
        self.connection.act(self.room, |session| session.redo(self.room).is_some())
    }

    /// From now on edits are undone together, until [`Self::end_group`] was called as often: for a drag, say.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn begin_group(&self) -> Result<(), SendError> {
        self.connection.act(self.room, |session| session.begin_group(self.room))
    }

    /// Ends what [`Self::begin_group`] began.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn end_group(&self) -> Result<(), SendError> {
        self.connection.act(self.room, |session| session.end_group(self.room))
    }

    /// Has `resolve` decide between one's own value of a field that waits to be sent and another's that has come; it is
    /// given the record, the field, one's own value and the other, nil for none. Without one, one's own is sent and,
    /// being the later one, stays. It must not call anything of this client.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn set_resolver(&self, resolve: Option<Box<Resolve>>) -> Result<(), SendError> {
        self.connection.act(self.room, |session| session.set_resolver(self.room, resolve))
    }
}

/// An edit on its way: a future of its answer. If it is dropped the edit has its effect all the same.
#[must_use = "an edit may be rejected"]
pub struct Submitted(Result<Sent, SendError>);

/// The number of an edit, and who hears of its answer.
pub(crate) type Sent = (u64, oneshot::Receiver<Result<Ack, Reject>>);

impl Submitted {
    /// Its number, which events and other members' edits repeat; none if it was not taken.
    pub fn number(&self) -> Option<u64> {
        self.0.as_ref().ok().map(|(number, _)| *number)
    }
}

impl Future for Submitted {
    type Output = Result<Ack, SubmitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match &mut self.0 {
            Ok((_, answer)) => Pin::new(answer),
            Err(error) => return Poll::Ready(Err((*error).into())),
        };
        answer.poll(cx).map(|answer| match answer {
            Ok(Ok(ack)) => Ok(ack),
            Ok(Err(reject)) => Err(SubmitError::Rejected(reject.into())),
            Err(_) => Err(SubmitError::Unanswered),
        })
    }
}

impl fmt::Debug for Submitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitted").field("number", &self.number()).finish_non_exhaustive()
    }
}

/// Why an edit was not acked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The server said no: the edit has no effect, and never will.
    #[error(transparent)]
    Rejected(Refused),
    /// It was not sent, and has no effect.
    #[error(transparent)]
    NotSent(#[from] SendError),
    /// The room was left before the answer, or the connection ended for good; or it was gone for so long that no server
    /// knows the edit. If it was sent, it may have its effect or not.
    #[error("the edit was not answered")]
    Unanswered,
}

/// Why there is no history.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The server can't look now, or was asked too often, or the connection was lost.
    #[error(transparent)]
    Refused(Refused),
    /// It was not asked.
    #[error(transparent)]
    NotAsked(#[from] SendError),
}

impl Connection {
    pub(crate) fn open_document(&self, room: RoomHandle) -> Result<(), SendError> {
        self.act(room, |session| session.open_document(room))
    }

    fn submit(&self, room: RoomHandle, ops: Vec<Op>) -> Result<Sent, SendError> {
        check_edit(&ops)?;
        self.mailbox.check_submits()?;
        let sent = self.act(room, |session| {
            let number = session.submit(room, ops)?;
            Some((number, self.mailbox.expect_answer(room, number)))
        })?;
        sent.ok_or(SendError::NotInRoom)
    }
}
