//! The baseline: Hither's motion job done by hand over plain-text WebSocket in the fewest lines. It
//! stands apart from the server, and shares nothing with it, so that anyone can read it in five
//! minutes and trust the comparison.
//!
//! The path of the URL is the room. The server's first message is the member's id (u16); after it
//! every message down is a run of 8-byte records, little endian: id, x, y, sender's clock in ms
//! (u16 each). A member sends the last three (6 bytes) whenever it moved. Once a tick all members
//! that moved go out in one frame, built once and shared. A reader whose last frame is still unsent
//! skips the tick, and gets the whole room when it can take a frame again: at most one frame waits.

use std::{
    cell::RefCell, collections::HashMap, future::poll_fn, net::SocketAddr, rc::Rc, task::Context,
    task::Poll, task::Waker, time::Duration,
};

use bytes::Bytes;
use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{spawn_local, unconstrained};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_tungstenite::tungstenite::{
    Error, Message, handshake::server::Request, protocol::WebSocketConfig,
};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

/// A hand-written WebSocket tick server, for comparison.
#[derive(Parser)]
struct Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Ticks per second.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    hz: u32,
}

type Socket = Rc<RefCell<WebSocketStream<TcpStream>>>;
type Rooms = Rc<RefCell<HashMap<String, Rc<RefCell<Room>>>>>;

#[tokio::main(flavor = "local")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(args.listen).await?;
    println!(r#"{{"ready":true,"http":"{}"}}"#, listener.local_addr()?);
    let rooms = Rooms::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (rooms, period) = (rooms.clone(), Duration::from_secs(1) / args.hz);
                spawn_local(async move {
                    if let Err(error) = serve_member(stream, rooms, period).await {
                        eprintln!("baseline-ws: {error}");
                    }
                });
            }
            Err(error) => {
                eprintln!("baseline-ws: accept: {error}");
                sleep(Duration::from_millis(100)).await; // out of descriptors: do not spin
            }
        }
    }
}

async fn serve_member(stream: TcpStream, rooms: Rooms, period: Duration) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let mut path = String::new();
    #[expect(clippy::result_large_err, reason = "the error's type is tungstenite's")]
    let note_path = |request: &Request, response| {
        path = request.uri().path().to_owned();
        Ok(response)
    };
    let socket = accept_hdr_async_with_config(stream, note_path, Some(config())).await?;
    let socket = Rc::new(RefCell::new(socket));
    let room = Rc::clone(rooms.borrow_mut().entry(path.clone()).or_insert_with(|| {
        let room = Rc::default();
        // Unconstrained: tokio's budget of 128 operations a poll would leave every member after the
        // 127th behind.
        spawn_local(unconstrained(run_ticks(Rc::clone(&room), path, rooms.clone(), period)));
        room
    }));
    let Some(id) = room.borrow_mut().enter(&socket) else { return Ok(()) };
    let next = || poll_fn(|cx| socket.borrow_mut().poll_next_unpin(cx));
    while let Some(Ok(message)) = next().await {
        room.borrow_mut().moved(id, &message.into_data());
    }
    room.borrow_mut().leave(id);
    Ok(())
}

async fn run_ticks(room: Rc<RefCell<Room>>, path: String, rooms: Rooms, period: Duration) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        room.borrow_mut().tick();
        if room.borrow().slots.iter().all(|slot| slot.member.is_none()) {
            rooms.borrow_mut().remove(&path);
            return;
        }
    }
}

#[derive(Default)]
struct Room {
    slots: Vec<Slot>,
    moved: Vec<u16>,
}

struct Slot {
    record: [u8; 8],
    moved: bool,
    member: Option<Member>,
}

struct Member {
    socket: Socket,
    behind: bool,
}

impl Room {
    /// Takes the first free slot; None when 65,536 are taken. The newcomer is behind, so its first
    /// frame is the whole room.
    fn enter(&mut self, socket: &Socket) -> Option<u16> {
        let free = self.slots.iter().position(|slot| slot.member.is_none());
        let index = free.unwrap_or(self.slots.len());
        let id = u16::try_from(index).ok()?;
        if free.is_none() {
            self.slots.push(Slot { record: gone(id), moved: false, member: None });
        }
        let mut member = Member { socket: Rc::clone(socket), behind: false };
        member.send(Bytes::copy_from_slice(&id.to_le_bytes()));
        self.slots[index].member = Some(Member { behind: true, ..member });
        Some(id)
    }

    fn leave(&mut self, id: u16) {
        self.slots[usize::from(id)].member = None;
        self.moved(id, &gone(id)[2..]);
    }

    /// Newest wins. Anything but six bytes is ignored.
    fn moved(&mut self, id: u16, sample: &[u8]) {
        let slot = &mut self.slots[usize::from(id)];
        if sample.len() == 6 {
            slot.record[2..].copy_from_slice(sample);
            if !std::mem::replace(&mut slot.moved, true) {
                self.moved.push(id);
            }
        }
    }

