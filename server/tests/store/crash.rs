//! The power is cut at each of the first changes that a store makes to its disk.

use std::fs;
use std::path::Path;

use futures_util::FutureExt;
use hither_server::store::Store;

use crate::disk::{Disk, Survivors};
use crate::plan::{check, close, edit, folder, open, room, soon};

const CUTS: u64 = 500;
const ROOMS: usize = 3;
/// Edits of each room: enough for so many changes.
const EDITS: u64 = 80;

/// Writes until it is done or the power is cut; how many edits of each room were acked.
async fn work(folder: &Path, disk: &'static Disk) -> [u64; ROOMS] {
    let mut acked = [0; ROOMS];
    let Ok(store) = open(folder, Some(&disk.name)) else { return acked };
    let mut sequence = 1;
    while sequence <= EDITS && !disk.is_cut() {
        // One, two or three edits of each room at once.
        let last = EDITS.min(sequence + sequence % 3);
        let mut pending = Vec::new();
        for sequence in sequence..=last {
            for index in 0..ROOMS {
                pending.push((index, sequence, store.append(&room(index), edit(index, sequence))));
            }
        }
        for (index, sequence, mut append) in pending {
            let done = tokio::select! {
                biased;
                done = &mut append => Some(done),
                () = disk.cut() => append.now_or_never(),
            };
            match done {
                Some(Ok(())) => acked[index] = sequence,
                Some(Err(error)) => assert!(disk.is_cut(), "{error}"),
                None => {}
            }
        }
        if sequence % 5 == 0 && !disk.is_cut() {
            let load = store.load(&room(0));
            tokio::select! { _ = load => {} () = disk.cut() => {} }
        }
        sequence = last + 1;
    }
    acked
}

async fn cut_at(cut: u64) -> u64 {
    let (before, disk) = (folder(), Disk::new(Some(cut)));
    let acked = soon(work(before.path(), disk)).await;
    let seeds = [cut * 2 + 1, cut * 0x9e37_79b9 + 1].map(Survivors::Some);
    for survivors in [Survivors::None, Survivors::All, seeds[0], seeds[1]] {
        let after = folder();
        disk.save(after.path(), survivors);
        let mark = before.path().join("documents.mark");
        if mark.exists() {
            fs::copy(mark, after.path().join("documents.mark")).unwrap();
        }
        let context = format!("cut at change {cut}, {survivors:?}");
        let store = open(after.path(), None).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        for (index, acked) in acked.iter().enumerate() {
            let found = check(&store, index).await;
            let edits = found.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert!(edits >= *acked, "{context}: room {index} has {edits} edits of {acked}");
            // And it goes on.
            if edits > 0 {
                soon(store.append(&room(index), edit(index, edits + 1))).await.unwrap();
                assert_eq!(check(&store, index).await, Ok(edits + 1), "{context}");
            }
        }
        close(store).await.unwrap();
    }
    disk.changes()
}

fn cuts(first: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for cut in (first..=CUTS).step_by(4) {
        let changes = runtime.block_on(cut_at(cut));
        assert!(changes >= cut, "there are only {changes} changes");
    }
}

#[test]
fn d5_whatever_change_the_power_is_cut_at_what_was_acked_is_there() {
    cuts(1);
}

#[test]
fn d5_whatever_change_the_power_is_cut_at_what_was_acked_is_there_2() {
    cuts(2);
}

#[test]
fn d5_whatever_change_the_power_is_cut_at_what_was_acked_is_there_3() {
    cuts(3);
}

#[test]
fn d5_whatever_change_the_power_is_cut_at_what_was_acked_is_there_4() {
    cuts(4);
}
