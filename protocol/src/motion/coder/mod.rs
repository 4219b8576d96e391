//! How a part's entries are coded: who moved and where to, as decisions with likelihoods (rule M6).
//!
//! Each slot that the viewer knows at the baseline is told to have moved or not; the likelihood comes from how fast it
//! moved before the baseline. A move is coded as what is left after half of the momentum is subtracted, class by class,
//! with likelihoods by the momentum on this axis and another, and by what was left on the axis before. The
//! likelihoods are those of people at work with a mouse, in `table`; other motion is coded by the same rules, in a few
//! more bits. After the moves come the slots that the viewer does not know.

mod model;
mod range;
#[cfg(feature = "statistics")]
mod statistics;
mod table;

#[cfg(feature = "statistics")]
pub use statistics::Statistics;

use model::{Header, Kind, Momentum};
use range::{Coder, Decoder, Encoder, Interval};

use super::frame::PartHeader;
use super::{Axes, DecodeError, Format, Place, Position};
use crate::ids::Tick;

/// A slot as both ends know it at a part's baseline, and at the reference before it, which tells its momentum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The slot's place in its part.
    pub offset: u8,
    /// Who was where at the baseline.
    pub baseline: Place,
    /// Where it was at the reference, if there is one and it was anywhere.
    pub reference: Option<Position>,
}

/// One slot of a part that has something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The slot's place in its part.
    pub offset: u8,
    /// What happened since the baseline.
    pub change: Change,
}

/// What a slot did since the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The member that was there at the baseline is here now, perhaps where it was.
    Moved(Position),
    /// A member that the baseline does not have is here; or one that it has, far away.
    Appeared(Place),
    /// The member that was there is not to be seen any more.
    Vanished,
}

impl Entry {
    /// Who is where now; `known` are the slots of the part at its baseline.
    pub fn place(&self, known: &[Known]) -> Option<Place> {
        match self.change {
            Change::Moved(position) => {
                let at = known.binary_search_by_key(&self.offset, |slot| slot.offset).ok()?;
                Some(Place { position, ..known[at].baseline })
            }
            Change::Appeared(place) => Some(place),
            Change::Vanished => None,
        }
    }
}

/// Appends the parts of one frame to a buffer.
#[derive(Clone, Debug)]
pub(super) struct PartsEncoder {
    interval: Interval,
    tick: Tick,
    last: Option<Header>,
}

impl PartsEncoder {
    /// Begins the stream of the frame of `tick`.
    pub(super) const fn new(tick: Tick) -> Self {
        Self { interval: Interval::WHOLE, tick, last: None }
    }

    /// Appends a part. `known` are all slots that the viewer knows at the baseline, `entries` those with something to
    /// say; both rise in their offsets.
    pub(super) fn put(
        &mut self,
        out: &mut Vec<u8>,
        format: &Format,
        part: PartHeader,
        known: &[Known],
        entries: &[Entry],
    ) {
        let mut coder = Encoder { interval: &mut self.interval, out, table: &table::TABLE };
        let header = Header::new(part, self.tick);
        if self.last.is_some() {
            model::code_more(&mut coder, true);
        }
        model::code_header(&mut coder, self.last, header);
        put_entries(&mut coder, format, header, known, entries);
        self.last = Some(header);
    }

    /// Says that no part follows, and appends what is left.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        let mut coder = Encoder { interval: &mut self.interval, out, table: &table::TABLE };
        model::code_more(&mut coder, false);
        self.interval.finish(out);
    }
}

/// Reads the parts of one frame, to the end of its datagram.
#[derive(Debug)]
pub(super) struct PartsDecoder<'a> {
    decoder: Decoder<'a>,
    tick: Tick,
    last: Option<Header>,
}

impl<'a> PartsDecoder<'a> {
    pub(super) fn new(bytes: &'a [u8], tick: Tick) -> Self {
        Self { decoder: Decoder::new(bytes, &table::TABLE), tick, last: None }
    }

    /// The header of the next part; `None` behind the last. Its entries are to be read before the next.
    pub(super) fn next(&mut self, axes: &Axes) -> Result<Option<PartHeader>, DecodeError> {
        let more = self.last.is_none() || model::code_more(&mut self.decoder, false);
        self.decoder.check()?;
        if !more {
            return Ok(None);
        }
        let none = Header { index: 0, age: 0, lag: 0 };
        let header = model::code_header(&mut self.decoder, self.last, none);
        self.decoder.check()?;
        let part = header.part(self.tick, axes)?;
        self.last = Some(header);
        Ok(Some(part))
    }

    /// The entries of the part whose header was read last, into `entries`. `known` are all slots that the viewer knows
    /// at its baseline, in the order of their offsets.
    pub(super) fn read_entries(
        &mut self,
        format: &Format,
        known: &[Known],
        entries: &mut Vec<Entry>,
    ) -> Result<(), DecodeError> {
        entries.clear();
        let Some(header) = self.last else { return Ok(()) };
        read_moved(&mut self.decoder, format, header, known, entries)?;
        read_placed(&mut self.decoder, format, known, entries)?;
        self.decoder.check()
    }
}

fn put_entries(
    coder: &mut impl Coder,
    format: &Format,
    header: Header,
    known: &[Known],
    entries: &[Entry],
) {
    let axes = &format.axes;
    let span_ms = header.span_ms(format);
    let mut rest = entries.iter();
    let mut entry = rest.next();
    let mut placed = 0;
    for slot in known {
        // What comes before a known slot is not known.
        while let Some(Entry { offset, .. }) = entry
            && *offset < slot.offset
        {
            placed += 1;
            entry = rest.next();
        }
        let own = entry.filter(|entry| entry.offset == slot.offset);
        let momentum = header.momentum(axes, slot);
        model::code_moved(coder, &momentum, span_ms, own.is_some());
        if let Some(own) = own {
            entry = rest.next();
            put_change(coder, axes, slot, &momentum, own.change);
        }
    }
    placed += usize::from(entry.is_some()) + rest.len();
    put_placed(coder, axes, known, entries, placed);
}