    fn tick(&mut self) {
        let mut moved = Vec::with_capacity(8 * self.moved.len());
        for id in self.moved.drain(..) {
            let slot = &mut self.slots[usize::from(id)];
            slot.moved = false;
            moved.extend_from_slice(&slot.record);
        }
        let moved = Bytes::from(moved);
        let whole = self.slots.iter().any(|s| s.member.as_ref().is_some_and(|m| m.behind));
        let whole: Bytes =
            self.slots.iter().filter(|_| whole).flat_map(|slot| slot.record).collect();
        for member in self.slots.iter_mut().filter_map(|slot| slot.member.as_mut()) {
            if member.behind {
                member.send(whole.clone());
            } else if !moved.is_empty() {
                member.send(moved.clone());
            }
        }
    }
}

impl Member {
    /// Writes the frame straight to the socket, or leaves the member behind when its last frame is
    /// not out yet.
    fn send(&mut self, frame: Bytes) {
        let mut socket = self.socket.borrow_mut();
        let ready = socket.poll_ready_unpin(&mut Context::from_waker(Waker::noop()));
        self.behind = match ready {
            Poll::Ready(Ok(())) => socket.start_send_unpin(Message::Binary(frame)).is_err(),
            Poll::Ready(Err(_)) | Poll::Pending => true,
        };
    }
}

/// The record of a slot that nobody moves in: both coordinates at their end.
fn gone(id: u16) -> [u8; 8] {
    let [low, high] = id.to_le_bytes();
    [low, high, 0xff, 0xff, 0xff, 0xff, 0, 0]
}

/// Small reads, small messages in, and every message down written at once.
fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_message_size(Some(64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpSocket;
    use tokio_tungstenite::tungstenite::protocol::Role;

    type Client = WebSocketStream<TcpStream>;

    /// Its sockets' buffers are the least that there are: one that does not read has them full after
    /// some frames. Great ones take megabytes, and some kernels many seconds to fill.
    async fn enter(room: &mut Room) -> (u16, Client) {
        let [near, far] = [(); 2].map(|()| TcpSocket::new_v4().unwrap());
        near.set_recv_buffer_size(1).unwrap();
        far.set_send_buffer_size(1).unwrap();
        far.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = far.listen(1).unwrap();
        let near = near.connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        let far = WebSocketStream::from_raw_socket(far, Role::Server, Some(config())).await;
        let mut client = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
        let id = room.enter(&Rc::new(RefCell::new(far))).unwrap();
        assert_eq!(next(&mut client).await, id.to_le_bytes());
        (id, client)
    }

    async fn next(client: &mut Client) -> Vec<u8> {
        let message = tokio::time::timeout(Duration::from_secs(10), client.next()).await;
        message.expect("a message in time").unwrap().unwrap().into_data().to_vec()
    }

    fn record(id: u8, x: u8) -> [u8; 8] {
        [id, 0, x, 0, 0, 0, 0, 0]
    }

    #[tokio::test]
    async fn all_get_what_moved_and_a_newcomer_gets_the_whole_room() {
        let mut room = Room::default();
        let (_, mut a) = enter(&mut room).await;
        room.tick();
        assert_eq!(next(&mut a).await, gone(0), "the whole room");
        room.moved(0, &record(0, 7)[2..]);
        room.moved(0, &record(0, 8)[2..]);
        let (_, mut b) = enter(&mut room).await;
        room.tick();
        assert_eq!(next(&mut a).await, record(0, 8), "newest wins");
        assert_eq!(next(&mut b).await, [record(0, 8), gone(1)].concat());

        room.moved(1, &record(1, 9)[2..]);
        room.moved(1, b"garbage");
        room.tick();
        assert_eq!(
            (next(&mut a).await, next(&mut b).await),
            (record(1, 9).into(), record(1, 9).into())
        );
        room.leave(1);
        room.tick();
        room.moved(0, &record(0, 10)[2..]);
        room.tick();
        assert_eq!(next(&mut a).await, gone(1));
        assert_eq!(next(&mut a).await, record(0, 10), "a tick in which nothing moves is silent");
        assert_eq!(enter(&mut room).await.0, 1, "a free slot is used again");
    }

    #[tokio::test]
    async fn a_slow_reader_stalls_nobody_and_catches_up() {
        let mut room = Room::default();
        let (_, mut slow) = enter(&mut room).await;
        let (_, mut quick) = enter(&mut room).await;
        room.tick();
        next(&mut quick).await;
        let behind = |room: &Room| room.slots[0].member.as_ref().unwrap().behind;
        let mut ticks = 0_u32;
        while !behind(&room) {
            room.moved(1, &record(1, ticks as u8)[2..]);
            room.tick();
            assert_eq!(next(&mut quick).await, record(1, ticks as u8));
            ticks += 1;
            assert!(ticks < 1_000_000, "the slow reader's buffers have an end");
        }
        room.moved(1, &record(1, 99)[2..]);
        room.tick();
        assert_eq!(next(&mut quick).await, record(1, 99), "others go on");

        let whole = [gone(0), record(1, 99)].concat();
        while behind(&room) {
            next(&mut slow).await;
            room.tick();
        }
        while next(&mut slow).await != whole {}
    }
}
