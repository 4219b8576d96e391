//! The client as a whole, by the scripts that the other client follows, too: `protocol/vectors/conformance.json`, whose
//! README says what each step is. The script plays the application, the server and the network, in virtual time.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use hither_client::{
    Client, ConnectError, ConnectionStatus, Event, Link, LostConnection, Map, Member, Op, OpKind,
    Room, Slot, Value, Viewport,
};
use hither_protocol::message::{FrameBuffer, frame};
use hither_transport::{RecvStream, SendStream, memory};
use serde_json::{Value as Json, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;

/// What a script may need that this client does not have.
const LACKING: [&str; 2] = ["rooms", "nudge"];

// proves H4, S1, S2, S3, S4, S5, C2, C3, D3, D7, V2, V4, V5
#[test]
fn it_does_what_every_client_does() {
    let scripts = vectors("conformance.json");
    let has_all = |script: &&Json| !items(&script["needs"]).any(|n| LACKING.contains(&text(n)));
    let (mut failures, mut count) = (Vec::new(), 0);
    for script in items(&scripts["scripts"]).filter(has_all) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        if let Err(failure) = runtime.block_on(run(script)) {
            failures.push(format!("{}\n  {failure}", text(&script["name"])));
        }
        count += 1;
    }
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n"));
    assert!(count > 20, "only {count} scripts");
}

async fn run(script: &Json) -> Result<(), String> {
    let mut run = Run::new(script);
    for (at, step) in items(&script["steps"]).enumerate() {
        let (is, wanted) = run.step(step).await;
        settle().await;
        if is != wanted {
            return Err(format!("{at}: {step} found {is}"));
        }
    }
    let said: Vec<Json> = run.wires.iter().flat_map(|wire| lock(&wire.said).clone()).collect();
    let changes = std::mem::take(&mut lock(&run.app).changes);
    if said.is_empty() && changes.is_empty() {
        return Ok(());
    }
    Err(format!("no step has taken {said:?} {changes:?}"))
}

/// Lets the client do all that it can without time passing.
async fn settle() {
    // So many tasks do not wait for each other in a row.
    for _ in 0..100 {
        yield_now().await;
    }
}

/// A client, its server, and what its application has heard.
struct Run {
    names: Names,
    client: Option<hither_client::ConnectOptions>,
    attempts: mpsc::UnboundedReceiver<oneshot::Sender<Link>>,
    attempt: Option<oneshot::Sender<Link>>,
    /// Those that come to nothing.
    hung: Vec<oneshot::Sender<Link>>,
    wires: Vec<Wire>,
    /// What the number of the newest join was.
    request: Json,
    app: Arc<Mutex<App>>,
    viewport: (Option<Viewport>, Option<Slot>),
}

/// The application.
#[derive(Default)]
struct App {
    entered: Option<(Client, Arc<Room>)>,
    resumed: Option<bool>,
    changes: Vec<Json>,
    events: Vec<Json>,
    events_lost: bool,
}

impl Run {
    fn new(script: &Json) -> Self {
        let (dial, attempts) = mpsc::unbounded_channel();
        let mut options = Client::builder("script").random(|| 0.5).connector(move || {
            let (answer, answered) = oneshot::channel();
            let _ = dial.send(answer); // the script may be over
            async move { answered.await.map_err(|_| ConnectError::NoWay) }
        });
        if script.get("tokens").is_some() {
            let tokens = items(&script["tokens"]).map(|token| text(token).to_owned());
            let tokens = Mutex::new(tokens.collect::<Vec<_>>().into_iter());
            options = options.auth(move || {
                let token = lock(&tokens).next().unwrap_or("none is left".to_owned());
                async { Ok(token) }
            });
        }
        Self {
            names: Names::read(),
            client: Some(options),
            attempts,
            attempt: None,
            hung: Vec::new(),
            wires: Vec::new(),
            request: Json::Null,
            app: Arc::default(),
            viewport: (None, None),
        }
    }

    /// Does a step; returns what is and what was to be.
    async fn step(&mut self, step: &Json) -> (Json, Json) {
        let value = |key: &str| step.get(key).cloned();
        if let Some(act) = value("do") {
            self.act(text(&act), step);
        } else if let Some(name) = value("expect") {
            return (self.take(&name), json!({ "name": name, "body": step["body"] }));
        } else if let Some(how) = value("connect") {
            return (self.answer(text(&how)), json!(how != "none"));
        } else if let Some(name) = value("say") {
            let mut body = step["body"].clone();
            if name == "joined" || name == "error" {
                body["i"] = self.request.clone();
            }
            let wire = self.wires.last_mut().unwrap();
            wire.say(&self.names, text(&name), &body).await;
        } else if value("close").is_some() {
            self.wires.last().unwrap().link.close(0, "");
        } else if let Some(ms) = value("pass") {
            tokio::time::sleep(Duration::from_millis(ms.as_u64().unwrap())).await;
        } else {
            let (look, wanted) = step.as_object().and_then(|step| step.iter().next()).unwrap();
            return (self.look(look), wanted.clone());
        }
        (Json::Null, Json::Null)
    }

