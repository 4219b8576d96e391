//! A room's document and the order of its edits: what is ordered, what is durable, and who has been told.

mod editors;
mod saved;

pub use editors::{Editors, SavedEditor};
pub use saved::{LoggedEdit, RECENT_BYTES_MAX, Recent, SavedDocument};

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::Arc;

use hither_protocol::document::{Before, Document, Failure, Overlay};
use hither_protocol::limits::{
    EDIT_OPS_MAX, EDITS_UNANSWERED_MAX, RECORD_BYTES_MAX, RECORD_ID_BYTES_MAX,
};
use hither_protocol::message::control::User;
use hither_protocol::message::edits::{
    Ack, Edit, Edits, EditsToClient, Op, Open, Place, Reject, Snapshot, Submit,
};
use hither_protocol::message::{Refusal, Value, encoded_len};
use hither_protocol::{EditorId, Generation, Slot};

use super::{Output, Recipient};
use crate::policy::RoomPolicy;
use crate::validator::Proposal;

/// The most bytes of edits in one message.
const MESSAGE_BYTES: usize = 32 * 1024;
/// The most bytes of edits that are told in one tick, so that no tick fills a viewer's queue.
const TICK_BYTES: usize = 64 * 1024;
/// The most bytes of edits that are on their way to the store and to the others, and of what they have replaced, which
/// is kept until they are stored; beyond, editors are refused. As much as one editor has unanswered of the largest.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// After how long an editor who was refused for that may try again, in milliseconds: about a tick.
const RETRY_AFTER_MS: u64 = 100;
/// After how long one may try again who was refused since the store takes no edits.
const STORE_RETRY_AFTER_MS: u64 = 1_000;

/// Who submits an edit.
#[derive(Debug)]
pub(super) struct Author {
    pub(super) slot: Slot,
    pub(super) generation: Generation,
    pub(super) user: User,
    /// Why a new one is to be rejected.
    pub(super) refused: Option<Refusal>,
}

/// The document with all ordered edits, and the way of each edit from there to the others.
#[derive(Debug, Default)]
pub(super) struct EditLog {
    /// With every edit that has its place, durable or not.
    document: Document,
    editors: Editors,
    /// Ordered, but not durable yet.
    ordered: VecDeque<Ordered>,
    /// Durable, to be told in the coming ticks.
    stored: VecDeque<(usize, Edit)>,
    /// The bytes of both, and of the records that are kept as they were before what is ordered.
    waiting_bytes: usize,
    /// Told, the latest of them.
    recent: Recent,
    lanes: BTreeMap<Slot, Lane>,
    /// Whether the store takes no edits for now.
    is_refusing: bool,
}

/// An edit on its way to the store.
#[derive(Debug)]
struct Ordered {
    bytes: usize,
    logged: LoggedEdit,
    before: Before,
}

/// An open edits lane.
#[derive(Debug)]
struct Lane {
    editor: EditorId,
    /// What its member lacks of the document.
    loading: Option<Loading>,
}

/// How far a snapshot is.
#[derive(Debug)]
struct Loading {
    /// Its place, that of its first page: edits that are told later and were before it are in it.
    place: Place,
    /// The last record that was sent.
    after: Option<String>,
}

impl EditLog {
    /// Takes the document that the store has.
    pub(super) fn load(&mut self, saved: SavedDocument) {
        let SavedDocument { document, editors, recent, time_ms: _ } = saved;
        (self.document, self.editors, self.recent) = (document, editors, recent);
    }

    /// Opens a lane. First come the answers that there are to what the client has submitted; then the edits after the
    /// last that it has where they are known, else the first page of a snapshot: no later edits come before it (D3,
    /// D7).
    pub(super) fn open(&mut self, slot: Slot, open: &Open, outputs: &mut VecDeque<Output>) {
        let editor = open.editor;
        // No client that keeps to D7 has more.
        let unanswered = open.unanswered.iter().take(EDITS_UNANSWERED_MAX);
        let had = unanswered.filter(|number| self.editors.has_had(editor, **number));
        for answer in had.filter_map(|number| self.editors.again(editor, *number)) {
            outputs.push_back(Output::Edits(Recipient::One(slot), answer.encode()));
        }
        let mut lane = Lane { editor, loading: None };
        if let Some(missed) = open.after.and_then(|after| self.told_after(after)) {
            push_edits(Recipient::One(slot), missed, outputs);
        } else {
            let mut place = self.document.place();
            place.sequence -= self.ordered.len() as u64;
            lane.loading = Some(Loading { place, after: None });
        }
        self.lanes.insert(slot, lane);
        let page = self.page(slot).map(|page| EditsToClient::Snapshot(page).encode());
        outputs.extend(page.map(|page| Output::Edits(Recipient::One(slot), page)));
    }

