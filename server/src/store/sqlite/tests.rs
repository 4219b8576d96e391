//! The durable store against the contract of all stores, and against the store in memory.

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
