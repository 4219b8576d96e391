//! What a disk does to the log of events: nothing that it does stops anybody, what is not kept is counted, and after a
//! power cut there is a beginning of what was given, whole.

use std::sync::Arc;
use std::time::Duration;

use hither_protocol::message::control::{EventId, KeptEvent, User};
use hither_protocol::{Epoch, RoomName};
use hither_server::event_log::{
    EventLog, EventLogError, Retention, Retentions, SqliteEventLog, SqliteEventLogOptions,
};
use hither_server::metrics::{Metrics, NotKeptCause};
use tempfile::TempDir;

use crate::disk::{Disk, Fault, Survivors};
use crate::plan::{folder, room, soon};

const CUTS: u64 = 250;
const EVENTS: u64 = 100;

fn open(folder: &TempDir, vfs: Option<&str>, metrics: Arc<Metrics>) -> Option<SqliteEventLog> {
    let retention = Retention { events: 20, age: Duration::MAX };
    let retentions = Retentions::from([("default".to_owned(), retention)]);
    let vfs = vfs.map(str::to_owned);
    let options = SqliteEventLogOptions { vfs, ..SqliteEventLogOptions::default() };
    SqliteEventLog::open(folder.path(), retentions, options, metrics).ok()
}

fn event(number: u64) -> KeptEvent {
    let id = EventId { epoch: Epoch(1), number };
    let user = User { id: "ada".to_owned(), name: None };
    let time_ms = 1_700_000_000_000;
    KeptEvent { id, user, name: "said".to_owned(), data: "x".repeat(200).into(), time_ms }
}

async fn numbers(log: &SqliteEventLog, room: &RoomName) -> Result<Vec<u64>, EventLogError> {
    let found = soon(log.latest(room, None, 100)).await?;
    Ok(found.into_iter().map(|event| event.id.number).collect())
}

async fn outlasts(fault: Fault) {
    let (folder, disk, metrics) = (folder(), Disk::new(None), Arc::<Metrics>::default());
    let log = open(&folder, Some(&disk.name), metrics.clone()).unwrap();
    log.keep(&room(0), event(1));
    assert_eq!(numbers(&log, &room(0)).await, Ok(vec![1]));
    disk.set_fault(fault);
    for number in 2..=4 {
        log.keep(&room(0), event(number));
    }
    // Whether the disk can be read or not, that is an answer.
    let _ = numbers(&log, &room(0)).await;
    assert_eq!(metrics.events_not_kept[NotKeptCause::Failed].get(), 3);
    disk.set_fault(Fault::None);
    log.keep(&room(0), event(5));
    assert_eq!(numbers(&log, &room(0)).await, Ok(vec![1, 5]));
    assert_eq!(metrics.events_kept.get(), 2);
    soon(log.close()).await;
}

#[tokio::test]
async fn v6_a_full_disk_keeps_nothing_and_keeps_again_when_there_is_room() {
    outlasts(Fault::Full).await;
}

#[tokio::test]
async fn v6_a_disk_that_may_not_be_written_keeps_nothing_until_it_may() {
    outlasts(Fault::ReadOnly).await;
}

// proves V6
#[tokio::test]
async fn after_a_power_cut_there_is_a_beginning_of_what_was_given_and_it_goes_on() {
    for cut in 1..=CUTS {
        let (before, disk) = (folder(), Disk::new(Some(cut)));
        if let Some(log) = open(&before, Some(&disk.name), Arc::default()) {
            for number in 1..=EVENTS {
                log.keep(&room(0), event(number));
                if number % 5 == 0 {
                    // So that it is written in several commits.
                    let _ = numbers(&log, &room(0)).await;
                }
            }
            soon(log.close()).await;
        }
        for survivors in [Survivors::None, Survivors::All, Survivors::Some(cut * 2 + 1)] {
            let (after, context) = (folder(), format!("cut at change {cut}, {survivors:?}"));
            disk.save(after.path(), survivors);
            let metrics = Arc::<Metrics>::default();
            let log = open(&after, None, metrics.clone()).expect(&context);
            let found = numbers(&log, &room(0)).await.expect(&context);
            let last = found.last().copied().unwrap_or(0);
            assert_eq!(
                found,
                (1.max(last.saturating_sub(19))..=last).collect::<Vec<_>>(),
                "{context}"
            );
            log.keep(&room(0), event(EVENTS + 1));
            assert_eq!(
                numbers(&log, &room(0)).await.unwrap().last(),
                Some(&(EVENTS + 1)),
                "{context}"
            );
            assert_eq!(metrics.kept_events_damaged.get(), 0, "{context}");
            soon(log.close()).await;
        }
    }
}