    /// The member wants no more of the document, is gone, or its connection is.
    pub(super) fn close_lane(&mut self, slot: Slot) {
        self.lanes.remove(&slot);
    }

    /// Whether the store takes edits, as of now.
    pub(super) fn set_refusing(&mut self, is_refusing: bool) {
        self.is_refusing = is_refusing;
    }

    /// Whether edits wait for the coming ticks.
    pub(super) fn has_pending(&self) -> bool {
        !self.stored.is_empty()
    }

    /// Whether a member lacks a part of its snapshot.
    pub(super) fn is_loading(&self, slot: Slot) -> bool {
        self.lanes.get(&slot).is_some_and(|lane| lane.loading.is_some())
    }

    /// The next page of a member's snapshot: the document with the edits that are durable.
    pub(super) fn page(&mut self, slot: Slot) -> Option<Snapshot> {
        let Self { document, ordered, lanes, .. } = self;
        let lane = lanes.get_mut(&slot)?;
        let loading = lane.loading.as_mut()?;
        let mut durable = Overlay::default();
        ordered.iter().for_each(|ordered| durable.restore(&ordered.before));
        let Place { document: id, sequence } = loading.place;
        let after = loading.after.as_deref();
        let (records, more) = durable.page_after(document, after, MESSAGE_BYTES);
        if more {
            loading.after = records.last().map(|record| record.id.clone());
        } else {
            lane.loading = None;
        }
        Some(Snapshot { document: id, sequence, records, more })
    }

    /// Orders an edit, or rejects it, or answers a number again (D2, D6, D7).
    pub(super) fn submit(
        &mut self,
        author: Author,
        submit: Submit,
        time_ms: u64,
        policy: &RoomPolicy,
        outputs: &mut VecDeque<Output>,
    ) {
        let Some(&Lane { editor, .. }) = self.lanes.get(&author.slot) else { return };
        let to = Recipient::One(author.slot);
        let number = submit.number;
        if self.editors.has_had(editor, number) {
            let again = self.editors.again(editor, number);
            outputs.extend(again.map(|answer| Output::Edits(to, answer.encode())));
            return;
        }
        let bytes = encoded_len(&submit.ops);
        match self.commit(&author, &submit, bytes, policy) {
            Ok(before) => {
                self.editors.order(editor, number, time_ms);
                let edit = Edit {
                    sequence: self.document.sequence(),
                    time_ms,
                    user: author.user.id,
                    slot: author.slot,
                    generation: author.generation,
                    number,
                    ops: submit.ops,
                };
                let bytes = encoded_len(&edit);
                let document = self.document.id();
                let logged = LoggedEdit { document, editor, edit: Arc::new(edit) };
                outputs.push_back(Output::Store(logged.clone()));
                self.waiting_bytes += bytes + before.bytes();
                self.ordered.push_back(Ordered { bytes, logged, before });
            }
            Err(reject) => {
                // What is no number at all is not one that may come again.
                if number > 0 {
                    self.editors.reject(editor, reject.clone(), time_ms);
                }
                outputs.push_back(Output::Edits(to, EditsToClient::Reject(reject).encode()));
            }
        }
    }

    /// Everything up to `sequence` is durable: acks it. True if there is something to tell in the tick.
    pub(super) fn stored(&mut self, sequence: u64, outputs: &mut VecDeque<Output>) -> bool {
        let is_stored = |ordered: &mut Ordered| ordered.logged.edit.sequence <= sequence;
        while let Some(ordered) = self.ordered.pop_front_if(is_stored) {
            let LoggedEdit { editor, edit, document: _ } = ordered.logged;
            let ack = Ack { number: edit.number, sequence: edit.sequence, time_ms: edit.time_ms };
            self.editors.ack(editor, ack);
            // A client that came back may have left a lane behind that nobody has missed yet.
            let lanes = self.lanes.iter().filter(|(_, lane)| lane.editor == editor);
            let answer = EditsToClient::Ack(ack).encode();
            outputs.extend(
                lanes.map(|(slot, _)| Output::Edits(Recipient::One(*slot), answer.clone())),
            );
            self.waiting_bytes -= ordered.before.bytes();
            // A store that is done with it has left it to the room alone.
            self.stored.push_back((ordered.bytes, Arc::unwrap_or_clone(edit)));
        }
        !self.stored.is_empty()
    }

