//! A room's document and the order of its edits: what is ordered, what is durable, and who has been told.

use std::collections::{BTreeMap, VecDeque};

use hither_protocol::document::{Caps, Document};
use hither_protocol::limits::{DEPTH_MAX, EDIT_OPS_MAX, RECORD_BYTES_MAX, RECORD_ID_BYTES_MAX};
use hither_protocol::message::edits::{
    Ack, Edit, Edits, EditsToClient, Op, Reject, Snapshot, Submit,
};
use hither_protocol::message::{Refusal, Value, encoded_len};
use hither_protocol::{Generation, Slot};

use super::{Output, Recipient};
use std::mem;

/// The largest document of a room.
const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most bytes of edits in one message.
const MESSAGE_BYTES: usize = 32 * 1024;
/// The most bytes of edits that are told in one tick, so that no tick fills a viewer's queue.
const TICK_BYTES: usize = 64 * 1024;
/// The most bytes of edits that are on their way to the store and to the others; beyond, editors are refused.
const WAITING_BYTES_MAX: usize = 512 * 1024;
/// The most bytes of latest edits that are kept for those who come back; they are sent at once.
const RECENT_BYTES_MAX: usize = 48 * 1024;
/// After how long an editor who was refused for that may try again, in milliseconds: about a tick.
const RETRY_AFTER_MS: u64 = 100;
/// How many of a member's latest answers are kept, to be given again.
const ANSWERS_MAX: usize = 64;

/// Who submits an edit.
#[derive(Debug)]
pub(super) struct Author {
    pub(super) slot: Slot,
    pub(super) generation: Generation,
    pub(super) user: String,
}

/// The document with all ordered edits, and the way of each edit from there to the others.
#[derive(Debug, Default)]
pub(super) struct EditLog {
    document: Document,
    /// Ordered, but not durable yet.
    ordered: VecDeque<(usize, Edit)>,
    /// Durable, to be told in the coming ticks.
    stored: VecDeque<(usize, Edit)>,
    /// The bytes of both.
    waiting_bytes: usize,
    /// Told, the latest of them, and their bytes.
    recent: VecDeque<(usize, Edit)>,
    recent_bytes: usize,
    lanes: BTreeMap<Slot, Lane>,
    answers: BTreeMap<(Slot, Generation), Answers>,
}

/// An open edits lane whose member lacks a part of the document.
#[derive(Debug, Default)]
struct Lane {
    /// The place of the snapshot, once its first page is made: edits that are told before that page are in it.
    sequence: Option<u64>,
    /// The last record that was sent.
    after: Option<String>,
}

/// A member's numbers: the last, and what became of the latest.
#[derive(Debug, Default)]
struct Answers {
    last: u64,
    latest: VecDeque<EditsToClient>,
}

impl EditLog {
    /// Takes the document that the store has.
    pub(super) fn load(&mut self, document: Document) {
        self.document = document;
    }

    /// Opens a lane: by the edits after `after` where they are known, else by a snapshot, page by page.
    pub(super) fn open(&mut self, slot: Slot, after: Option<u64>, outputs: &mut VecDeque<Output>) {
        if let Some(missed) = after.and_then(|after| self.recent_after(after)) {
            push_edits(Recipient::One(slot), missed, outputs);
            return;
        }
        self.lanes.insert(slot, Lane::default());
    }

    /// The member is gone, or its connection is.
    pub(super) fn close(&mut self, slot: Slot, generation: Generation) {
        self.close_lane(slot);
        self.answers.remove(&(slot, generation));
    }

    /// The member wants no more of the document.
    pub(super) fn close_lane(&mut self, slot: Slot) {
        self.lanes.remove(&slot);
    }

    /// Whether edits wait for the coming ticks.
    pub(super) fn has_pending(&self) -> bool {
        !self.stored.is_empty()
    }

    /// The next page of a member's snapshot.
    pub(super) fn page(&mut self, slot: Slot) -> Option<Snapshot> {
        let lane = self.lanes.get_mut(&slot)?;
        let sequence = *lane.sequence.get_or_insert(self.document.sequence());
        let mut page = Snapshot { sequence, records: Vec::new(), more: false };
        let mut bytes = 0;
        for record in self.document.records_after(lane.after.as_deref()) {
            bytes += encoded_len(&record);
            if bytes > MESSAGE_BYTES && !page.records.is_empty() {
                page.more = true;
                break;
            }
            page.records.push(record);
        }
        if page.more {
            lane.after = page.records.last().map(|record| record.id.clone());
        } else {
            self.lanes.remove(&slot);
        }
        Some(page)
    }

