//! A client without a session of its own: it says exactly what a test tells it to, right or wrong.

use bytes::Bytes;
use hither_client::{CloseCode, Link, Map, RoomHandle};
use hither_protocol::Slot;
use hither_protocol::message::FrameBuffer;
use hither_protocol::message::control::{
    Bye, Hello, Join, Joined, Ping, Roster, Seen, ToClient, ToServer, Welcome,
};
use hither_protocol::message::edits::{EditsToClient, EditsToServer, Op, Open, Place, Submit};
use hither_protocol::motion::upward::Sample;
use hither_protocol::motion::{Axes, Position};
use hither_transport::{Closed, RecvStream, SendStream};

use super::soon;

/// One connection with its control lane.
pub(crate) struct Raw {
    pub(crate) link: Link,
    pub(crate) control: Lane,
    requests: u32,
}

/// A stream, cut into messages.
pub(crate) struct Lane {
    pub(crate) send: SendStream,
    pub(crate) recv: RecvStream,
    buffer: FrameBuffer,
}

impl Raw {
    pub(crate) async fn open(link: Link) -> Self {
        let control = Lane::open(&link).await;
        Self { link, control, requests: 0 }
    }

    /// Says hello, and returns the welcome.
    pub(crate) async fn hello(&mut self, token: Option<String>) -> Welcome {
        self.hello_with(Hello { token, ..Hello::default() }).await
    }

    /// Says hello with a resume token, and returns the welcome.
    pub(crate) async fn resume(&mut self, resume_token: &Option<String>) -> Welcome {
        let resume_token = resume_token.clone();
        self.hello_with(Hello { resume_token, ..Hello::default() }).await
    }

    pub(crate) async fn hello_with(&mut self, hello: Hello) -> Welcome {
        self.say(ToServer::Hello(Hello { version: 1, ..hello })).await;
        match self.next().await {
            Some(ToClient::Welcome(welcome)) => welcome,
            other => panic!("not a welcome: {other:?}"),
        }
    }

    pub(crate) async fn say(&mut self, message: ToServer) {
        self.control.write(&message.encode()).await;
    }

    /// The next message; `None` at the end of the lane.
    pub(crate) async fn next(&mut self) -> Option<ToClient> {
        let message = soon(self.control.next()).await?;
        Some(ToClient::decode(&message).unwrap().expect("a kind of this version"))
    }

    /// The next message that `pick` takes; others before it are passed over.
    pub(crate) async fn pick<T>(&mut self, pick: impl Fn(ToClient) -> Option<T>) -> T {
        loop {
            let message = self.next().await.expect("the control lane ended");
            if let Some(picked) = pick(message) {
                return picked;
            }
        }
    }

    /// Asks to join.
    pub(crate) async fn ask_to_join(&mut self, room: &str, presence: Map, seen: Option<Seen>) {
        self.requests += 1;
        let join = Join { request: self.requests, room: room.to_owned(), presence, seen };
        self.say(ToServer::Join(join)).await;
    }

    /// Joins, and takes the whole roster.
    pub(crate) async fn join(&mut self, room: &str, seen: Option<Seen>) -> (Joined, Vec<Roster>) {
        self.ask_to_join(room, Map::new(), seen).await;
        let joined = self.pick(|message| match message {
            ToClient::Joined(joined) => Some(joined),
            ToClient::Error(error) => panic!("not joined: {error:?}"),
            _ => None,
        });
        let joined = joined.await;
        let mut pages = Vec::new();
        while pages.last().is_none_or(|page: &Roster| page.more) {
            pages.push(
                self.pick(|message| match message {
                    ToClient::Roster(page) => Some(page),
                    _ => None,
                })
                .await,
            );
        }
        (joined, pages)
    }

    /// Leaves every room, says bye, and closes once it is answered.
    pub(crate) async fn leave_all(&mut self) {
        self.say(ToServer::Bye(Bye::new(CloseCode::Done, ""))).await;
        assert_eq!(self.dismissed().await, CloseCode::Done.number());
    }

    /// Whether the connection lives: a ping comes back.
    pub(crate) async fn ping(&mut self) {
        self.say(ToServer::Ping(Ping { token: 7 })).await;
        self.pick(|message| matches!(message, ToClient::Pong(_)).then_some(())).await;
    }

    /// Waits for the server's bye.
    pub(crate) async fn bye(&mut self) -> Bye {
        let bye = self.pick(|message| match message {
            ToClient::Bye(bye) => Some(bye),
            _ => None,
        });
        bye.await
    }

    /// Waits for the server's bye, closes as it asks for, and returns its code.
    pub(crate) async fn dismissed(&mut self) -> u32 {
        let code = self.bye().await.code;
        self.link.close(code, "");
        code
    }

    /// Waits for the server's close and returns its code.
    pub(crate) async fn closed(&self) -> u64 {
        close_code(&self.link).await
    }

    /// Sends a datagram, whatever it holds.
    pub(crate) fn datagram(&self, payload: &[u8]) {
        let datagram = [&[hither_transport::RESERVED], payload].concat();
        self.link.send_datagram(datagram.into()).unwrap();
    }

    /// Sends one sample of motion.
    pub(crate) fn sample(&self, room: RoomHandle, number: u32, position: Position) {
        let mut out = Vec::new();
        Sample { room, number, position }.put(&mut out, &Axes::TWO);
        self.datagram(&out);
    }

    /// Opens the edits lane of a room.
    pub(crate) async fn open_edits(
        &self,
        room: RoomHandle,
        slot: Slot,
        after: Option<Place>,
    ) -> EditsLane {
        let mut lane = EditsLane(Lane::open(&self.link).await);
        let open = Open { room, slot, after, ..Open::default() };
        lane.say(EditsToServer::Open(open)).await;
        lane
    }
}

impl Lane {
    pub(crate) async fn open(link: &Link) -> Self {
        let (send, recv) = soon(link.open_stream()).await.unwrap();
        Self { send, recv, buffer: FrameBuffer::default() }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        soon(self.send.write_all(bytes)).await.unwrap();
    }

    /// `None` at the end of the stream, of whatever kind.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(message) = self.buffer.pop().unwrap() {
                return Some(message);
            }
            let chunk = self.recv.read_chunk(16 * 1024).await.ok()??;
            self.buffer.push(&chunk);
        }
    }
}

/// An edits lane.
pub(crate) struct EditsLane(pub(crate) Lane);

impl EditsLane {
    pub(crate) async fn say(&mut self, message: EditsToServer) {
        self.0.write(&message.encode()).await;
    }

    pub(crate) async fn submit(&mut self, number: u64, ops: Vec<Op>) {
        self.say(EditsToServer::Submit(Submit { number, ops })).await;
    }

    /// The next message; `None` at the end of the lane.
    pub(crate) async fn next(&mut self) -> Option<EditsToClient> {
        let message = soon(self.0.next()).await?;
        Some(EditsToClient::decode(&message).unwrap().expect("a kind of this version"))
    }
}

/// Waits until the other end closes, and returns its code.
pub(crate) async fn close_code(link: &Link) -> u64 {
    match soon(link.closed()).await {
        Closed::Peer { code, .. } => code,
        other => panic!("not closed by the server: {other}"),
    }
}