    fn room(&self) -> Arc<Room> {
        Arc::clone(&lock(&self.app).entered.as_ref().unwrap().1)
    }

    fn act(&mut self, act: &str, step: &Json) {
        match act {
            "enter" => {
                let options = self.client.take().expect("one room is entered once");
                let (room, presence) = (text(&step["room"]).to_owned(), map(&step["presence"]));
                tokio::spawn(enter(options, room, presence, Arc::clone(&self.app)));
            }
            "presence" => self.room().update_presence(map(&step["patch"])).unwrap(),
            "broadcast" => {
                self.room().broadcast(text(&step["name"]), value(&step["data"])).unwrap();
            }
            "open" => self.room().open_document().unwrap(),
            "put" => {
                let (record, fields) = (text(&step["record"]).to_owned(), map(&step["fields"]));
                let room = self.room();
                let op = Op::new(OpKind::Put, record, fields);
                tokio::spawn(async move { room.submit(vec![op]).await });
            }
            "viewport" => {
                let side = |key: &str| step["viewport"][key].as_i64().unwrap() as i32;
                let (left, top, right, bottom) = (side("l"), side("t"), side("r"), side("b"));
                self.viewport.0 = Some(Viewport { left, top, right, bottom });
                self.room().set_viewport(self.viewport.0, self.viewport.1).unwrap();
            }
            "follow" => {
                self.viewport.1 = Some(Slot(step["slot"].as_u64().unwrap() as u16));
                self.room().set_viewport(self.viewport.0, self.viewport.1).unwrap();
            }
            other => panic!("{other} is nothing to do"),
        }
    }

    /// Answers the attempt that is under way; false if there is none.
    fn answer(&mut self, how: &str) -> Json {
        while let Ok(attempt) = self.attempts.try_recv() {
            self.attempt = Some(attempt);
        }
        if how == "none" {
            return json!(self.attempt.is_some());
        }
        let Some(attempt) = self.attempt.take() else { return json!(false) };
        match how {
            "accept" => {
                let (here, there) = memory::pair();
                self.wires.push(Wire::new(there, &self.names));
                return json!(attempt.send(here).is_ok());
            }
            "hang" => self.hung.push(attempt),
            _ => drop(attempt),
        }
        json!(true)
    }

    /// Takes the oldest message of a name; all that there are if there is none.
    fn take(&mut self, name: &Json) -> Json {
        let Some(wire) = self.wires.last() else { return Json::Null };
        let mut said = lock(&wire.said);
        let Some(at) = said.iter().position(|said| said["name"] == *name) else {
            return json!(*said);
        };
        let mut taken = said.remove(at);
        if name == "open" {
            taken["body"].as_object_mut().unwrap().remove("e").expect("the editor is said");
        }
        if name == "join" {
            self.request = taken["body"].as_object_mut().unwrap().remove("i").unwrap();
        }
        taken
    }

    fn look(&self, look: &str) -> Json {
        let mut app = lock(&self.app);
        match look {
            "closed" => json!(*lock(&self.wires.last().unwrap().is_closed)),
            "status" => json!(match &app.entered {
                // There is no client before its first welcome.
                None => "connecting",
                Some((client, _)) => name_of(client.status()),
            }),
            "lost_connection" if !app.changes.is_empty() => app.changes.remove(0),
            "resumed" => json!(app.resumed),
            "events" => Json::Array(std::mem::take(&mut app.events)),
            "events_lost" => json!(std::mem::take(&mut app.events_lost)),
            "records" => app.entered.as_ref().unwrap().1.read(records).into(),
            "others" => {
                let others = app.entered.as_ref().unwrap().1.others();
                others.iter().map(other).collect()
            }
            _ => Json::Null,
        }
    }
}

/// Enters a room over a client that is made for it, and hears what is told there.
async fn enter(
    options: hither_client::ConnectOptions,
    room: String,
    presence: Map,
    app: Arc<Mutex<App>>,
) {
    let Ok(client) = options.connect().await else { return };
    let Ok(room) = client.enter(&room, presence).await else { return };
    let room = Arc::new(room);
    let resumed = room.read(|room| room.is_resumed());
    {
        let mut app = lock(&app);
        app.entered = Some((client, Arc::clone(&room)));
        app.resumed = resumed;
    }
    while let Some(event) = room.next_event().await {
        let mut app = lock(&app);
        match event {
            Event::Entered { resumed, events_lost, .. } => {
                app.resumed = Some(resumed);
                app.events_lost |= events_lost;
            }
            Event::EventsLost { .. } => app.events_lost = true,
            Event::Broadcast { name, .. } => app.events.push(json!(name)),
            Event::LostConnection(change) => app.changes.push(json!(match change {
                LostConnection::Lost => "lost",
                LostConnection::Restored => "restored",
                LostConnection::Failed => "failed",
            })),
            _ => {}
        }
    }
}