fn put_change(
    coder: &mut impl Coder,
    axes: &Axes,
    slot: &Known,
    momentum: &Momentum,
    change: Change,
) {
    let appeared = match change {
        Change::Moved(position) => {
            let differences = axes.differences(&position, &slot.baseline.position);
            if !momentum.is_jump(&differences) {
                model::code_kind(coder, Kind::Moves);
                model::code_differences(coder, axes.count(), momentum, differences);
                return;
            }
            Place { position, ..slot.baseline }
        }
        Change::Appeared(place) => place,
        Change::Vanished => {
            model::code_kind(coder, Kind::Vanishes);
            return;
        }
    };
    model::code_kind(coder, Kind::Appears);
    put_place(coder, axes, &appeared);
}

/// The entries of slots that are not known, each with the distance to the one before.
fn put_placed(
    coder: &mut impl Coder,
    axes: &Axes,
    known: &[Known],
    entries: &[Entry],
    count: usize,
) {
    let mut next = 0;
    if count > 0 {
        for entry in entries {
            let Change::Appeared(place) = entry.change else { continue };
            if known.binary_search_by_key(&entry.offset, |slot| slot.offset).is_ok() {
                continue;
            }
            model::code_placed(coder, next == 0, true);
            model::code_number(coder, u32::from(entry.offset - next));
            put_place(coder, axes, &place);
            next = entry.offset + 1;
        }
    }
    model::code_placed(coder, next == 0, false);
}

fn read_moved(
    decoder: &mut Decoder<'_>,
    format: &Format,
    header: Header,
    known: &[Known],
    entries: &mut Vec<Entry>,
) -> Result<(), DecodeError> {
    let axes = &format.axes;
    let span_ms = header.span_ms(format);
    for slot in known {
        let momentum = header.momentum(axes, slot);
        if !model::code_moved(decoder, &momentum, span_ms, false) {
            continue;
        }
        let change = match model::code_kind(decoder, Kind::Moves) {
            Kind::Moves => {
                let differences = model::code_differences(decoder, axes.count(), &momentum, [0; 4]);
                Change::Moved(axes.moved(&slot.baseline.position, &differences)?)
            }
            Kind::Appears => Change::Appeared(read_place(decoder, axes)?),
            Kind::Vanishes => Change::Vanished,
        };
        decoder.check()?;
        entries.push(Entry { offset: slot.offset, change });
    }
    Ok(())
}

fn read_placed(
    decoder: &mut Decoder<'_>,
    format: &Format,
    known: &[Known],
    entries: &mut Vec<Entry>,
) -> Result<(), DecodeError> {
    let slots = format.axes.slots_per_part() as u32;
    let mut next = 0;
    while model::code_placed(decoder, next == 0, false) {
        let offset = model::code_number(decoder, 0).saturating_add(next);
        if offset >= slots {
            return Err(DecodeError::Range);
        }
        let offset = offset as u8;
        if known.binary_search_by_key(&offset, |slot| slot.offset).is_ok() {
            return Err(DecodeError::Range);
        }
        let change = Change::Appeared(read_place(decoder, &format.axes)?);
        entries.push(Entry { offset, change });
        decoder.check()?;
        next = u32::from(offset) + 1;
    }
    Ok(())
}

fn put_place(coder: &mut impl Coder, axes: &Axes, place: &Place) {
    model::code_place(coder, axes.count(), place.generation, &place.position.axes());
}

fn read_place(decoder: &mut Decoder<'_>, axes: &Axes) -> Result<Place, DecodeError> {
    let (generation, values) = model::code_place(decoder, axes.count(), 0, &[0; 4]);
    Ok(Place { generation, position: axes.checked(values)? })
}

impl Header {
    fn new(part: PartHeader, tick: Tick) -> Self {
        let since = |later: Tick, earlier: Option<Tick>| earlier.and_then(|at| later.since(at));
        let age = since(tick, part.baseline).unwrap_or(0);
        let lag = part.baseline.and_then(|baseline| since(baseline, part.reference)).unwrap_or(0);
        Self { index: u32::from(part.index), age, lag }
    }

    fn part(self, tick: Tick, axes: &Axes) -> Result<PartHeader, DecodeError> {
        if self.index as usize >= axes.parts_max() {
            return Err(DecodeError::Range);
        }
        let before = |tick: Tick, ticks: u32| match ticks {
            0 => Ok(None),
            _ => tick.0.checked_sub(ticks).map(|tick| Some(Tick(tick))).ok_or(DecodeError::Range),
        };
        let baseline = before(tick, self.age)?;
        let reference = match baseline {
            Some(baseline) => before(baseline, self.lag)?,
            None => None,
        };
        Ok(PartHeader { index: self.index as u16, baseline, reference })
    }

    fn span_ms(&self, format: &Format) -> u32 {
        (u64::from(self.age) * 1_000 / u64::from(format.tick_hz.max(1))).min(1_000) as u32
    }

    fn momentum(&self, axes: &Axes, slot: &Known) -> Momentum {
        let difference =
            slot.reference.map(|before| axes.differences(&slot.baseline.position, &before));
        Momentum::new(difference.unwrap_or_default(), self.lag, self.age)
    }
}