    /// Tells everyone what became durable, as much as fits a tick.
    pub(super) fn flush(&mut self, outputs: &mut VecDeque<Output>) {
        let mut edits = Vec::new();
        let mut told = 0;
        while let Some((bytes, edit)) =
            self.stored.pop_front_if(|(bytes, _)| told == 0 || told + *bytes <= TICK_BYTES)
        {
            told += bytes;
            edits.push(edit);
        }
        self.waiting_bytes -= told;
        for edit in push_edits(Recipient::All, edits, outputs) {
            self.recent.push(edit);
        }
    }

    /// Puts an edit into the document, if it may be.
    fn commit(
        &mut self,
        author: &Author,
        submit: &Submit,
        bytes: usize,
        policy: &RoomPolicy,
    ) -> Result<Before, Reject> {
        let Submit { number, ops } = submit;
        let reject =
            |failure: Failure| Reject::new(*number, failure, failure.refusal.name().to_owned());
        let retry = |refusal: Refusal, retry_after_ms| Reject {
            retry_after_ms: Some(retry_after_ms),
            ..reject(refusal.into())
        };
        check_form(*number, ops, bytes, policy).map_err(reject)?;
        if let Some(refusal) = author.refused {
            return Err(reject(refusal.into()));
        }
        if self.is_refusing {
            return Err(retry(Refusal::Unavailable, STORE_RETRY_AFTER_MS));
        }
        if self.waiting_bytes + bytes > WAITING_BYTES_MAX {
            return Err(retry(Refusal::RateLimited, RETRY_AFTER_MS));
        }
        if let Some(validator) = &policy.validator {
            let proposal = Proposal { user: &author.user, ops, document: &self.document };
            let invalid = |message| Reject::new(*number, Refusal::Invalid.into(), message);
            validator.check(&proposal).map_err(invalid)?;
        }
        self.document.commit(ops, policy.caps()).map_err(reject)
    }

    /// The told edits after a place; `None` if some of them are not known any more, or were never made.
    fn told_after(&self, after: Place) -> Option<Vec<Edit>> {
        let waiting = (self.stored.len() + self.ordered.len()) as u64;
        let told = self.document.sequence() - waiting;
        let missing = usize::try_from(told.checked_sub(after.sequence)?).ok()?;
        self.recent.last(missing).filter(|_| after.document == self.document.id())
    }
}

/// Whether an edit, whose operations have so many bytes, is within the table of limits, whatever the document.
fn check_form(number: u64, ops: &[Op], bytes: usize, policy: &RoomPolicy) -> Result<(), Failure> {
    let id_is_good = |op: &Op| (1..=RECORD_ID_BYTES_MAX).contains(&op.record.len());
    if number == 0 || ops.is_empty() || !ops.iter().all(id_is_good) {
        return Err(Refusal::BadRequest.into());
    }
    let depth = ops.iter().flat_map(|op| op.fields.values()).map(Value::depth).max().unwrap_or(0);
    let sizes = [(ops.len(), EDIT_OPS_MAX), (bytes, RECORD_BYTES_MAX), (depth, policy.depth_max)];
    match sizes.into_iter().find(|(size, cap)| size > cap) {
        None => Ok(()),
        Some((size, cap)) => Err(Failure {
            refusal: Refusal::TooLarge,
            limit: Some(cap as u64),
            value: Some(size as u64),
        }),
    }
}

/// Sends edits in as few messages as hold them, and gives them back.
fn push_edits(to: Recipient, edits: Vec<Edit>, outputs: &mut VecDeque<Output>) -> Vec<Edit> {
    let mut sent = Vec::with_capacity(edits.len());
    let mut batch = Vec::new();
    let mut bytes = 0;
    let mut send = |batch: &mut Vec<Edit>| {
        if !batch.is_empty() {
            let message = EditsToClient::Edits(Edits { edits: mem::take(batch) });
            outputs.push_back(Output::Edits(to, message.encode()));
            if let EditsToClient::Edits(Edits { edits }) = message {
                sent.extend(edits);
            }
        }
    };
    for edit in edits {
        let len = encoded_len(&edit);
        if bytes + len > MESSAGE_BYTES {
            send(&mut batch);
            bytes = 0;
        }
        bytes += len;
        batch.push(edit);
    }
    send(&mut batch);
    sent
}

