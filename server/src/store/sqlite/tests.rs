//! The durable store against the contract of all stores, and against the store in memory.

use hither_protocol::Timestamp;
use hither_protocol::message::Map;
use hither_protocol::message::edits::OpKind;
use hither_transport::Clock;
use rusqlite::Connection;

use super::commit::commit;
use super::compact::step;
use super::rows::RoomRow;
use super::*;
use crate::store::contract;

fn now_ms() -> u64 {
    Clock::start().now().as_millis()
}

fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(folder, SqliteOptions::default(), Arc::default()).unwrap()
}

#[tokio::test]
async fn the_contract_holds() {
    let dir = tempfile::tempdir().unwrap();
    contract::run(&open(dir.path())).await;
}

#[tokio::test]
async fn what_was_stored_is_there_after_the_store_was_closed_or_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let room = "default:a".parse().unwrap();
    let mut expected = SavedDocument::new(contract::edit(1, "x").document);
    for sequence in 1..=30 {
        let mut edit = contract::edit(sequence, &format!("record {}", sequence % 4));
        Arc::make_mut(&mut edit.edit).time_ms = now_ms();
        expected.apply(edit.clone());
        let store = open(dir.path());
        let stored = store.append(&room, edit);
        if sequence % 2 == 0 {
            store.close().await.unwrap();
            assert!(store.close().await.is_err(), "it is closed");
            assert!(store.append(&room, contract::edit(sequence + 1, "x")).await.is_err());
        }
        drop(store);
        stored.await.unwrap();
        assert_eq!(open(dir.path()).load(&room).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_log_is_folded_and_trimmed_and_the_room_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention { edits: 100, ..Retention::default() };
    let options = SqliteOptions { retention, fold_edits: 5, ..SqliteOptions::default() };
    let store = SqliteStore::open(dir.path(), options, Arc::default()).unwrap();
    let room: RoomName = "default:a".parse().unwrap();
    let mut expected = SavedDocument::new(contract::edit(1, "x").document);
    for sequence in 1..=500 {
        let mut edit = contract::edit(sequence, &format!("record {}", sequence % 4));
        Arc::make_mut(&mut edit.edit).time_ms = now_ms();
        expected.apply(edit.clone());
        store.append(&room, edit).await.unwrap();
        if sequence == 100 {
            // With what is in the snapshot already, the latest edits are all that there ever were.
            let recent = store.load(&room).await.unwrap().recent;
            assert_eq!(recent, expected.recent);
        }
    }
    store.close().await.unwrap();
    let files = Files { folder: dir.path().to_owned(), vfs: None };
    let connection = files.connect().unwrap();
    let row = RoomRow::named(&connection, room.as_str()).unwrap().unwrap();
    assert!(row.snapshot > 400 && row.trimmed > 200, "{row:?}");
    let saved = read::load(&connection, &room).unwrap();
    assert_eq!((&saved.document, &saved.editors), (&expected.document, &expected.editors));
    assert_eq!(saved.time_ms, expected.time_ms);
}

#[tokio::test]
async fn a_room_that_is_never_quiet_is_compacted_all_the_same() {
    const EDITS: u64 = 20_000;
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention { edits: 10, ..Retention::default() };
    let options = SqliteOptions { retention, fold_edits: 10, ..SqliteOptions::default() };
    let store = SqliteStore::open(dir.path(), options, Arc::default()).unwrap();
    let room: RoomName = "default:a".parse().unwrap();
    let edits = (1..=EDITS).map(|sequence| contract::edit(sequence, &format!("{}", sequence % 9)));
    let appends: Vec<_> = edits.map(|edit| store.append(&room, edit)).collect();
    for append in appends {
        append.await.unwrap();
    }
    let files = Files { folder: dir.path().to_owned(), vfs: None };
    let row = RoomRow::named(&files.connect().unwrap(), room.as_str()).unwrap().unwrap();
    assert_eq!(row.sequence, EDITS);
    assert!(row.snapshot > EDITS / 2 && row.trimmed > EDITS / 2, "{row:?}");
}

/// A room of ten edits, a second apart, the last of them now.
fn ten_edits(connection: &mut Connection) -> RoomRow {
    let room: RoomName = "default:a".parse().unwrap();
    let appends: Vec<_> = (1..=10)
        .map(|sequence| {
            let mut edit = contract::edit(sequence, "x");
            Arc::make_mut(&mut edit.edit).time_ms = now_ms() - 1_000 * (10 - sequence);
            let (document, row) = (edit.document, LogRow::new(&edit).unwrap());
            Append { room: room.clone(), document, row, done: oneshot::channel().0 }
        })
        .collect();
    commit(connection, &appends, false).unwrap().rooms.remove(0)
}

#[test]
fn a_commit_that_was_made_and_is_made_again_stores_each_edit_once() {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::prepare(&mut connection).unwrap();
    ten_edits(&mut connection);
    let room: RoomName = "default:a".parse().unwrap();
    let append = |sequence, record: &str| {
        let edit = contract::edit(sequence, record);
        let (document, row) = (edit.document, LogRow::new(&edit).unwrap());
        Append { room: room.clone(), document, row, done: oneshot::channel().0 }
    };
    let both = [append(11, "x"), append(12, "y")];
    commit(&mut connection, &both[..1], false).unwrap();
    let again = commit(&mut connection, &both, true).unwrap();
    assert_eq!(again.fates, [Ok(()), Ok(())]);
    let out_of_order = |got| Err(StoreError::OutOfOrder { last: 12, got });
    assert_eq!(commit(&mut connection, &both, false).unwrap().fates[0], out_of_order(11));
    // Another edit of the same place is not that one.
    let other = [append(12, "z")];
    assert_eq!(commit(&mut connection, &other, true).unwrap().fates, [out_of_order(12)]);
    assert_eq!(read::load(&connection, &room).unwrap().document.sequence(), 12);
}

#[test]
fn what_is_too_old_is_forgotten_but_for_what_it_made() {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::prepare(&mut connection).unwrap();
    let id = ten_edits(&mut connection).id;
    let retention = Retention { edits: 1_000, age: Duration::from_millis(3_500) };
    let plan = Plan { fold_edits: 200, retention };
    let now = now_ms();
    while step(&mut connection, id, &plan, now).unwrap().is_some() {}
    let row = RoomRow::numbered(&connection, id).unwrap().unwrap();
    assert_eq!((row.sequence, row.snapshot, row.trimmed), (10, 10, 6));
    let room = "default:a".parse().unwrap();
    assert_eq!(read::load(&connection, &room).unwrap().document.sequence(), 10);
    // A day later nobody's numbers are known.
    let retention = Retention { edits: 1_000, age: Duration::ZERO };
    let plan = Plan { fold_edits: 1, retention };
    let mut edit = contract::edit(11, "x");
    Arc::make_mut(&mut edit.edit).time_ms = now;
    let appends = Append {
        room: "default:a".parse().unwrap(),
        document: edit.document,
        row: LogRow::new(&edit).unwrap(),
        done: oneshot::channel().0,
    };
    commit(&mut connection, &[appends], false).unwrap();
    while step(&mut connection, id, &plan, now + 90_000_000).unwrap().is_some() {}
    let row = RoomRow::numbered(&connection, id).unwrap().unwrap();
    assert_eq!((row.trimmed, row.editors.count, row.records.count), (11, 0, 1));
    assert!(read::load(&connection, &room).is_ok());
}

#[tokio::test]
async fn edits_are_as_old_as_the_clock_says_that_they_have_their_times_of() {
    let dir = tempfile::tempdir().unwrap();
    let room = "default:a".parse().unwrap();
    let clock = Clock::start_at(Timestamp::from_millis(1_000));
    let options = SqliteOptions { clock, fold_edits: 1, ..SqliteOptions::default() };
    for sequence in 1..=3 {
        let store = SqliteStore::open(dir.path(), options.clone(), Arc::default()).unwrap();
        let mut edit = contract::edit(sequence, "x");
        Arc::make_mut(&mut edit.edit).time_ms = 1_000;
        store.append(&room, edit).await.unwrap();
        assert_eq!(
            find_room(&store, dir.path(), &room, |row| row.snapshot == sequence).await.trimmed,
            0
        );
        let saved = store.load(&room).await.unwrap();
        assert_eq!(saved.editors.save(1_000).count(), 1);
    }
}

#[tokio::test]
async fn a_room_that_nobody_opens_keeps_no_more_and_nothing_older_than_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let rooms = ["default:old", "default:long", "default:both"].map(|name| name.parse().unwrap());
    let now = now_ms();
    let forever = Retention { edits: u64::MAX / 2, age: Duration::MAX };
    let options = SqliteOptions { retention: forever, ..SqliteOptions::default() };
    let store = SqliteStore::open(dir.path(), options, Arc::default()).unwrap();
    let mut expected = Vec::new();
    for (room, old) in rooms.iter().zip([60, 0, 7]) {
        let mut saved = SavedDocument::new(contract::edit(1, "x").document);
        for sequence in 1..=60 {
            let mut edit = contract::edit(sequence, &format!("record {}", sequence % 4));
            let age_days = if sequence <= old { 31 } else { 29 };
            Arc::make_mut(&mut edit.edit).time_ms = now - age_days * 24 * 60 * 60 * 1_000;
            saved.apply(edit.clone());
            store.append(room, edit).await.unwrap();
        }
        expected.push(saved.document);
    }
    store.close().await.unwrap();

    let kept = Retention { edits: 55, ..Retention::default() };
    let options = SqliteOptions { retention: kept, fold_edits: 5, ..SqliteOptions::default() };
    let store = SqliteStore::open(dir.path(), options, Arc::default()).unwrap();
    let trimmed = [60, 5, 7];
    for ((room, expected), trimmed) in rooms.iter().zip(expected).zip(trimmed) {
        find_room(&store, dir.path(), room, |row| row.trimmed == trimmed).await;
        assert_eq!(store.load(room).await.unwrap().document, expected, "{room}");
    }
}

