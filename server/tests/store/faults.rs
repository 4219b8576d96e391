//! What a disk does to a store that is in use: it is full, read-only, slow, or lies; and what the store says meanwhile.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use hither_server::metrics::Metrics;
use hither_server::store::{Pending, Retention, SqliteOptions, SqliteStore, Store};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::disk::{Disk, Fault, Survivors};
use crate::plan::{self, check, close, edit, folder, open, room, soon, text};

/// A store on a disk of its own, with one edit.
async fn begun() -> (TempDir, &'static Disk, SqliteStore) {
    let (folder, disk) = (folder(), Disk::new(None));
    let store = open(folder.path(), Some(&disk.name)).unwrap();
    soon(store.append(&room(0), edit(0, 1))).await.unwrap();
    (folder, disk, store)
}

async fn until(is_so: impl Fn() -> bool) {
    soon(async {
        while !is_so() {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// Whether none of them is ready.
fn all_wait(appends: &mut [Pending<()>]) -> bool {
    appends.iter_mut().all(|append| append.now_or_never().is_none())
}

async fn outlasts(fault: Fault) {
    let (folder, disk, store) = begun().await;
    disk.set_fault(fault);
    let mut appends: Vec<_> =
        (2..=9).map(|sequence| store.append(&room(0), edit(0, sequence))).collect();
    until(|| !store.is_available()).await;
    appends.push(store.append(&room(1), edit(1, 1)));
    assert!(all_wait(&mut appends), "an answer while nothing can be stored");
    disk.set_fault(Fault::None);
    for append in appends {
        soon(append).await.unwrap();
    }
    until(|| store.is_available()).await;
    assert_eq!(check(&store, 0).await, Ok(9));
    close(store).await.unwrap();
    let store = open(folder.path(), None).unwrap();
    assert_eq!((check(&store, 0).await, check(&store, 1).await), (Ok(9), Ok(1)));
}

#[tokio::test]
async fn a_full_disk_is_waited_for_and_nothing_is_answered() {
    outlasts(Fault::Full).await;
}

#[tokio::test]
async fn a_disk_that_may_not_be_written_is_waited_for() {
    outlasts(Fault::ReadOnly).await;
}

#[tokio::test]
async fn a_sync_that_fails_and_was_done_nevertheless_stores_an_edit_once() {
    let (folder, disk, store) = begun().await;
    disk.set_fault(Fault::Lie);
    let both = [store.append(&room(0), edit(0, 2)), store.append(&room(1), edit(1, 1))];
    until(|| !store.is_available()).await;
    for append in both {
        soon(append).await.unwrap();
    }
    soon(store.append(&room(0), edit(0, 3))).await.unwrap();
    assert!(store.is_available());
    close(store).await.unwrap();
    let store = open(folder.path(), None).unwrap();
    assert_eq!((check(&store, 0).await, check(&store, 1).await), (Ok(3), Ok(1)));
}

/// As the kernels do: what a failed sync had to write is in memory still, and no later sync writes it.
#[tokio::test]
async fn d5_what_a_failed_sync_has_lost_is_written_once_more() {
    for losses in 1..8 {
        let (folder, disk) = (plan::folder(), Disk::new(None));
        // At first the writer alone is connected, so that what the failed commit has left is found; and no checkpoint
        // comes in between.
        let options = SqliteOptions { wal_bytes: 1 << 30, ..plan::options(Some(&disk.name)) };
        let store = SqliteStore::open(folder.path(), options, Default::default()).unwrap();
        for sequence in 1..=10 {
            let is_lost = sequence <= 3 && losses & 1 << (sequence - 1) != 0;
            disk.set_fault(if is_lost { Fault::Lossy } else { Fault::None });
            soon(store.append(&room(0), edit(0, sequence))).await.unwrap();
        }
        let after = plan::folder();
        disk.save(after.path(), Survivors::None);
        let mark = "documents.mark";
        fs::copy(folder.path().join(mark), after.path().join(mark)).unwrap();
        assert_eq!(check(&open(after.path(), None).unwrap(), 0).await, Ok(10), "{losses}");
    }
}

#[tokio::test]
async fn d5_what_a_killed_process_had_not_synced_is_durable_before_the_next_one_tells_of_it() {
    let (killed, disk, store) = begun().await;
    disk.set_fault(Fault::Slow);
    let append = store.append(&room(0), edit(0, 2));
    disk.wait_for_sync();
    let (next, cut) = (plan::folder(), plan::folder());
    for file in ["documents.db", "documents.db-wal", "documents.mark"] {
        fs::copy(killed.path().join(file), next.path().join(file)).unwrap();
    }
    let again = disk.again();
    disk.set_fault(Fault::None);
    soon(append).await.unwrap();

    let store = open(next.path(), Some(&again.name)).unwrap();
    assert_eq!(check(&store, 0).await, Ok(2));
    again.save(cut.path(), Survivors::None);
    fs::copy(next.path().join("documents.mark"), cut.path().join("documents.mark")).unwrap();
    assert_eq!(check(&open(cut.path(), None).unwrap(), 0).await, Ok(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d5_no_edit_is_acked_before_its_sync() {
    let (_folder, disk, store) = begun().await;
    disk.set_fault(Fault::Slow);
    let mut appends = vec![store.append(&room(0), edit(0, 2))];
    disk.wait_for_sync();
    // What comes while the disk syncs waits for the next.
    appends.push(store.append(&room(0), edit(0, 3)));
    let load = store.load(&room(0));
    assert!(
        timeout(Duration::from_millis(200), load).await.is_err(),
        "it has what is given before"
    );
    assert!(all_wait(&mut appends));
    assert!(store.is_available(), "slow is not broken");
    disk.set_fault(Fault::None);
    for append in appends {
        soon(append).await.unwrap();
    }
    // At each ack the edit would be found after a power cut.
    for sequence in 4..=60 {
        let appends: Vec<_> = (0..8)
            .map(|index| (index, if index == 0 { sequence } else { sequence - 3 }))
            .map(|(index, sequence)| {
                (text(index, sequence), store.append(&room(index), edit(index, sequence)))
            })
            .collect();
        for (text, append) in appends {
            soon(append).await.unwrap();
            assert!(disk.holds(text.as_bytes()), "{text}");
        }
    }
}

#[tokio::test]
async fn a_load_that_takes_too_long_fails() {
    let (_folder, disk, store) = begun().await;
    disk.set_fault(Fault::Slow);
    let append = store.append(&room(0), edit(0, 2));
    disk.wait_for_sync();
    tokio::time::pause();
    let failed = store.load(&room(0)).await.unwrap_err();
    assert!(failed.to_string().contains("too long"), "{failed}");
    disk.set_fault(Fault::None);
    append.await.unwrap();
}

/// What is said at once of a read that fails.
fn refused<T: std::fmt::Debug>(read: Pending<T>) -> Option<String> {
    Some(read.now_or_never()?.unwrap_err().to_string())
}

#[tokio::test]
async fn a_read_fails_at_once_while_nothing_can_be_stored() {
    let (_folder, disk, store) = begun().await;
    disk.set_fault(Fault::Full);
    let append = store.append(&room(0), edit(0, 2));
    until(|| !store.is_available()).await;
    let why = Some("the store is not available: edits can't be stored".to_owned());
    assert_eq!(refused(store.load(&room(0))), why);
    assert_eq!(refused(store.history(&room(0), None, 10)), why);
    disk.set_fault(Fault::None);
    soon(append).await.unwrap();
    assert_eq!(check(&store, 0).await, Ok(2));
}

#[tokio::test]
async fn so_many_reads_wait_and_the_next_are_refused_and_counted() {
    let (folder, disk, metrics) = (folder(), Disk::new(None), Arc::<Metrics>::default());
    let options = plan::options(Some(&disk.name));
    let store = SqliteStore::open(folder.path(), options, metrics.clone()).unwrap();
    disk.set_fault(Fault::Slow);
    let append = store.append(&room(0), edit(0, 1));
    disk.wait_for_sync();
    let mut waiting = Vec::new();
    let why = loop {
        let mut load = store.load(&room(0));
        match (&mut load).now_or_never() {
            None => waiting.push(load),
            Some(answer) => break answer.unwrap_err().to_string(),
        }
        assert!(waiting.len() < 100_000, "there is no bound");
    };
    assert!(why.contains("too many"), "{why}");
    assert_eq!(metrics.store_reads_refused.get(), 1);
    // Whoever asked has gone; when the disk goes on, nobody is in the way any more.
    drop(waiting);
    disk.set_fault(Fault::None);
    soon(append).await.unwrap();
    soon(async {
        while store.load(&room(0)).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_old_goes_even_if_edits_never_cease() {
    const OLD: usize = 4;
    let (folder, disk) = (folder(), Disk::new(None));
    let forever = Retention { edits: u64::MAX / 2, age: Duration::MAX };
    let options = plan::options(None);
    let keeping = SqliteOptions { retention: forever, ..options.clone() };
    let store = SqliteStore::open(folder.path(), keeping, Default::default()).unwrap();
    for index in 1..=OLD {
        let mut old = edit(index, 1);
        Arc::make_mut(&mut old.edit).time_ms = 1;
        soon(store.append(&room(index), old)).await.unwrap();
    }
    close(store).await.unwrap();

    disk.set_fault(Fault::Slow);
    let options = SqliteOptions { vfs: Some(disk.name.clone()), ..options };
    let store = SqliteStore::open(folder.path(), options, Default::default()).unwrap();
    let mut appends = vec![store.append(&room(0), edit(0, 1))];
    for sequence in 2..=4_000 {
        // There is another before one is done.
        appends.push(store.append(&room(0), edit(0, sequence)));
        disk.wait_for_sync();
        disk.let_one_sync();
    }
    let looking = Connection::open(folder.path().join("documents.db")).unwrap();
    let sql = "SELECT count(*) FROM edits JOIN rooms ON room = id WHERE name != ?1";
    let old = looking.query_row(sql, [room(0).as_str()], |row| row.get::<_, i64>(0));
    assert_eq!(old, Ok(0), "old edits are there still");
    disk.set_fault(Fault::None);
    for append in appends {
        soon(append).await.unwrap();
    }
}

#[tokio::test]
async fn a_queue_that_is_full_says_so() {
    let (folder, disk) = (folder(), Disk::new(None));
    let vfs = Some(disk.name.clone());
    let options = SqliteOptions { queue_bytes_max: 1_000, vfs, ..SqliteOptions::default() };
    let store = SqliteStore::open(folder.path(), options, Default::default()).unwrap();
    disk.set_fault(Fault::Slow);
    let appends: Vec<_> =
        (1..=20).map(|sequence| store.append(&room(0), edit(0, sequence))).collect();
    assert!(!store.is_available());
    disk.set_fault(Fault::None);
    for append in appends {
        soon(append).await.unwrap();
    }
    assert!(store.is_available());
}

#[tokio::test]
async fn what_waits_when_the_store_is_dropped_is_stored() {
    let folder = folder();
    let open =
        || SqliteStore::open(folder.path(), SqliteOptions::default(), Default::default()).unwrap();
    let store = open();
    let appends: Vec<_> =
        (1..=100).map(|sequence| store.append(&room(0), edit(0, sequence))).collect();
    drop(store);
    for append in appends {
        soon(append).await.unwrap();
    }
    assert_eq!(check(&open(), 0).await, Ok(100));
}
