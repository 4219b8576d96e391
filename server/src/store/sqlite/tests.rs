//! The durable store against the contract of all stores, and against the store in memory.

use rusqlite::Connection;

use super::commit::commit;
use super::compact::step;
use super::rows::RoomRow;
use super::writer::now_ms;
use super::*;
use crate::store::contract;

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
        edit.edit.time_ms = now_ms();
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
        edit.edit.time_ms = now_ms();
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
            edit.edit.time_ms = now_ms() - 1_000 * (10 - sequence);
            let (document, row) = (edit.document, LogRow::new(edit).unwrap());
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
        let (document, row) = (edit.document, LogRow::new(edit).unwrap());
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
    let appends = Append {
        room: "default:a".parse().unwrap(),
        document: contract::edit(11, "x").document,
        row: LogRow::new(contract::edit(11, "x")).unwrap(),
        done: oneshot::channel().0,
    };
    commit(&mut connection, &[appends], false).unwrap();
    while step(&mut connection, id, &plan, now + 90_000_000).unwrap().is_some() {}
    let row = RoomRow::numbered(&connection, id).unwrap().unwrap();
    assert_eq!((row.trimmed, row.editors.count, row.records.count), (11, 0, 1));
    assert!(read::load(&connection, &room).is_ok());
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
