//! Files that are cut short, and files with a flipped bit: what is acked is all there, or the store says that it is
//! not.

use std::fs;
use std::ops::Range;
use std::path::Path;

use hither_server::store::{OpenError, SqliteOptions, SqliteStore, Store, StoreError};

use crate::plan::{check_content, close, edit, folder, open, options, room, soon};

const FILES: [&str; 3] = ["documents.db", "documents.db-wal", "documents.mark"];
const PAGE: usize = 4_096;
const FRAME: usize = PAGE + 24;
/// So many pages at the end of a file are looked at closely, of the log more than an edit's commit has.
const TAIL: usize = 4;

/// What is found of files that were tampered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Everything that was acked.
    All,
    /// The first edits of it, and as other documents, so that whoever knows more is told.
    Prefix,
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
        match check_content(&store, index).await {
            Ok((there, _)) if there == edits => {}
            Ok((there, document)) => {
                let is_same = document == edit(index, 1).document;
                assert!(!is_same && there < edits, "{context}: room {index} is silently another");
                found = Found::Prefix;
            }
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
    prefix: u32,
    refused: u32,
    damaged: u32,
}

impl Tally {
    fn add(&mut self, found: Found) {
        match found {
            Found::All => self.all += 1,
            Found::Prefix => self.prefix += 1,
            Found::Refused => self.refused += 1,
            Found::Damaged => self.damaged += 1,
        }
    }
}

/// Every so many, as there are many; each of them in a soak.
fn each(places: Range<usize>, step: usize) -> impl Iterator<Item = usize> {
    let is_soak = std::env::var_os("HITHER_SOAK_MINUTES").is_some();
    places.step_by(if is_soak { 1 } else { step })
}

/// Where the last pages or frames of a file begin.
fn tail(files: &[(&str, Vec<u8>)], file: usize, part: usize) -> Range<usize> {
    let len = files[file].1.len();
    len - TAIL * part..len
}