    /// Orders an edit, or rejects it, or answers a number again (D2, D6, D7).
    pub(super) fn submit(
        &mut self,
        author: Author,
        submit: Submit,
        time_ms: u64,
        record_bytes_max: usize,
        outputs: &mut VecDeque<Output>,
    ) {
        let to = Recipient::One(author.slot);
        let number = submit.number;
        let answers = self.answers.entry((author.slot, author.generation)).or_default();
        if (1..=answers.last).contains(&number) {
            outputs.extend(answers.again(number).map(|bytes| Output::Edits(to, bytes)));
            return;
        }
        answers.last = number.max(answers.last);
        let bytes = encoded_len(&submit.ops);
        let caps = Caps { record_bytes: record_bytes_max, document_bytes: DOCUMENT_BYTES_MAX };
        let committed = if self.waiting_bytes + bytes > WAITING_BYTES_MAX {
            Err(Refusal::RateLimited)
        } else {
            check_form(number, &submit.ops, bytes)
                .and_then(|()| self.document.commit(&submit.ops, caps))
        };
        if let Err(code) = committed {
            let retry_after_ms = (code == Refusal::RateLimited).then_some(RETRY_AFTER_MS);
            let message = code.name().to_owned();
            let reject = Reject { number, code, message, retry_after_ms };
            let bytes = answers.remember(EditsToClient::Reject(reject));
            outputs.push_back(Output::Edits(to, bytes));
            return;
        }
        let edit = Edit {
            sequence: self.document.sequence(),
            time_ms,
            user: author.user,
            slot: author.slot,
            generation: author.generation,
            number,
            ops: submit.ops,
        };
        outputs.push_back(Output::Store(edit.clone()));
        let bytes = encoded_len(&edit);
        self.waiting_bytes += bytes;
        self.ordered.push_back((bytes, edit));
    }

    /// Everything up to `sequence` is durable: acks it. True if there is something to tell in the tick.
    pub(super) fn stored(&mut self, sequence: u64, outputs: &mut VecDeque<Output>) -> bool {
        let is_stored = |(_, edit): &mut (usize, Edit)| edit.sequence <= sequence;
        while let Some((bytes, edit)) = self.ordered.pop_front_if(is_stored) {
            let ack = Ack { number: edit.number, sequence: edit.sequence, time_ms: edit.time_ms };
            if let Some(answers) = self.answers.get_mut(&(edit.slot, edit.generation)) {
                let bytes = answers.remember(EditsToClient::Ack(ack));
                outputs.push_back(Output::Edits(Recipient::One(edit.slot), bytes));
            }
            self.stored.push_back((bytes, edit));
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
            self.recent.push_back((bytes, edit.clone()));
            edits.push(edit);
        }
        self.waiting_bytes -= told;
        self.recent_bytes += told;
        while self.recent_bytes > RECENT_BYTES_MAX {
            let Some((bytes, _)) = self.recent.pop_front() else { break };
            self.recent_bytes -= bytes;
        }
        push_edits(Recipient::All, edits, outputs);
    }

    /// The told edits after `after`; `None` if some of them are not known any more, or were never made.
    fn recent_after(&self, after: u64) -> Option<Vec<Edit>> {
        let waiting = (self.stored.len() + self.ordered.len()) as u64;
        let told = self.document.sequence() - waiting;
        let missing = usize::try_from(told.checked_sub(after)?).ok()?;
        let from = self.recent.len().checked_sub(missing)?;
        Some(self.recent.range(from..).map(|(_, edit)| edit.clone()).collect())
    }
}

impl Answers {
    fn remember(&mut self, answer: EditsToClient) -> bytes::Bytes {
        let bytes = answer.encode();
        if self.latest.len() == ANSWERS_MAX {
            self.latest.pop_front();
        }
        self.latest.push_back(answer);
        bytes
    }

    /// The answer to a number that came before; nothing while its edit is on its way to the store, or long after it.
    fn again(&self, number: u64) -> Option<bytes::Bytes> {
        let same = |answer: &&EditsToClient| match answer {
            EditsToClient::Ack(ack) => ack.number == number,
            EditsToClient::Reject(reject) => reject.number == number,
            EditsToClient::Snapshot(_) | EditsToClient::Edits(_) => false,
        };
        self.latest.iter().find(same).map(EditsToClient::encode)
    }
}

/// Whether an edit, whose operations have so many bytes, is within the table of limits, whatever the document.
fn check_form(number: u64, ops: &[Op], bytes: usize) -> Result<(), Refusal> {
    let id_is_good = |op: &Op| (1..=RECORD_ID_BYTES_MAX).contains(&op.record.len());
    let depth = |op: &Op| op.fields.values().map(Value::depth).max().unwrap_or(0);
    if number == 0 || ops.is_empty() || !ops.iter().all(id_is_good) {
        Err(Refusal::BadRequest)
    } else if ops.len() > EDIT_OPS_MAX
        || bytes > RECORD_BYTES_MAX
        || ops.iter().any(|op| depth(op) > DEPTH_MAX)
    {
        Err(Refusal::TooLarge)
    } else {
        Ok(())
    }
}