/// A room's row once that is so; fails if it is not before long.
async fn find_room(
    store: &SqliteStore,
    folder: &Path,
    room: &RoomName,
    is_so: impl Fn(&RoomRow) -> bool,
) -> RoomRow {
    let connection = Files { folder: folder.to_owned(), vfs: None }.connect().unwrap();
    let look = async || loop {
        // It is answered by the thread that compacts, in between.
        store.load(room).await.unwrap();
        let row = RoomRow::named(&connection, room.as_str()).unwrap().unwrap();
        if is_so(&row) {
            return row;
        }
    };
    timeout(Duration::from_secs(20), look()).await.unwrap()
}

#[tokio::test]
async fn a_lookup_reads_no_more_than_can_be_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let room = "default:a".parse().unwrap();
    for (sequence, kib) in [(1, 1), (2, 20), (3, 40), (4, 1), (5, 10), (6, 15), (7, 1), (8, 60)] {
        let mut edit = contract::edit(sequence, "x");
        let fields = Map::from([("text".into(), "x".repeat(kib * 1024).as_str().into())]);
        let made = Arc::make_mut(&mut edit.edit);
        (made.time_ms, made.ops[0].fields) = (now_ms(), fields);
        store.append(&room, edit).await.unwrap();
    }
    let look = async |before, limit| {
        let edits = store.history(&room, before, limit).await.unwrap();
        edits.into_iter().map(|edit| edit.sequence).collect::<Vec<_>>()
    };
    assert_eq!(look(None, 100).await, [8], "one that is longer comes alone");
    assert_eq!(look(Some(8), 100).await, [4, 5, 6, 7]);
    assert_eq!(look(Some(8), 2).await, [6, 7]);
    assert_eq!(look(Some(4), 100).await, [3]);
    assert_eq!(look(Some(3), 100).await, [1, 2]);
}