/// What is found of a file that is cut at each of these bytes.
async fn cut(
    whole: &[(&'static str, Vec<u8>)],
    file: usize,
    edits: u64,
    places: impl Iterator<Item = usize>,
) -> Tally {
    let mut tally = Tally::default();
    for place in places {
        let mut files = whole.to_vec();
        files[file].1.truncate(place);
        tally.add(find(&files, edits, &format!("{} cut at {place}", files[file].0)).await);
    }
    tally
}

/// What is found of a file of which each of these bits is another.
async fn flip(
    whole: &[(&'static str, Vec<u8>)],
    file: usize,
    edits: u64,
    bits: impl Iterator<Item = usize>,
) -> Tally {
    let mut tally = Tally::default();
    for bit in bits {
        let mut files = whole.to_vec();
        files[file].1[bit / 8] ^= 1 << (bit % 8);
        tally.add(find(&files, edits, &format!("bit {bit} of {}", files[file].0)).await);
    }
    tally
}

#[tokio::test]
async fn a_log_that_is_cut_short_is_refused() {
    let whole = quiet(6).await;
    assert_eq!(find(&whole, 6, "whole").await, Found::All);
    let tail = tail(&whole, 1, FRAME);
    let before = (0..tail.start).step_by(977);
    let tally = cut(&whole, 1, 6, each(tail, 31).chain(before)).await;
    println!("the log cut short: {tally:?}");
    assert_eq!((tally.all, tally.prefix, tally.damaged), (0, 0, 0), "{tally:?}");
}

#[tokio::test]
async fn d1_a_log_that_is_cut_short_without_a_mark_is_a_prefix_and_of_other_documents() {
    let mut whole = quiet(6).await;
    whole.truncate(2);
    let tail = tail(&whole, 1, FRAME);
    let before = (0..tail.start).step_by(2_477);
    let tally = cut(&whole, 1, 6, each(tail, 67).chain(before)).await;
    println!("the log cut short, without a mark: {tally:?}");
    assert!(tally.prefix > 0 && tally.damaged == 0, "{tally:?}");
}

/// The files with a log that no checkpoint has been at, and nothing but edits.
async fn quiet(edits: u64) -> Vec<(&'static str, Vec<u8>)> {
    let folder = folder();
    let options = SqliteOptions { wal_bytes: 1 << 30, fold_edits: 1_000, ..options(None) };
    let store = SqliteStore::open(folder.path(), options, Default::default()).unwrap();
    for sequence in 1..=edits {
        for index in 0..2 {
            soon(store.append(&room(index), edit(index, sequence))).await.unwrap();
        }
    }
    FILES.map(|name| (name, fs::read(folder.path().join(name)).unwrap())).to_vec()
}

#[tokio::test]
async fn a_flipped_bit_of_the_log_is_refused_or_changes_nothing() {
    let whole = quiet(6).await;
    let tail = tail(&whole, 1, FRAME);
    let heads = (0..32).chain(tail.clone().step_by(FRAME).flat_map(|frame| frame..frame + 24));
    let heads = heads.flat_map(|byte| 8 * byte..8 * byte + 8);
    let before = (0..8 * tail.start).step_by(7_919);
    let bits = heads.chain(each(8 * tail.start..8 * tail.end, 61)).chain(before);
    let tally = flip(&whole, 1, 6, bits).await;
    println!("bits of the log: {tally:?}");
    assert_eq!((tally.all, tally.prefix, tally.damaged), (0, 0, 0), "{tally:?}");
}

#[tokio::test]
async fn d1_a_flipped_bit_of_the_log_without_a_mark_is_refused_or_makes_other_documents() {
    let mut whole = quiet(6).await;
    whole.truncate(2);
    let tail = tail(&whole, 1, FRAME);
    let tally = flip(&whole, 1, 6, each(8 * tail.start..8 * tail.end, 331)).await;
    println!("bits of the log, without a mark: {tally:?}");
    assert!(tally.prefix > 0 && tally.refused > 0 && tally.damaged == 0, "{tally:?}");
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
        let (edits, document) = check_content(&store, index).await.unwrap();
        assert!((1..6).contains(&edits), "{edits}");
        assert_ne!(document, edit(index, 1).document, "clients may have seen more of that");
    }
}

#[tokio::test]
async fn d1_without_a_mark_that_can_be_believed_the_documents_are_other_ones() {
    let whole = files(6, true).await;
    let spoil = |bit: usize| {
        let mut files = whole.clone();
        files[2].1[bit / 8] ^= 1 << (bit % 8);
        files
    };
    for files in [whole[..2].to_vec(), spoil(0), spoil(170), spoil(300)] {
        let folder = folder();
        for (name, bytes) in &files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let mut documents = Vec::new();
        for _ in 0..2 {
            let store = open(folder.path(), None).unwrap();
            for index in 0..2 {
                let (edits, document) = check_content(&store, index).await.unwrap();
                assert_eq!(edits, 6, "nothing else is another");
                documents.push(document);
            }
            close(store).await.unwrap();
        }
        assert!(documents[0] != edit(0, 1).document && documents[1] != edit(1, 1).document);
        assert_eq!(documents[..2], documents[2..], "once");
    }
}

#[tokio::test]
async fn a_database_that_is_cut_short_is_refused_or_damaged() {
    let whole = files(20, true).await;
    assert_eq!(find(&whole, 20, "whole").await, Found::All);
    let tail = tail(&whole, 0, PAGE);
    let page = tail.end - PAGE;
    let before = (0..tail.start).step_by(509);
    let mut tally = cut(&whole, 0, 20, each(tail.start..page + 1, 509).chain(before)).await;
    assert_eq!((tally.all, tally.prefix), (0, 0), "{tally:?}");
    // What is cut of the last page may be free.
    for place in each(page + 1..tail.end - 32, 509).chain(tail.end - 32..tail.end) {
        let mut files = whole.clone();
        files[0].1.truncate(place);
        tally.add(find(&files, 20, &format!("the database cut at {place}")).await);
    }
    println!("the database cut short: {tally:?}");
}

#[tokio::test]
async fn a_flipped_bit_of_the_database_is_refused_or_damaged_or_changes_nothing() {
    let whole = files(20, true).await;
    let tail = tail(&whole, 0, PAGE);
    let bits = each(8 * tail.start..8 * tail.end, 197).chain((0..8 * tail.start).step_by(197));
    let tally = flip(&whole, 0, 20, bits).await;
    println!("bits of the database: {tally:?}");
    assert!(tally.all > 0 && tally.refused > 0 && tally.damaged > 0, "{tally:?}");
    assert_eq!(tally.prefix, 0, "{tally:?}");
}

#[tokio::test]
async fn without_its_database_or_with_an_older_one_a_store_is_refused() {
    let (older, newer) = (files(3, true).await, files(6, true).await);
    let mixed = [older[0].clone(), older[1].clone(), newer[2].clone()];
    assert_eq!(find(&mixed, 3, "an older database").await, Found::Refused);
    let gone = [("documents.db", Vec::new()), newer[2].clone()];
    assert_eq!(find(&gone, 0, "no database").await, Found::Refused);
    let log_alone = [quiet(3).await[1].clone()];
    assert_eq!(find(&log_alone, 0, "a log alone").await, Found::Refused);
}