/// Sends edits in as few messages as hold them.
fn push_edits(to: Recipient, edits: Vec<Edit>, outputs: &mut VecDeque<Output>) {
    let mut batch = Vec::new();
    let mut bytes = 0;
    let mut send = |batch: &mut Vec<Edit>| {
        if !batch.is_empty() {
            let edits = EditsToClient::Edits(Edits { edits: mem::take(batch) });
            outputs.push_back(Output::Edits(to, edits.encode()));
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
}

#[cfg(test)]
mod tests {
    use hither_protocol::message::edits::OpKind;
    use hither_protocol::message::{FrameBuffer, Map};

    use super::*;

    fn author() -> Author {
        Author { slot: Slot(3), generation: Generation(1), user: "u".into() }
    }

    fn put(record: &str, bytes: usize) -> Op {
        let fields = Map::from([("x".to_owned(), Value::String("x".repeat(bytes)))]);
        Op { kind: OpKind::Put, record: record.into(), fields }
    }

    /// Submits an edit, and returns what comes of it.
    fn submit(log: &mut EditLog, number: u64, ops: Vec<Op>) -> VecDeque<Output> {
        let mut outputs = VecDeque::new();
        log.submit(author(), Submit { number, ops }, 1, RECORD_BYTES_MAX, &mut outputs);
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

    fn refusal(outputs: VecDeque<Output>) -> Option<Refusal> {
        match messages(outputs).pop() {
            Some((_, EditsToClient::Reject(reject))) => Some(reject.code),
            _ => None,
        }
    }

    #[test]
    fn d5_an_ack_comes_when_the_store_has_the_edit_and_not_before() {
        let mut log = EditLog::default();
        let outputs = submit(&mut log, 1, vec![put("a", 1)]);
        assert!(matches!(outputs.as_slices().0, [Output::Store(edit)] if edit.sequence == 1));
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
        let mut log = EditLog::default();
        submit(&mut log, 1, vec![put("a", 1)]);
        assert!(submit(&mut log, 1, vec![put("a", 1)]).is_empty(), "its ack is under way");
        let mut acks = VecDeque::new();
        log.stored(1, &mut acks);
        assert_eq!(submit(&mut log, 1, vec![put("b", 1)]), acks);
        assert_eq!(log.document.len(), 1);
        assert_eq!(refusal(submit(&mut log, 0, vec![put("a", 1)])), Some(Refusal::BadRequest));
    }

    #[test]
    fn d6_what_is_out_of_form_is_rejected() {
        let mut log = EditLog::default();
        let cases = [
            (vec![], Refusal::BadRequest),
            (vec![put("", 1)], Refusal::BadRequest),
            (vec![put(&"i".repeat(129), 1)], Refusal::BadRequest),
            ((0..65).map(|_| put("a", 1)).collect(), Refusal::TooLarge),
            (vec![put("a", 40_000), put("b", 40_000)], Refusal::TooLarge),
            (vec![Op { kind: OpKind::Patch, ..put("none", 1) }], Refusal::NoRecord),
        ];
        for (number, (ops, code)) in (1..).zip(cases) {
            assert_eq!(refusal(submit(&mut log, number, ops)), Some(code), "{number}");
        }
        assert_eq!(log.document.sequence(), 0);
    }

    #[test]
    fn d4_a_tick_tells_a_part_and_the_next_the_rest() {
        let mut log = EditLog::default();
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
        let mut log = EditLog::default();
        let refused = (1..100).find(|number| {
            refusal(submit(&mut log, *number, vec![put("a", 60_000)])) == Some(Refusal::RateLimited)
        });
        assert_eq!(refused, Some(9));
        log.stored(8, &mut VecDeque::new());
        log.flush(&mut VecDeque::new());
        assert_eq!(refusal(submit(&mut log, 10, vec![put("a", 60_000)])), None);
    }

    #[test]
    fn d3_what_is_known_comes_as_edits_and_else_as_a_snapshot() {
        let mut log = EditLog::default();
        for number in 1..=4 {
            submit(&mut log, number, vec![put(&format!("r{number}"), 20_000)]);
        }
        log.stored(4, &mut VecDeque::new());
        while log.has_pending() {
            log.flush(&mut VecDeque::new());
        }
        let mut outputs = VecDeque::new();
        log.open(Slot(1), Some(2), &mut outputs);
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

        log.open(Slot(1), Some(1), &mut VecDeque::new());
        let page = log.page(Slot(1)).unwrap();
        assert_eq!((page.sequence, page.records.len(), page.more), (4, 1, true));
        let mut pages = 1;
        while let Some(page) = log.page(Slot(1)) {
            assert_eq!(page.sequence, 4);
            pages += 1;
        }
        assert_eq!(pages, 4);
    }
}
