//! Connections over links in memory, where a fault is needed that no client can cause.

use std::collections::BTreeMap;
use std::future::{pending, ready};
use std::net::Ipv4Addr;

use hither_core::RoomPolicy;
use hither_core::room::{LoggedEdit, SavedDocument};
use hither_protocol::message::control::{
    AskKept, EventId, Hello, Join, Joined, Kept, KeptEvent, ToClient, ToServer,
};
use hither_protocol::message::edits::{
    Edit, EditsToClient, EditsToServer, Op, OpKind, Open, Record, Submit,
};
use hither_protocol::message::{FrameBuffer, Map, Refusal};
use hither_protocol::{RoomName, VERSION};
use hither_transport::{RecvStream, SendStream, memory};
use tokio::time::{Instant, sleep};

use super::*;
use crate::event_log::{EventLog, EventLogError, Found, MemoryEventLog, Retentions};
use crate::rooms::Node;
use crate::sessions::ResumeKey;
use crate::store::{Pending as Stored, Store, StoreError};

/// Takes no edit.
#[derive(Debug)]
pub(crate) struct Full;

impl Store for Full {
    fn is_available(&self) -> bool {
        true
    }

    fn load(&self, _room: &RoomName) -> Stored<SavedDocument> {
        Box::pin(ready(Ok(SavedDocument::default())))
    }

    fn history(&self, _room: &RoomName, _before: Option<u64>, _limit: usize) -> Stored<Vec<Edit>> {
        Box::pin(ready(Err(StoreError::Unavailable("full".to_owned()))))
    }

    fn append(&self, _room: &RoomName, _edit: LoggedEdit) -> Stored<()> {
        Box::pin(ready(Err(StoreError::Unavailable("full".to_owned()))))
    }
}

/// Has a document of so many records, of 1 KiB each.
#[derive(Debug)]
struct Large(usize);

impl Store for Large {
    fn is_available(&self) -> bool {
        true
    }

    fn load(&self, _room: &RoomName) -> Stored<SavedDocument> {
        let mut saved = SavedDocument::default();
        for number in 0..self.0 {
            let fields = Map::from([("text".to_owned(), "x".repeat(1_024).into())]).into();
            saved.document.insert(Record { id: format!("{number:05}"), version: 1, fields });
        }
        Box::pin(ready(Ok(saved)))
    }

    fn history(&self, room: &RoomName, before: Option<u64>, limit: usize) -> Stored<Vec<Edit>> {
        Full.history(room, before, limit)
    }

    fn append(&self, room: &RoomName, edit: LoggedEdit) -> Stored<()> {
        Full.append(room, edit)
    }
}

/// Is asked, and has nothing to say: an error, or nothing ever.
#[derive(Debug)]
struct Mute(Option<EventLogError>);

impl EventLog for Mute {
    fn keep(&self, _room: &RoomName, _event: KeptEvent) {}

    fn latest(&self, _room: &RoomName, _before: Option<EventId>, _limit: usize) -> Found {
        match self.0.clone() {
            Some(error) => Box::pin(ready(Err(error))),
            None => Box::pin(pending()),
        }
    }
}

pub(crate) fn shared(store: impl Store + 'static) -> (Arc<Shared>, watch::Sender<bool>) {
    shared_with(store, MemoryEventLog::new(Retentions::new(), 0))
}

fn shared_with(
    store: impl Store + 'static,
    event_log: impl EventLog + 'static,
) -> (Arc<Shared>, watch::Sender<bool>) {
    let (clock, metrics) = (Clock::start(), Arc::new(Metrics::new()));
    let policy = RoomPolicy { keeps_events: true, ..RoomPolicy::default() };
    let policies = BTreeMap::from([("default".to_owned(), policy)]);
    let (stopping, draining) = watch::channel(false);
    let limits = LimitsConfig::default();
    let (store, changed) = (Arc::new(store), Arc::default());
    let event_log = Arc::new(event_log);
    let node = Node { clock, store, event_log, metrics: metrics.clone(), changed };
    let key = ResumeKey::new(&[7; 32]);
    let shared = Shared {
        rooms: Rooms::new(policies, node),
        sessions: Sessions::new(key, 0, Vec::new(), clock, metrics.clone(), Arc::default()),
        authenticator: Authenticator::Anonymous,
        origins: Origins::new(None, (Ipv4Addr::LOCALHOST, 0).into()),
        policy: SessionPolicy::default(),
        admission: Admission::new(&limits),
        limits,
        clock,
        metrics,
        draining,
    };
    (Arc::new(shared), stopping)
}

/// A client that says what it is told to.
pub(crate) struct Client {
    link: Link,
    send: SendStream,
    recv: RecvStream,
    buffer: FrameBuffer,
}

impl Client {
    /// Connects and says hello.
    pub(crate) async fn connect(shared: &Arc<Shared>) -> Self {
        let (there, link) = memory::pair();
        tokio::spawn(run_local(shared.clone(), there));
        let (send, recv) = link.open_stream().await.unwrap();
        let mut client = Self { link, send, recv, buffer: FrameBuffer::default() };
        client.say(ToServer::Hello(Hello { version: VERSION, ..Hello::default() })).await;
        client
    }

    async fn say(&mut self, message: ToServer) {
        self.send.write_chunk(message.encode()).await.unwrap();
    }

