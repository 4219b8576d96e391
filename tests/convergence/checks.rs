//! What has to be true once a world is quiet, and what has happened in it.

use std::collections::{BTreeMap, BTreeSet};

use hither_protocol::Timestamp;

use crate::editor::{Editor, Fate};
use crate::world::World;

/// What happened in all worlds.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    edits: usize,
    acked: usize,
    rejected: usize,
    undone: usize,
    restarts: usize,
    disconnects: usize,
    outages: usize,
}

impl Totals {
    pub(crate) fn add(&mut self, world: &World) {
        let fates = world.editors.iter().flat_map(|editor| editor.fates.values());
        for fate in fates {
            self.edits += 1;
            self.acked += usize::from(matches!(fate, Fate::Acked(..)));
            self.rejected += usize::from(*fate == Fate::Rejected);
        }
        self.undone += world.editors.iter().map(|editor| editor.undone).sum::<usize>();
        self.restarts += world.restarts;
        self.disconnects += world.disconnects;
        self.outages += world.outages;
    }

    pub(crate) fn all_happened(&self) -> bool {
        let Self { acked, rejected, undone, restarts, disconnects, outages, .. } = *self;
        [acked, rejected, undone, restarts, disconnects, outages].iter().all(|count| *count > 100)
    }
}

/// Everything that is wrong; empty if all promises were kept.
pub(crate) fn check(world: &World) -> Vec<String> {
    if world.is_stuck {
        return vec!["it never comes to rest".to_owned()];
    }
    let mut findings = check_log(world);
    let truth = world.host.saved().document;
    for (number, editor) in world.editors.iter().enumerate() {
        let mut wrong = check_fates(world, editor);
        let room = editor.room.and_then(|room| editor.session.room(room));
        match room.and_then(|room| Some((room, room.records()?))) {
            None => wrong.push("it has no document".to_owned()),
            Some((room, records)) => {
                if *records.confirmed() != truth {
                    let has = records.confirmed();
                    wrong.push(format!("the document is {has:?}, not {truth:?}"));
                }
                let shown: BTreeMap<_, _> = records.iter().collect();
                let wanted: BTreeMap<_, _> =
                    truth.records().map(|(id, _, fields)| (id, fields)).collect();
                if shown != wanted {
                    wrong.push(format!("it shows {shown:?}, not {wanted:?}"));
                }
                if room.unanswered_edits() != 0 {
                    wrong.push(format!("{} edits wait", room.unanswered_edits()));
                }
            }
        }
        findings.extend(wrong.into_iter().map(|wrong| format!("editor {number}: {wrong}")));
    }
    findings
}

/// The order has no gaps, no edit is in it twice, and what was acked before another was submitted comes before it.
fn check_log(world: &World) -> Vec<String> {
    let log = &world.host.log;
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    let by_id: BTreeMap<_, &Editor> = world.editors.iter().map(|one| (one.id, one)).collect();
    for (place, logged) in (1..).zip(log) {
        if logged.edit.sequence != place {
            findings.push(format!("edit {} at place {place}", logged.edit.sequence));
        }
        if !seen.insert((logged.editor, logged.edit.number)) {
            findings.push(format!("edit {place} is there twice"));
        }
    }
    // From behind: no edit was submitted after one that has a later place was acked.
    let mut first_ack_after: Option<Timestamp> = None;
    for logged in log.iter().rev() {
        let Some(editor) = by_id.get(&logged.editor) else { continue };
        let number = logged.edit.number;
        let submitted = editor.submitted.get(&number);
        if let (Some(submitted), Some(acked)) = (submitted, first_ack_after)
            && *submitted > acked
        {
            let place = logged.edit.sequence;
            findings.push(format!("edit {place} was submitted after a later one was acked"));
        }
        if let Some(Fate::Acked(_, at)) = editor.fates.get(&number) {
            first_ack_after = Some(first_ack_after.map_or(*at, |first| first.min(*at)));
        }
    }
    findings
}

/// Each edit has one answer, and the log says the same.
fn check_fates(world: &World, editor: &Editor) -> Vec<String> {
    let mut findings = Vec::new();
    let of_editor = world.host.log.iter().filter(|logged| logged.editor == editor.id);
    let logged: BTreeMap<u64, u64> =
        of_editor.map(|logged| (logged.edit.number, logged.edit.sequence)).collect();
    for number in editor.submitted.keys() {
        let fate = editor.fates.get(number);
        let place = logged.get(number);
        let is_so = match fate {
            Some(Fate::Acked(sequence, _)) => place == Some(sequence),
            Some(Fate::Rejected) => place.is_none(),
            Some(Fate::Unanswered) | None => false,
        };
        if !is_so {
            findings.push(format!("edit {number}: {fate:?}, and in the log {place:?}"));
        }
    }
    if editor.twice > 0 {
        findings.push(format!("{} edits were answered twice", editor.twice));
    }
    if !editor.told.windows(2).all(|pair| pair[1] == pair[0] + 1) {
        findings.push(format!("told of {:?}", editor.told));
    }
    findings
}