#[cfg(test)]
mod tests {
    use hither_protocol::message::edits::OpKind;
    use hither_protocol::message::{FrameBuffer, Map};

    use super::*;

    const EDITOR: EditorId = EditorId([7; 16]);

    fn author() -> Author {
        let user = User { id: "u".into(), name: None };
        Author { slot: Slot(3), generation: Generation(1), user, refused: None }
    }

    fn open(log: &mut EditLog, slot: Slot, after: Option<u64>) -> VecDeque<Output> {
        let mut outputs = VecDeque::new();
        let place = |sequence| Place { document: log.document.id(), sequence };
        let open = Open { editor: EDITOR, after: after.map(place), ..Open::default() };
        log.open(slot, &open, &mut outputs);
        outputs
    }

    /// A log with a lane of the author's.
    fn open_log() -> EditLog {
        let mut log = EditLog::default();
        open(&mut log, Slot(3), None);
        log
    }

    fn put(record: &str, bytes: usize) -> Op {
        let fields = Map::from([("x".to_owned(), Value::String("x".repeat(bytes)))]);
        Op::new(OpKind::Put, record, fields)
    }

    /// Submits an edit, and returns what comes of it.
    fn submit(log: &mut EditLog, number: u64, ops: Vec<Op>) -> VecDeque<Output> {
        let mut outputs = VecDeque::new();
        let policy = RoomPolicy::default();
        log.submit(author(), Submit { number, ops }, 1, &policy, &mut outputs);
        outputs
    }

    fn messages(outputs: VecDeque<Output>) -> Vec<(Recipient, EditsToClient)> {
        let mut messages = Vec::new();
        for output in outputs {
            let Output::Edits(to, bytes) = output else { continue };
            let mut buffer = FrameBuffer::default();
            buffer.push(&bytes);
            let message = buffer.pop().unwrap().unwrap();
            messages.push((to, EditsToClient::decode(&message).unwrap().unwrap()));
        }
        messages
    }

    fn page(outputs: VecDeque<Output>) -> Snapshot {
        match messages(outputs).pop() {
            Some((_, EditsToClient::Snapshot(page))) => page,
            other => panic!("{other:?}"),
        }
    }

    fn refusal(outputs: VecDeque<Output>) -> Option<Refusal> {
        match messages(outputs).pop() {
            Some((_, EditsToClient::Reject(reject))) => Some(reject.code),
            _ => None,
        }
    }

    #[test]
    fn d5_an_ack_comes_when_the_store_has_the_edit_and_not_before() {
        let mut log = open_log();
        let outputs = submit(&mut log, 1, vec![put("a", 1)]);
        assert!(
            matches!(outputs.as_slices().0, [Output::Store(logged)] if logged.edit.sequence == 1)
        );
        let mut outputs = VecDeque::new();
        log.flush(&mut outputs);
        assert!(outputs.is_empty(), "nobody is told of what is not durable");
        assert!(log.stored(1, &mut outputs));
        let ack = Ack { number: 1, sequence: 1, time_ms: 1 };
        let expected = vec![(Recipient::One(Slot(3)), EditsToClient::Ack(ack))];
        assert_eq!(messages(mem::take(&mut outputs)), expected);
        log.flush(&mut outputs);
        assert!(matches!(&messages(outputs)[..], [(Recipient::All, EditsToClient::Edits(_))]));
    }

