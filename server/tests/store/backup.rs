//! Copies of a store, made while it is used.

use std::fs;

use hither_protocol::DocumentId;
use hither_server::store::{BackupError, Store, back_up};

use crate::plan::{check_content, close, edit, folded, folder, open, room, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d1_a_copy_of_a_store_in_use_is_whole_and_of_other_documents() {
    let (from, to) = (folder(), folder());
    let store = open(from.path(), None).unwrap();
    for sequence in 1..=30 {
        soon(store.append(&room(0), edit(0, sequence))).await.unwrap();
    }
    let copy = to.path().join("documents.db");
    let (source, target) = (from.path().to_owned(), copy.clone());
    let copying = tokio::task::spawn_blocking(move || back_up(&source, &target, true).unwrap());
    let mut sequence = 1;
    while !copying.is_finished() || sequence < 40 {
        let both = [
            store.append(&room(0), edit(0, sequence + 30)),
            store.append(&room(1), edit(1, sequence)),
        ];
        for append in both {
            soon(append).await.unwrap();
        }
        sequence += 1;
    }
    let backup = copying.await.unwrap();
    assert!(backup.rooms >= 1 && backup.bytes == fs::metadata(&copy).unwrap().len());
    let restored = open(to.path(), None).unwrap();
    let saved = soon(restored.load(&room(0))).await.unwrap();
    let edits = saved.document.sequence();
    assert!((30..=sequence + 29).contains(&edits), "{edits}");
    let expected = folded(0, edits);
    assert!(saved.document.id() != expected.document.id() && saved.document.id() != DocumentId(0));
    assert!(saved.document.records().eq(expected.document.records()));
    assert_eq!(saved.editors, expected.editors);
    // It goes on as what it is now.
    let mut next = edit(0, edits + 1);
    soon(restored.append(&room(0), next.clone())).await.unwrap_err();
    next.document = saved.document.id();
    soon(restored.append(&room(0), next)).await.unwrap();
    close(restored).await.unwrap();
    assert!(matches!(back_up(from.path(), &copy, true), Err(BackupError::Exists(_))));
    close(store).await.unwrap();
    assert_eq!(back_up(from.path(), &to.path().join("again.db"), false).unwrap().rooms, 2);
}

#[tokio::test]
async fn what_is_damaged_is_not_copied() {
    let (from, to) = (folder(), folder());
    let store = open(from.path(), None).unwrap();
    soon(store.append(&room(0), edit(0, 1))).await.unwrap();
    close(store).await.unwrap();
    let path = from.path().join("documents.db");
    let mut bytes = fs::read(&path).unwrap();
    let text = crate::plan::text(0, 1);
    let at = bytes.windows(text.len()).position(|at| at == text.as_bytes()).unwrap();
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = back_up(from.path(), &to.path().join("copy.db"), false).unwrap_err();
    assert!(matches!(error, BackupError::Store { .. }), "{error:?}");
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0, "nothing is left");
    let error = back_up(to.path(), &to.path().join("copy.db"), false).unwrap_err();
    assert!(matches!(error, BackupError::Nothing(_)), "{error:?}");
}

#[tokio::test]
async fn d1_a_copy_that_is_put_in_place_twice_is_other_documents_each_time() {
    let (from, to) = (folder(), folder());
    let store = open(from.path(), None).unwrap();
    soon(store.append(&room(0), edit(0, 1))).await.unwrap();
    let copy = to.path().join("copy.db");
    back_up(from.path(), &copy, true).unwrap();
    let mut documents = vec![edit(0, 1).document];
    for _ in 0..2 {
        // As docs/OPERATING.md has it.
        let restored = folder();
        fs::copy(&copy, restored.path().join("documents.db")).unwrap();
        let (edits, document) =
            check_content(&open(restored.path(), None).unwrap(), 0).await.unwrap();
        assert!(edits == 1 && !documents.contains(&document), "{document:?} of {documents:?}");
        documents.push(document);
    }
    close(store).await.unwrap();
    // What is copied without its mark stays as it is.
    fs::remove_file(from.path().join("documents.mark")).unwrap();
    let database = || fs::read(from.path().join("documents.db")).unwrap();
    let before = database();
    back_up(from.path(), &to.path().join("again.db"), false).unwrap();
    assert!(database() == before && !from.path().join("documents.mark").exists());
}
