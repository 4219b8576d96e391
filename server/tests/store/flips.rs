//! Files that are cut short, and files with a flipped bit: what is acked is all there, or the store says that it is
//! not.

use std::fs;
use std::path::Path;

use hither_server::store::{OpenError, SqliteStore, Store, StoreError};

use crate::plan::{check, close, edit, folder, open, options, room, soon};

const FILES: [&str; 3] = ["documents.db", "documents.db-wal", "documents.mark"];
const PAGE: usize = 4_096;
const FRAME: usize = PAGE + 24;

/// What is found of files that were tampered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Everything that was acked.
    All,
    /// Nothing: the store does not open.
    Refused,
    /// A room that says that it is damaged.
    Damaged,
}

/// The files of a store of two rooms with so many edits each.
async fn files(edits: u64, is_closed: bool) -> Vec<(&'static str, Vec<u8>)> {
    let folder = folder();
    let store = open(folder.path(), None).unwrap();
    for sequence in 1..=edits {
        for index in 0..2 {
            soon(store.append(&room(index), edit(index, sequence))).await.unwrap();
        }
    }
    let read = |folder: &Path| {
        FILES.map(|name| (name, fs::read(folder.join(name)).unwrap_or_default())).to_vec()
    };
    if is_closed {
        close(store).await.unwrap();
        return read(folder.path());
    }
    read(folder.path())
}

async fn find(files: &[(&'static str, Vec<u8>)], edits: u64, context: &str) -> Found {
    let folder = folder();
    for (name, bytes) in files.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let Ok(store) = open(folder.path(), None) else { return Found::Refused };
    let mut found = Found::All;
    for index in 0..2 {
        match check(&store, index).await {
            Ok(there) => assert_eq!(there, edits, "{context}: room {index} is silently another"),
            Err(StoreError::Damaged(_)) => found = Found::Damaged,
            Err(error) => panic!("{context}: {error}"),
        }
    }
    close(store).await.unwrap();
    found
}

/// How often each was found.
#[derive(Debug, Default)]
struct Tally {
    all: u32,
    refused: u32,
    damaged: u32,
}

impl Tally {
    fn add(&mut self, found: Found) {
        match found {
            Found::All => self.all += 1,
            Found::Refused => self.refused += 1,
            Found::Damaged => self.damaged += 1,
        }
    }
}

#[tokio::test]
async fn a_log_that_is_cut_short_is_refused() {
    let whole = quiet(6).await;
    assert_eq!(find(&whole, 6, "whole").await, Found::All);
    let len = whole[1].1.len();
    let mut tally = Tally::default();
    let near = (len - 2 * FRAME..len).step_by(31);
    for cut in near.chain((0..len - 2 * FRAME).step_by(977)) {
        let mut files = whole.clone();
        files[1].1.truncate(cut);
        tally.add(find(&files, 6, &format!("the log cut at {cut} of {len}")).await);
    }
    assert_eq!((tally.all, tally.damaged), (0, 0), "{tally:?}");
}

/// The files with a log that no checkpoint has been at.
async fn quiet(edits: u64) -> Vec<(&'static str, Vec<u8>)> {
    let folder = folder();
    let options = hither_server::store::SqliteOptions { wal_bytes: 1 << 30, ..options(None) };
    let store = SqliteStore::open(folder.path(), options, Default::default()).unwrap();
    for sequence in 1..=edits {
        for index in 0..2 {
            soon(store.append(&room(index), edit(index, sequence))).await.unwrap();
        }
    }
    // The load is behind all that the writer does by itself.
    soon(store.load(&room(0))).await.unwrap();
    FILES.map(|name| (name, fs::read(folder.path().join(name)).unwrap())).to_vec()
}

#[tokio::test]
async fn a_flipped_bit_of_the_log_is_refused_or_changes_nothing() {
    let whole = quiet(6).await;
    let len = whole[1].1.len();
    let mut tally = Tally::default();
    let heads = (0..32).chain(len - FRAME..len - FRAME + 24);
    let heads = heads.chain(len - 2 * FRAME..len - 2 * FRAME + 24).map(|byte| 8 * byte);
    let heads = heads.flat_map(|byte| byte..byte + 8);
    let pages = (8 * (len - 2 * FRAME)..8 * len).step_by(61);
    let all = (0..8 * len).step_by(7_919);
    for bit in heads.chain(pages).chain(all) {
        let mut files = whole.clone();
        files[1].1[bit / 8] ^= 1 << (bit % 8);
        tally.add(find(&files, 6, &format!("bit {bit} of the log's {len} bytes")).await);
    }
    assert_eq!((tally.all, tally.damaged), (0, 0), "{tally:?}");
}

#[tokio::test]
async fn what_is_before_a_spoilt_frame_can_be_served_when_the_operator_says_so() {
    let mut files = quiet(6).await;
    let frames = files[1].1.len() / FRAME;
    let spoilt = frames / 2;
    files[1].1[32 + (spoilt - 1) * FRAME + 100] ^= 1;
    let folder = folder();
    let write = |files: &[(&str, Vec<u8>)]| {
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
    };
    write(&files);
    let Err(OpenError::LostTail { frame, path }) = open(folder.path(), None) else { panic!() };
    assert_eq!((frame, path), (spoilt as u64, folder.path().join("documents.db-wal")));
    // As docs/OPERATING.md has it.
    files[1].1.truncate(32 + (spoilt - 1) * 4_120);
    write(&files);
    fs::remove_file(folder.path().join("documents.mark")).unwrap();
    let store = open(folder.path(), None).unwrap();
    for index in 0..2 {
        let edits = check(&store, index).await.unwrap();
        assert!((1..6).contains(&edits), "{edits}");
    }
}

#[tokio::test]
async fn a_database_that_is_cut_short_is_refused_or_damaged() {
    let whole = files(20, true).await;
    assert_eq!(find(&whole, 20, "whole").await, Found::All);
    let len = whole[0].1.len();
    for cut in (0..len).step_by(509).chain(len - 32..len) {
        let mut files = whole.clone();
        files[0].1.truncate(cut);
        let context = format!("the database cut at {cut} of {len}");
        let found = find(&files, 20, &context).await;
        // What is cut of the last page may be free.
        assert!(found != Found::All || cut > len - PAGE, "{context}");
    }
}

#[tokio::test]
async fn a_flipped_bit_of_the_database_is_refused_or_damaged_or_changes_nothing() {
    let whole = files(20, true).await;
    let len = whole[0].1.len();
    let mut tally = Tally::default();
    for bit in (0..8 * len).step_by(197) {
        let mut files = whole.clone();
        files[0].1[bit / 8] ^= 1 << (bit % 8);
        tally.add(find(&files, 20, &format!("bit {bit} of the database's {len} bytes")).await);
    }
    assert!(tally.all > 0 && tally.refused > 0 && tally.damaged > 0, "{tally:?}");
}

#[tokio::test]
async fn without_its_database_or_with_an_older_one_a_store_is_refused_until_the_operator_says() {
    let (older, newer) = (files(3, true).await, files(6, true).await);
    let mixed = [older[0].clone(), older[1].clone(), newer[2].clone()];
    assert_eq!(find(&mixed, 3, "an older database").await, Found::Refused);
    let gone = [("documents.db", Vec::new()), newer[2].clone()];
    assert_eq!(find(&gone, 0, "no database").await, Found::Refused);
    let log_alone = [quiet(3).await[1].clone()];
    assert_eq!(find(&log_alone, 0, "a log alone").await, Found::Refused);
    assert_eq!(find(&mixed[..2], 3, "without the mark").await, Found::All);
}