#[tokio::test]
async fn a_damaged_room_says_so_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let rooms: [RoomName; 2] = ["default:a", "default:b"].map(|name| name.parse().unwrap());
    for room in &rooms {
        store.append(room, contract::edit(1, "x")).await.unwrap();
    }
    let files = Files { folder: dir.path().to_owned(), vfs: None };
    let other = files.connect().unwrap();
    other.execute("UPDATE rooms SET sequence = 5 WHERE name = 'default:a'", []).unwrap();
    let (a, b) = (&rooms[0], &rooms[1]);
    let appends = [a, b, a].map(|room| store.append(room, contract::edit(2, "x")));
    let [first, second, third] = appends;
    assert!(matches!(first.await, Err(StoreError::Damaged(_))));
    second.await.unwrap();
    assert!(matches!(third.await, Err(StoreError::Damaged(_))));
    assert!(matches!(store.load(a).await, Err(StoreError::Damaged(_))));
    assert_eq!(store.load(b).await.unwrap().document.sequence(), 2);
    assert!(store.is_available());
    drop(store);
    let refused = SqliteStore::open(dir.path(), SqliteOptions::default(), Arc::default());
    assert!(matches!(refused, Err(OpenError::Store { source: StoreError::Damaged(_), .. })));
}

/// SQLite finds a row in the middle of others although its room is not theirs any more, if it reads them all, and does
/// not if it looks for that row.
#[tokio::test]
async fn a_record_whose_room_was_flipped_is_damage_and_is_not_taken_for_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions { fold_edits: 5, ..SqliteOptions::default() };
    let store = SqliteStore::open(dir.path(), options, Arc::default()).unwrap();
    let rooms: [RoomName; 2] = ["default:a", "default:b"].map(|name| name.parse().unwrap());
    for room in &rooms {
        for sequence in 1..=5 {
            let record = format!("record-{}", sequence - 1);
            store.append(room, contract::edit(sequence, &record)).await.unwrap();
        }
        find_room(&store, dir.path(), room, |row| row.snapshot == 5).await;
    }
    store.close().await.unwrap();
    // Its header: that has 6 bytes, the room is 1, the id a text of 8 bytes. Then the room is 0.
    let path = dir.path().join("documents.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let is_it = |row: &[u8]| row.starts_with(&[6, 9, 29]) && row.ends_with(b"record-2");
    let at = bytes.windows(14).position(is_it).unwrap();
    bytes[at + 1] = 8;
    std::fs::write(&path, bytes).unwrap();

    let files = Files { folder: dir.path().to_owned(), vfs: None };
    let mut connection = files.connect().unwrap();
    let mut edit = contract::edit(6, "record-2");
    Arc::make_mut(&mut edit.edit).ops[0].kind = OpKind::Remove;
    let (document, row) = (edit.document, LogRow::new(&edit).unwrap());
    let append = Append { room: rooms[0].clone(), document, row, done: oneshot::channel().0 };
    let id = commit(&mut connection, &[append], false).unwrap().rooms.remove(0).id;
    let plan = Plan { fold_edits: 1, retention: Retention::default() };
    let _ = step(&mut connection, id, &plan, now_ms());
    let found = read::load(&connection, &rooms[0]);
    assert!(
        matches!(found, Err(StoreError::Damaged(_))),
        "{:?}",
        found.map(|saved| saved.document)
    );
}

#[tokio::test]
async fn a_log_does_not_grow_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions { wal_bytes: 256 * 1024, ..SqliteOptions::default() };
    let store = SqliteStore::open(dir.path(), options, Arc::default()).unwrap();
    let room = "default:a".parse().unwrap();
    for sequence in 1..=600 {
        store.append(&room, contract::edit(sequence, "x")).await.unwrap();
    }
    let bytes = std::fs::metadata(dir.path().join("documents.db-wal")).unwrap().len();
    assert!(bytes < 3 * 1024 * 1024, "{bytes}");
}