/// One connection as the server has it.
struct Wire {
    link: Link,
    /// What came and was not taken yet: names and bodies.
    said: Arc<Mutex<Vec<Json>>>,
    is_closed: Arc<Mutex<bool>>,
    /// The sending ends of the client's streams: the control lane, and then one for each document.
    lanes: mpsc::UnboundedReceiver<SendStream>,
    control: Option<SendStream>,
    edits: Option<SendStream>,
}

impl Wire {
    fn new(link: Link, names: &Names) -> Self {
        let (said, is_closed) = (Arc::default(), Arc::new(Mutex::new(false)));
        let (sender, lanes) = mpsc::unbounded_channel();
        tokio::spawn(accept(link.clone(), sender, names.clone(), Arc::clone(&said)));
        let (closed, is_closed_too) = (link.clone(), Arc::clone(&is_closed));
        tokio::spawn(async move {
            closed.closed().await;
            *lock(&is_closed_too) = true;
        });
        Self { link, said, is_closed, lanes, control: None, edits: None }
    }

    async fn say(&mut self, names: &Names, name: &str, body: &Json) {
        while let Ok(lane) = self.lanes.try_recv() {
            let place = if self.control.is_none() { &mut self.control } else { &mut self.edits };
            *place = Some(lane);
        }
        let (is_control, kind) = names.kind(name);
        let lane = if is_control { &mut self.control } else { &mut self.edits };
        let message = rmp_serde::to_vec(&json!([kind, body])).unwrap();
        lane.as_mut().unwrap().write_chunk(frame(&message)).await.unwrap();
    }
}

/// Takes the streams that the client opens, and reads what it says there.
async fn accept(
    link: Link,
    lanes: mpsc::UnboundedSender<SendStream>,
    names: Names,
    said: Arc<Mutex<Vec<Json>>>,
) {
    let mut is_control = true;
    while let Ok((send, recv)) = link.accept_stream().await {
        let _ = lanes.send(send); // the script may be over
        tokio::spawn(read(recv, names.clone(), is_control, Arc::clone(&said)));
        is_control = false;
    }
}

async fn read(mut recv: RecvStream, names: Names, is_control: bool, said: Arc<Mutex<Vec<Json>>>) {
    let mut buffer = FrameBuffer::default();
    while let Ok(Some(chunk)) = recv.read_chunk(16_384).await {
        buffer.push(&chunk);
        while let Some(message) = buffer.pop().unwrap() {
            let (kind, body): (u64, Value) = rmp_serde::from_slice(&message).unwrap();
            let name = names.to_server(is_control, kind);
            lock(&said).push(json!({ "name": name, "body": body }));
        }
    }
}

/// What the kinds of messages are called.
#[derive(Clone)]
struct Names {
    control: Arc<Json>,
    edits: Arc<Json>,
}

impl Names {
    fn read() -> Self {
        Self { control: Arc::new(vectors("control.json")), edits: Arc::new(vectors("edits.json")) }
    }

    fn to_server(&self, is_control: bool, kind: u64) -> Json {
        let lane = if is_control { &self.control } else { &self.edits };
        let found = items(&lane["to_server"]).find(|vector| vector["kind"] == kind);
        found.unwrap()["message"].clone()
    }

    /// Whether the server says a message on the control lane, and its kind.
    fn kind(&self, name: &str) -> (bool, Json) {
        let find = |lane: &Json| {
            let found = items(&lane["to_client"]).find(|vector| vector["message"] == name);
            found.map(|vector| vector["kind"].clone())
        };
        match find(&self.control) {
            Some(kind) => (true, kind),
            None => (false, find(&self.edits).unwrap()),
        }
    }
}

fn name_of(status: ConnectionStatus) -> &'static str {
    match status {
        ConnectionStatus::Initial => "initial",
        ConnectionStatus::Connecting => "connecting",
        ConnectionStatus::Connected => "connected",
        ConnectionStatus::Reconnecting => "reconnecting",
        ConnectionStatus::Disconnected => "disconnected",
    }
}

fn other(member: &Member) -> Json {
    let mut other = json!({ "s": member.slot.0, "g": member.generation.0 });
    if !member.presence.is_empty() {
        other["p"] = json!(member.presence);
    }
    other
}

fn records(room: &hither_client::session::Room) -> Json {
    let records = room.records().into_iter().flat_map(|records| records.iter());
    records.map(|(id, fields)| (id.to_owned(), json!(fields))).collect()
}

/// A user's value, of those that a script has.
fn value(json: &Json) -> Value {
    rmp_serde::from_slice(&rmp_serde::to_vec(json).unwrap()).unwrap()
}

fn map(json: &Json) -> Map {
    if json.is_null() { Map::new() } else { serde_json::from_value(json.clone()).unwrap() }
}

fn vectors(file: &str) -> Json {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/vectors");
    serde_json::from_str(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap()
}

fn items(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}
