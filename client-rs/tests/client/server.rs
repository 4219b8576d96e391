//! The scripted server: one connection's other end, which says only what a test tells it to.

use std::time::Duration;

use hither_client::{Client, Link, Map, Member, Room, RoomHandle, Slot, User};
use hither_protocol::message::FrameBuffer;
use hither_protocol::message::Rights;
use hither_protocol::message::control::{
    Diff, Hello, Join, Joined, MotionFormat, Roster, ToClient, ToServer, Welcome,
};
use hither_protocol::message::edits::{EditsToClient, EditsToServer};
use hither_protocol::motion::frame::{FrameHeader, FrameWriter, PartHeader};
use hither_protocol::motion::upward::{self, Upward};
use hither_protocol::motion::{Axes, Change, Entry, Place, Position};
use hither_protocol::varint::Reader;
use hither_protocol::{Epoch, Tick};
use hither_transport::{RecvStream, SendStream, memory};

pub(crate) const ROOM: RoomHandle = RoomHandle(7);
/// The client's own slot in every room.
pub(crate) const OWN: Slot = Slot(1);
pub(crate) const OTHER: Slot = Slot(2);

pub(crate) struct Server {
    pub(crate) link: Link,
    pub(crate) control: Lane,
}

/// A stream as the server has it, cut into messages.
pub(crate) struct Lane {
    pub(crate) send: SendStream,
    pub(crate) recv: RecvStream,
    buffer: FrameBuffer,
}

/// Every wait of a test: in paused time a hang fails at once.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it never came")
}

/// A client that has been welcomed, and its server.
pub(crate) async fn connected() -> (Client, Server) {
    let (here, there) = memory::pair();
    let (client, server) = tokio::join!(
        Client::builder("memory").name("Ada").connect_over(here),
        Server::welcoming(there)
    );
    (client.unwrap(), server)
}

/// A client in a room with one other member.
pub(crate) async fn entered() -> (Client, Room, Server) {
    let (client, mut server) = connected().await;
    let (room, ()) = tokio::join!(client.enter("default:lobby", Map::new()), async {
        server.admit(ROOM).await;
    });
    (client, room.unwrap(), server)
}

impl Server {
    pub(crate) async fn accept(link: Link) -> (Self, Hello) {
        let control = Lane::accept(&link).await;
        let mut server = Self { link, control };
        match server.next().await {
            ToServer::Hello(hello) => (server, hello),
            other => panic!("not a hello: {other:?}"),
        }
    }

    pub(crate) async fn welcoming(link: Link) -> Self {
        let (mut server, hello) = Self::accept(link).await;
        let user = User { id: "u1".into(), name: hello.name };
        server
            .send(ToClient::Welcome(Welcome { version: 1, user, time_ms: 5, ..Welcome::default() }))
            .await;
        server
    }

    pub(crate) async fn next(&mut self) -> ToServer {
        let message = soon(self.control.next()).await.expect("the control lane ended");
        ToServer::decode(&message).unwrap().unwrap()
    }

    pub(crate) async fn send(&mut self, message: ToClient) {
        self.control.send.write_chunk(message.encode()).await.unwrap();
    }

    pub(crate) async fn next_join(&mut self) -> Join {
        match self.next().await {
            ToServer::Join(join) => join,
            other => panic!("not a join: {other:?}"),
        }
    }

    /// Answers a join: the client's slot is [`OWN`], and [`OTHER`] is there already, on a page of its own.
    pub(crate) async fn admit(&mut self, room: RoomHandle) -> Join {
        let join = self.next_join().await;
        self.admit_as(join.request, room, false).await;
        join
    }

    /// The same for a join that was read already; `resumed`: the member was lost, and is taken back.
    pub(crate) async fn admit_as(&mut self, request: u32, room: RoomHandle, resumed: bool) {
        let joined = Joined {
            request,
            room,
            epoch: Epoch(9),
            slot: OWN,
            tick: Tick(100),
            rights: Rights::ALL,
            resumed,
            ..Joined::default()
        };
        self.send(ToClient::Joined(joined)).await;
        for (member, more) in [(member(OWN), true), (member(OTHER), false)] {
            let page = Roster { room, tick: Tick(100), members: vec![member], more };
            self.send(ToClient::Roster(page)).await;
        }
    }

    pub(crate) async fn diff(&mut self, diff: Diff) {
        self.send(ToClient::Diff(diff)).await;
    }

    /// Sends a frame with one part, in which these slots are where they are.
    pub(crate) fn frame(&self, room: RoomHandle, tick: u32, positions: &[(Slot, Position)]) {
        let header = FrameHeader { room, epoch_check: 9, tick: Tick(tick) };
        let mut frame = FrameWriter::new(vec![0], &header);
        let entry = |&(slot, position): &(Slot, Position)| Entry {
            offset: slot.0 as u8,
            change: Change::Appeared(Place { generation: 0, position }),
        };
        let entries: Vec<Entry> = positions.iter().map(entry).collect();
        let part = PartHeader { index: 0, baseline: None, reference: None };
        assert!(frame.put_part(&MotionFormat::default().format(), part, &[], &entries));
        self.link.send_datagram(frame.finish().into()).unwrap();
    }

    /// The records of the next datagram.
    pub(crate) async fn next_datagram(&self) -> Vec<Upward> {
        let datagram = soon(self.link.recv_datagram()).await.unwrap();
        let mut reader = Reader::new(&datagram);
        let mut records = Vec::new();
        while let Some(record) = upward::read(&mut reader, |_| Some(Axes::TWO)).unwrap() {
            records.push(record);
        }
        records
    }
}

impl Lane {
    pub(crate) async fn accept(link: &Link) -> Self {
        let (send, recv) = soon(link.accept_stream()).await.unwrap();
        Self { send, recv, buffer: FrameBuffer::default() }
    }

    /// `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<bytes::Bytes> {
        loop {
            if let Some(message) = self.buffer.pop().unwrap() {
                return Some(message);
            }
            let chunk = self.recv.read_chunk(1000).await.ok()??;
            self.buffer.push(&chunk);
        }
    }

    pub(crate) async fn next_edits(&mut self) -> EditsToServer {
        let message = soon(self.next()).await.expect("the edits lane ended");
        EditsToServer::decode(&message).unwrap().unwrap()
    }

    pub(crate) async fn send_edits(&mut self, message: EditsToClient) {
        self.send.write_chunk(message.encode()).await.unwrap();
    }
}

pub(crate) fn member(slot: Slot) -> Member {
    let user = User { id: format!("u{slot}"), name: None };
    Member { slot, user, ..Member::default() }
}