    /// The next message that `pick` takes; others before it are passed over.
    async fn pick<T>(&mut self, pick: impl Fn(ToClient) -> Option<T>) -> T {
        loop {
            while let Some(message) = self.buffer.pop().unwrap() {
                if let Some(picked) = ToClient::decode(&message).unwrap().and_then(&pick) {
                    return picked;
                }
            }
            let chunk = timeout(Duration::from_secs(10), self.recv.read_chunk(1_000)).await;
            self.buffer.push(&chunk.expect("it never came").unwrap().expect("the lane ended"));
        }
    }

    pub(crate) async fn join(&mut self, request: u32) -> Result<Joined, Refusal> {
        self.say(ToServer::Join(Join { request, room: "default:a".into(), ..Join::default() }))
            .await;
        let answer = self.pick(|message| match message {
            ToClient::Joined(joined) => Some(Ok(joined)),
            ToClient::Error(error) => Some(Err(error.code)),
            _ => None,
        });
        answer.await
    }
}

// proves R2
#[tokio::test]
async fn a_room_that_the_server_closed_can_be_joined_again() {
    let (shared, _stopping) = shared(Full);
    let mut client = Client::connect(&shared).await;
    let first = client.join(1).await.unwrap();
    assert_eq!(client.join(2).await, Err(Refusal::AlreadyJoined));

    let (mut edits, _answers) = client.link.open_stream().await.unwrap();
    let open = Open { room: first.room, slot: first.slot, ..Open::default() };
    let put = Op::new(OpKind::Put, "r", Default::default());
    for message in
        [EditsToServer::Open(open), EditsToServer::Submit(Submit { number: 1, ops: vec![put] })]
    {
        edits.write_chunk(message.encode()).await.unwrap();
    }
    let left = client.pick(|message| match message {
        ToClient::Left(left) => Some((left.room, left.reason)),
        _ => None,
    });
    assert_eq!(left.await, (first.room, Some(Refusal::Unavailable)));
    let second = client.join(3).await.unwrap();
    assert_ne!(second.room, first.room);
    assert_ne!(second.epoch, first.epoch);
}

impl Client {
    /// Joins, opens the document, reads it after a while, and tells when each page was there.
    async fn load(&mut self, records: usize, reads_after: Duration) -> Vec<Instant> {
        let joined = self.join(1).await.unwrap();
        let (mut edits, mut lane) = self.link.open_stream().await.unwrap();
        let open = Open { room: joined.room, slot: joined.slot, ..Open::default() };
        edits.write_chunk(EditsToServer::Open(open).encode()).await.unwrap();
        sleep(reads_after).await;
        let (mut buffer, mut pages, mut loaded) = (FrameBuffer::default(), Vec::new(), 0);
        while loaded < records {
            let chunk = timeout(Duration::from_secs(10), lane.read_chunk(1_000)).await;
            buffer.push(&chunk.expect("no page came").unwrap().expect("the lane ended"));
            while let Some(message) = buffer.pop().unwrap() {
                if let Some(EditsToClient::Snapshot(page)) =
                    EditsToClient::decode(&message).unwrap()
                {
                    pages.push(Instant::now());
                    loaded += page.records.len();
                    assert_eq!(page.more, loaded < records);
                }
            }
        }
        pages
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_document_leaves_others_their_turns_between_its_pages() {
    let (shared, _stopping) = shared(Large(1_000));
    let pages = Client::connect(&shared).await.load(1_000, Duration::ZERO).await;
    assert!(pages.len() > 30, "{}", pages.len());
    // The second comes with the first.
    let pause = Duration::from_millis(4);
    for (before, after) in pages[1..].iter().zip(&pages[2..]) {
        assert!(*after - *before >= pause, "{pages:?}");
    }
    assert!(pages[pages.len() - 1] - pages[0] < pages.len() as u32 * 2 * pause, "{pages:?}");
}

#[tokio::test(start_paused = true)]
async fn who_reads_a_large_document_late_has_all_of_it() {
    let (shared, _stopping) = shared(Large(1_000));
    Client::connect(&shared).await.load(1_000, Duration::from_secs(1)).await;
}

impl Client {
    /// Asks so often for kept events, and returns the first answer.
    async fn kept(&mut self, times: u32) -> Kept {
        let room = self.join(1).await.unwrap().room;
        for request in 1..=times {
            let ask = AskKept { request, room, before: None, limit: 1 };
            self.say(ToServer::Kept(ask)).await;
        }
        let answer = self.pick(|message| match message {
            ToClient::Kept(kept) => Some(kept),
            _ => None,
        });
        answer.await
    }
}

#[tokio::test]
async fn v6_a_log_that_can_not_be_read_is_an_answer() {
    let error = EventLogError::Unavailable("broken".to_owned());
    let (shared, _stopping) = shared_with(Full, Mute(Some(error)));
    let kept = Client::connect(&shared).await.kept(1).await;
    assert_eq!((kept.request, kept.refused), (1, Some(Refusal::Unavailable)));
    assert!(kept.retry_after_ms.is_some() && kept.events.is_empty());
}

#[tokio::test]
async fn v6_who_has_too_many_looks_waiting_is_refused_the_next() {
    let (shared, _stopping) = shared_with(Full, Mute(None));
    // One is under way, and 32 wait.
    let kept = Client::connect(&shared).await.kept(34).await;
    assert_eq!((kept.request, kept.refused), (34, Some(Refusal::RateLimited)));
    assert!(kept.retry_after_ms.is_some());
    assert_eq!(shared.metrics.rejects[RejectCause::Rate].get(), 1);
}
