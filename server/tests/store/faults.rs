//! What a disk does to a store that is in use: it is full, read-only, slow, or lies; and what the store says meanwhile.

use std::time::Duration;

use futures_util::FutureExt;
use hither_server::store::{Pending, SqliteOptions, SqliteStore, Store};
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
        assert_eq!(check(&open(after.path(), None).unwrap(), 0).await, Ok(10), "{losses}");
    }
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
