//! Members of `baseline-ws`: plain-text WebSocket with 8-byte records. It stands apart as one
//! transport among others; what the messages mean is said where the server is.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hither_client::Viewport;
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio_tungstenite::tungstenite::{Message, protocol::WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::entrance::Traffic;
use super::inbox::Inbox;
use super::target::Target;
use crate::process::tcp_traffic;

/// A member in its room.
pub(super) struct Member {
    socket: Socket,
    received: Rc<Cell<u64>>,
    sent: u64,
}

type Socket = Rc<RefCell<WebSocketStream<TcpStream>>>;

/// Connects to `room` and waits for the member's id. Errors are the server's or the network's.
pub(super) async fn join(target: &Target, room: &str, mut inbox: Inbox) -> Result<Member> {
    let stream = TcpStream::connect(target.authority()).await.context("connect")?;
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(16 * 1024).write_buffer_size(0);
    let url = format!("ws://{}/{room}", target.authority());
    let (mut socket, _) = client_async_with_config(url, stream, Some(config)).await?;
    let welcome = socket.next().await.context("closed before the welcome")??;
    let Ok(id) = <[u8; 2]>::try_from(welcome.into_data().as_ref()) else {
        bail!("the first message is no member id");
    };
    inbox.set_slot(u16::from_le_bytes(id));
    let socket = Rc::new(RefCell::new(socket));
    let received = Rc::new(Cell::new(0));
    spawn_local(receive(Rc::clone(&socket), inbox, Rc::clone(&received)));
    Ok(Member { socket, received, sent: 0 })
}

impl super::entrance::Member for Member {
    fn send(&mut self, (x, y): (i32, i32), t_ms: u64) {
        // The mice stay within u16, and the clock is meant to wrap.
        let fields = [x as u16, y as u16, t_ms as u16];
        let sample: Bytes = fields.into_iter().flat_map(u16::to_le_bytes).collect();
        let mut socket = self.socket.borrow_mut();
        let ready = socket.poll_ready_unpin(&mut TaskContext::from_waker(Waker::noop()));
        if let Poll::Ready(Ok(())) = ready {
            // An error ends the receiving side as well, which reports it.
            let _ = socket.start_send_unpin(Message::Binary(sample));
            self.sent += 1;
        }
    }

    /// It has no viewports, and no run asks for any.
    fn look(&mut self, _viewport: Viewport) {}

    fn traffic(&self) -> Traffic {
        let socket = self.socket.borrow();
        // Fails only for a socket that is no TCP socket.
        let tcp = tcp_traffic(socket.get_ref().as_fd()).unwrap_or_default();
        Traffic {
            datagrams_down: self.received.get(),
            datagrams_up: self.sent,
            packets_down: tcp.segments_in,
            packets_up: tcp.segments_out,
            bytes_down: tcp.bytes_in,
        }
    }
}

async fn receive(socket: Socket, inbox: Inbox, received: Rc<Cell<u64>>) {
    loop {
        match poll_fn(|cx| socket.borrow_mut().poll_next_unpin(cx)).await {
            Some(Ok(message)) => {
                received.set(received.get() + 1);
                inbox.show(records(&message.into_data()));
            }
            Some(Err(error)) => return inbox.report_lost(&error),
            None => return inbox.report_lost(&"closed by the server"),
        }
    }
}

/// The slots and positions of a frame; 0xffff twice is a slot that nobody moves in.
fn records(frame: &[u8]) -> impl Iterator<Item = (u16, Option<(i32, i32)>)> {
    let (records, _) = frame.as_chunks::<8>();
    records.iter().filter_map(|record| {
        let [id, x, y] = [0, 2, 4].map(|at| u16::from_le_bytes([record[at], record[at + 1]]));
        (x != 0xffff || y != 0xffff).then_some((id, Some((i32::from(x), i32::from(y)))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_records_and_those_of_empty_slots_are_left_out() {
        let frame = [[1, 0, 2, 1, 3, 0, 9, 9], [2, 0, 255, 255, 255, 255, 0, 0]].concat();
        assert_eq!(records(&frame).collect::<Vec<_>>(), [(1, Some((258, 3)))]);
    }
}
