//! What the log in SQLite promises beside the contract: over restarts, and whatever is in its file.

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::event_log::Retention;
use crate::event_log::contract::{self, event, numbers, retentions, room};

const ROOM: &str = "default:a";

fn open(folder: &TempDir) -> SqliteEventLog {
    open_with(folder, retentions(), Arc::default()).unwrap()
}

fn open_with(
    folder: &TempDir,
    retentions: Retentions,
    metrics: Arc<Metrics>,
) -> Result<SqliteEventLog, OpenError> {
    SqliteEventLog::open(folder.path(), retentions, Default::default(), metrics)
}

fn file(folder: &TempDir) -> Connection {
    Connection::open(folder.path().join("events.db")).unwrap()
}

/// A folder with the events 1 to 3 of [`ROOM`].
async fn written() -> TempDir {
    let folder = TempDir::new().unwrap();
    let log = open(&folder);
    (1..=3).for_each(|number| log.keep(&room(ROOM), event(1, number)));
    log.close().await;
    folder
}

#[tokio::test]
async fn the_contract_holds() {
    let folder = TempDir::new().unwrap();
    contract::run(&open(&folder)).await;
}

#[tokio::test]
async fn v6_what_was_kept_is_there_after_a_restart_and_later_epochs_come_behind_it() {
    let folder = written().await;
    let log = open(&folder);
    assert_eq!(numbers(&log, ROOM, None, 10).await, [(1, 1), (1, 2), (1, 3)]);
    log.keep(&room(ROOM), event(0, 1));
    assert_eq!(numbers(&log, ROOM, None, 2).await, [(1, 3), (0, 1)]);
    log.close().await;
    log.keep(&room(ROOM), event(0, 2));
    let late = log.latest(&room(ROOM), None, 10).await;
    assert_eq!(late, Err(unavailable("it is closed")));
    assert_eq!(log.shared.metrics.events_not_kept[NotKeptCause::Failed].get(), 1);
    assert_eq!(log.shared.metrics.events_kept.get(), 1);
}

#[tokio::test]
async fn v6_a_room_that_nobody_opens_forgets_by_what_its_namespace_says_now() {
    const HOUR: u64 = 60 * 60;
    let folder = TempDir::new().unwrap();
    let of = |events, hours| {
        let age = Duration::from_secs(hours * HOUR);
        Retentions::from([("default".to_owned(), Retention { events, age })])
    };
    let log = open_with(&folder, of(10, 24), Arc::default()).unwrap();
    for (number, hours) in [(1, 3), (2, 1), (3, 0), (4, 0)] {
        let event = event(1, number);
        let time_ms = event.time_ms - hours * HOUR * 1_000;
        log.keep(&room(ROOM), KeptEvent { time_ms, ..event });
    }
    log.close().await;
    let rows = || -> i64 {
        file(&folder).query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap()
    };
    let other_namespaces = Retentions::new();
    for (retentions, left) in
        [(other_namespaces, 4), (of(10, 2), 3), (of(2, 24), 2), (of(0, 24), 0)]
    {
        let log = open_with(&folder, retentions, Arc::default()).unwrap();
        // After each look the thread takes a step, and a room is one.
        for _ in 0..3 {
            let _ = log.latest(&room("default:else"), None, 1).await;
        }
        log.close().await;
        assert_eq!(rows(), left);
    }
}

#[tokio::test]
async fn a_row_that_is_not_what_was_written_is_left_out_and_counted() {
    let columns = ["epoch", "number", "time_ms", "user", "user_name", "name", "data", "hash"];
    for column in columns {
        let folder = written().await;
        let value = match column {
            "user" | "user_name" | "name" => "'eve'",
            "data" => "x'07'",
            "time_ms" => "time_ms + 1",
            _ => "7",
        };
        let sql = format!("UPDATE events SET {column} = {value} WHERE place = 2");
        assert_eq!(file(&folder).execute(&sql, []).unwrap(), 1);
        let log = open(&folder);
        assert_eq!(numbers(&log, ROOM, None, 2).await, [(1, 1), (1, 3)], "{column}");
        assert_eq!(log.shared.metrics.kept_events_damaged.get(), 1, "{column}");
        log.close().await;
    }
    let folder = written().await;
    file(&folder).execute("UPDATE events SET room = 'default:b' WHERE place = 2", []).unwrap();
    let log = open(&folder);
    assert_eq!(numbers(&log, "default:b", None, 2).await, [], "an event of another room");
    log.close().await;
}

#[tokio::test]
async fn what_the_queue_has_no_room_for_is_dropped_and_counted() {
    let folder = TempDir::new().unwrap();
    let metrics = Arc::<Metrics>::default();
    let one = EVENT_BYTES + encoded_len(&event(1, 1));
    let options =
        SqliteEventLogOptions { queue_bytes_max: one, ..SqliteEventLogOptions::default() };
    let log = SqliteEventLog::open(folder.path(), retentions(), options, metrics.clone()).unwrap();
    log.keep(&room(ROOM), event(1, 1));
    let large = KeptEvent { data: "x".repeat(100).into(), ..event(1, 2) };
    log.keep(&room(ROOM), large);
    assert_eq!(metrics.events_not_kept[NotKeptCause::QueueFull].get(), 1);
    // The look waits until the first is written, and there is room again.
    assert_eq!(numbers(&log, ROOM, None, 10).await, [(1, 1)]);
    log.keep(&room(ROOM), event(1, 3));
    assert_eq!(numbers(&log, ROOM, None, 10).await, [(1, 1), (1, 3)]);
    log.close().await;
}

#[tokio::test]
async fn more_looks_than_may_wait_are_refused() {
    let folder = written().await;
    let log = open(&folder);
    let looks: Vec<_> = (0..=LOOKS_MAX).map(|_| log.latest(&room(ROOM), None, 1)).collect();
    let mut answers = Vec::new();
    for look in looks {
        answers.push(look.await.is_ok());
    }
    assert!(answers[..LOOKS_MAX].iter().all(|is_ok| *is_ok));
    assert!(!answers[LOOKS_MAX]);
    assert!(log.latest(&room(ROOM), None, 1).await.is_ok(), "there is room again");
    log.close().await;
}

#[tokio::test]
async fn what_is_not_ours_is_refused() {
    let with = async |sql: &str| {
        let folder = written().await;
        file(&folder).execute_batch(sql).unwrap();
        open_with(&folder, retentions(), Arc::default()).unwrap_err()
    };
    let later = with("PRAGMA user_version = 2").await;
    assert!(matches!(later, OpenError::Version { found: 2, known: 1, .. }), "{later}");
    assert!(matches!(with("PRAGMA user_version = -1").await, OpenError::Version { .. }));
    assert!(matches!(with("PRAGMA application_id = 1").await, OpenError::Application(_)));
    let folder = TempDir::new().unwrap();
    file(&folder).execute_batch("CREATE TABLE a (b)").unwrap();
    let other = open_with(&folder, retentions(), Arc::default()).unwrap_err();
    assert!(matches!(other, OpenError::Application(_)), "{other}");
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("events.db"), [7; 8_192]).unwrap();
    let garbage = open_with(&folder, retentions(), Arc::default()).unwrap_err();
    assert!(matches!(garbage, OpenError::Log { .. }), "{garbage}");
}