    #[test]
    fn d7_a_number_that_came_before_is_answered_again_and_not_applied() {
        let mut log = open_log();
        submit(&mut log, 1, vec![put("a", 1)]);
        assert!(submit(&mut log, 1, vec![put("a", 1)]).is_empty(), "its ack is under way");
        let mut acks = VecDeque::new();
        log.stored(1, &mut acks);
        assert_eq!(submit(&mut log, 1, vec![put("b", 1)]), acks);
        let mut submit_without_right = |number| {
            let mut outputs = VecDeque::new();
            let author = Author { refused: Some(Refusal::Forbidden), ..author() };
            let submit = Submit { number, ops: vec![put("c", 1)] };
            log.submit(author, submit, 1, &RoomPolicy::default(), &mut outputs);
            outputs
        };
        assert_eq!(submit_without_right(1), acks, "what was done was done");
        assert_eq!(refusal(submit_without_right(2)), Some(Refusal::Forbidden));
        let again = submit(&mut log, 2, vec![put("c", 1)]);
        assert_eq!(refusal(again), Some(Refusal::Forbidden), "and never will");
        assert_eq!(log.document.len(), 1);
        assert_eq!(refusal(submit(&mut log, 0, vec![put("a", 1)])), Some(Refusal::BadRequest));
    }

    #[test]
    fn d6_what_is_out_of_form_is_rejected() {
        let mut log = open_log();
        let cases = [
            (vec![], Refusal::BadRequest),
            (vec![put("", 1)], Refusal::BadRequest),
            (vec![put(&"i".repeat(129), 1)], Refusal::BadRequest),
            ((0..65).map(|_| put("a", 1)).collect(), Refusal::TooLarge),
            (vec![put("a", 40_000), put("b", 40_000)], Refusal::TooLarge),
            (vec![Op { kind: OpKind::Patch, ..put("none", 1) }], Refusal::NoRecord),
            (vec![Op { if_version: Some(1), ..put("none", 1) }], Refusal::Conflict),
        ];
        for (number, (ops, code)) in (1..).zip(cases) {
            assert_eq!(refusal(submit(&mut log, number, ops)), Some(code), "{number}");
        }
        assert_eq!(log.document.sequence(), 0);
    }

    #[test]
    fn d4_a_tick_tells_a_part_and_the_next_the_rest() {
        let mut log = open_log();
        for number in 1..=5 {
            submit(&mut log, number, vec![put("a", 30_000)]);
        }
        log.stored(5, &mut VecDeque::new());
        let mut told = Vec::new();
        while log.has_pending() {
            let mut outputs = VecDeque::new();
            log.flush(&mut outputs);
            let edits = messages(outputs).into_iter().flat_map(|(_, message)| match message {
                EditsToClient::Edits(batch) => batch.edits,
                other => panic!("{other:?}"),
            });
            told.push(edits.map(|edit| edit.sequence).collect::<Vec<_>>());
        }
        assert_eq!(told, [vec![1, 2], vec![3, 4], vec![5]]);
        assert_eq!(log.waiting_bytes, 0);
    }

    #[test]
    fn e2_editors_are_refused_when_too_much_waits_for_the_store() {
        let mut log = open_log();
        let new = |number: u64| vec![put(&number.to_string(), 60_000)];
        let refused = (1..100).find(|number| {
            refusal(submit(&mut log, *number, new(*number))) == Some(Refusal::RateLimited)
        });
        assert_eq!(refused, Some(70));
        log.stored(69, &mut VecDeque::new());
        log.flush(&mut VecDeque::new());
        assert_eq!(refusal(submit(&mut log, 71, new(71))), None);
    }

    #[test]
    fn e2_the_records_that_are_kept_as_they_were_count_until_the_edit_is_stored() {
        let mut log = open_log();
        submit(&mut log, 1, vec![put("a", 60_000)]);
        log.stored(1, &mut VecDeque::new());
        log.flush(&mut VecDeque::new());
        assert_eq!(log.waiting_bytes, 0);
        let mut patch = |number| {
            let fields = Map::from([("n".to_owned(), (number as i64).into())]);
            refusal(submit(&mut log, number, vec![Op::new(OpKind::Patch, "a", fields)]))
        };
        let refused = (2..100).find(|number| patch(*number) == Some(Refusal::RateLimited));
        assert_eq!(refused, Some(72));
        log.stored(71, &mut VecDeque::new());
        log.flush(&mut VecDeque::new());
        assert_eq!(log.waiting_bytes, 0);
    }

