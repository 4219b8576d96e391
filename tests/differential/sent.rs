//! What a client sends, read by the decoders that a server has.

use std::collections::BTreeMap;

use bytes::Bytes;
use hither_protocol::RoomHandle;
use hither_protocol::message::FrameBuffer;
use hither_protocol::message::control::ToServer;
use hither_protocol::message::edits::EditsToServer;
use hither_protocol::motion::upward::{self, Sample, Upward};
use hither_protocol::session::Session;
use hither_protocol::varint::Reader;
use serde_json::{Value as Json, json};

use crate::plain::{from_hex, plain_message};

/// Something that a client wants sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    Control(Bytes),
    Edits(RoomHandle, Bytes),
    CloseEdits(RoomHandle),
    Datagram(Bytes),
}

/// What TypeScript has sent in a step.
pub(crate) fn read_sendings(sent: &Json) -> Result<Vec<Sending>, String> {
    let sent = sent.as_array().ok_or("TypeScript does not say what it has sent")?;
    let read = |sending: &Json| {
        let bytes = Bytes::from(from_hex(sending[1].as_str()?));
        let room = || Some(RoomHandle(u32::try_from(sending[2].as_u64()?).ok()?));
        Some(match sending[0].as_str()? {
            "control" => Sending::Control(bytes),
            "edits" => Sending::Edits(room()?, bytes),
            "close" => Sending::CloseEdits(room()?),
            "datagram" => Sending::Datagram(bytes),
            _ => return None,
        })
    };
    sent.iter().map(|sending| read(sending).ok_or_else(|| format!("sent: {sending}"))).collect()
}

/// What was sent in a step in a form in which equal things are equal: lanes do not wait for each other, records of
/// datagrams have no order, and the pings of TypeScript are its own affair.
pub(crate) fn plain_sendings(
    sendings: &[Sending],
    session: &Session,
    numbers: &mut Numbers,
) -> Result<Json, String> {
    let (mut control, mut edits, mut closed) = (Vec::new(), Vec::new(), Vec::new());
    let mut records = Vec::new();
    let mut has_motion = false;
    let mut add_records = |datagram: &[u8]| {
        let mut reader = Reader::new(datagram);
        let axes_of = |room| Some(session.room(room)?.motion_format().format().axes);
        while let Some(record) = upward::read(&mut reader, axes_of)
            .map_err(|error| format!("sent as motion: {error}, {datagram:02x?}"))?
        {
            records.push(plain_record(&record, numbers));
        }
        Ok::<_, String>(())
    };
    for sending in sendings {
        match sending {
            Sending::Control(bytes) => {
                for message in messages(bytes)? {
                    match ToServer::decode(&message) {
                        Ok(Some(ToServer::Ping(_))) => {}
                        Ok(Some(ToServer::Motion(motion))) => {
                            has_motion = true;
                            add_records(&motion.datagram)?;
                        }
                        Ok(Some(_)) => control.push(plain_message(&message)),
                        other => return Err(format!("sent on the control lane: {other:?}")),
                    }
                }
            }
            Sending::Edits(room, bytes) => {
                for message in messages(bytes)? {
                    match EditsToServer::decode(&message) {
                        Ok(Some(_)) => edits.push(json!([room.0, plain_message(&message)])),
                        other => return Err(format!("sent on an edits lane: {other:?}")),
                    }
                }
            }
            Sending::CloseEdits(room) => closed.push(room.0),
            Sending::Datagram(bytes) => add_records(bytes)?,
        }
    }
    if has_motion {
        // How its records are divided is as free as that of datagrams.
        control.push(Some(json!([10])));
    }
    records.sort_by_key(Json::to_string);
    Ok(json!({ "control": control, "edits": edits, "closed": closed, "records": records }))
}

/// The messages of the control lane among what was sent.
pub(crate) fn control_messages(sendings: &[Sending]) -> Result<Vec<ToServer>, String> {
    let mut all = Vec::new();
    for sending in sendings {
        let Sending::Control(bytes) = sending else { continue };
        let decoded = messages(bytes)?.into_iter().map(|message| ToServer::decode(&message));
        all.extend(decoded.filter_map(Result::ok).flatten());
    }
    Ok(all)
}

/// The numbers of samples that one end has used. Whose comes first when two rooms' are due at once is its own affair.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    highest: u32,
    of_rooms: BTreeMap<RoomHandle, u32>,
}

impl Numbers {
    /// What the number of a sample says: that it is new, or the last of its room again. No other may be used (M9).
    fn read(&mut self, sample: &Sample) -> Json {
        if sample.number == self.highest + 1 {
            self.highest += 1;
            self.of_rooms.insert(sample.room, self.highest);
            return json!("new");
        }
        let last = self.of_rooms.get(&sample.room);
        if last == Some(&sample.number) { json!("again") } else { json!(sample.number) }
    }
}

fn plain_record(record: &Upward, numbers: &mut Numbers) -> Json {
    match record {
        Upward::Sample(sample) => {
            json!(["sample", sample.room.0, numbers.read(sample), sample.position.axes()])
        }
        Upward::Ack(ack) => {
            let several = ack.parts.count_ones() > 1;
            let name = if several { "ack of several parts" } else { "ack" };
            json!([name, ack.room.0, ack.tick.0, ack.parts.to_string()])
        }
    }
}

fn messages(stream: &[u8]) -> Result<Vec<Bytes>, String> {
    let mut buffer = FrameBuffer::default();
    buffer.push(stream);
    let mut messages = Vec::new();
    while let Some(message) = buffer.pop().map_err(|error| error.to_string())? {
        messages.push(message);
    }
    if buffer.is_empty() { Ok(messages) } else { Err("half a message was sent".into()) }
}