    #[test]
    fn d3_what_is_known_comes_as_edits_and_else_as_a_snapshot() {
        let mut log = open_log();
        for number in 1..=4 {
            submit(&mut log, number, vec![put(&format!("r{number}"), 20_000)]);
        }
        log.stored(4, &mut VecDeque::new());
        while log.has_pending() {
            log.flush(&mut VecDeque::new());
        }
        let outputs = open(&mut log, Slot(1), Some(2));
        let sequences: Vec<_> = messages(outputs)
            .into_iter()
            .flat_map(|(_, message)| match message {
                EditsToClient::Edits(batch) => batch.edits,
                other => panic!("{other:?}"),
            })
            .map(|edit| edit.sequence)
            .collect();
        assert_eq!(sequences, [3, 4]);
        assert_eq!(log.page(Slot(1)), None);

        let page = page(open(&mut log, Slot(1), Some(1)));
        assert_eq!((page.sequence, page.records.len(), page.more), (4, 1, true));
        let mut pages = 1;
        while let Some(page) = log.page(Slot(1)) {
            assert_eq!(page.sequence, 4);
            pages += 1;
        }
        assert_eq!(pages, 4);
    }

    #[test]
    fn d3_another_document_is_told_whole() {
        let mut log = open_log();
        submit(&mut log, 1, vec![put("a", 1)]);
        log.stored(1, &mut VecDeque::new());
        log.flush(&mut VecDeque::new());
        let place = Place { document: hither_protocol::DocumentId(9), sequence: 1 };
        let open = Open { after: Some(place), ..Open::default() };
        let mut outputs = VecDeque::new();
        log.open(Slot(1), &open, &mut outputs);
        assert!(matches!(&messages(outputs)[..], [(_, EditsToClient::Snapshot(_))]));
    }

    #[test]
    fn d3_a_snapshot_has_what_is_durable() {
        let mut log = open_log();
        submit(&mut log, 1, vec![put("a", 1)]);
        submit(&mut log, 2, vec![put("b", 1)]);
        log.stored(1, &mut VecDeque::new());
        let page = page(open(&mut log, Slot(1), None));
        let ids: Vec<_> = page.records.iter().map(|record| record.id.as_str()).collect();
        assert_eq!((page.sequence, &ids[..]), (1, &["a"][..]));
    }

    #[test]
    fn d7_open_answers_what_has_an_answer_before_anything_else() {
        let mut log = open_log();
        submit(&mut log, 1, vec![put("a", 1)]);
        submit(&mut log, 2, vec![]);
        log.stored(1, &mut VecDeque::new());
        submit(&mut log, 3, vec![put("b", 1)]);
        log.close_lane(Slot(3));
        let mut outputs = VecDeque::new();
        let open = Open { editor: EDITOR, unanswered: vec![1, 2, 3, 4], ..Open::default() };
        log.open(Slot(5), &open, &mut outputs);
        let told = messages(mem::take(&mut outputs));
        assert!(
            matches!(
                &told[..],
                [
                    (Recipient::One(Slot(5)), EditsToClient::Ack(Ack { number: 1, .. })),
                    (_, EditsToClient::Reject(Reject { number: 2, .. })),
                    (_, EditsToClient::Snapshot(_)),
                ]
            ),
            "{told:?}"
        );
        log.stored(2, &mut outputs);
        let told = messages(outputs);
        assert!(matches!(
            &told[..],
            [(Recipient::One(Slot(5)), EditsToClient::Ack(Ack { number: 3, .. }))]
        ));
    }

    #[test]
    fn d6_a_store_that_takes_no_edits_has_them_rejected_for_now() {
        let mut log = open_log();
        log.set_refusing(true);
        assert_eq!(refusal(submit(&mut log, 1, vec![put("a", 1)])), Some(Refusal::Unavailable));
        log.set_refusing(false);
        assert_eq!(refusal(submit(&mut log, 2, vec![put("a", 1)])), None);
    }

    #[test]
    fn d6_a_programs_own_rules_are_asked() {
        let mut log = open_log();
        let rule = |proposal: &Proposal<'_>| {
            let is_free = proposal.document.get(&proposal.ops[0].record).is_none();
            if is_free { Ok(()) } else { Err("taken".to_owned()) }
        };
        let policy =
            RoomPolicy { validator: Some(crate::Validator::new(rule)), ..RoomPolicy::default() };
        let mut outputs = VecDeque::new();
        for number in [1, 2] {
            let ops = vec![put("a", 1)];
            log.submit(author(), Submit { number, ops }, 1, &policy, &mut outputs);
        }
        let Some((_, EditsToClient::Reject(reject))) = messages(outputs).pop() else { panic!() };
        assert_eq!((reject.code, reject.message.as_str()), (Refusal::Invalid, "taken"));
    }
}
