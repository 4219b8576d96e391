// How a frame's parts are coded: who moved and where to, as decisions with likelihoods (rule M6).
//
// Each slot that the view knows at the baseline is told to have moved or not, by how fast it moved before. After these
// come the slots that the view does not know.

import { DecodeError, type Reader } from '../wire/bytes.ts'
import { MEMBERS_MAX } from '../wire/limits.ts'
import { type Axis, checked, difference, moved, slotsPerPart } from './axes.ts'
import {
  GONE,
  type Header,
  JUMPED,
  momentum,
  PART_MORE,
  PLACED,
  PLACED_MORE,
  readDifferences,
  readHeader,
  readMoved,
  readNumber,
  readValue,
} from './model.ts'
import { Decoder } from './range.ts'

/** How many numbers of an entry come before its values: the slot's place in its part, and its generation's low byte. */
export const HEAD = 2

/** Stands for the generation where nobody is to be seen. */
export const NOBODY = -1

/** Reads the parts of one frame after the other, without allocating. */
export class PartsDecoder {
  /** That of the part that is read. */
  readonly header: Header = { index: -1, age: 0, lag: 0 }
  /** The tick that its moves are against; -1: none, and then no slot is known. */
  baseline = -1
  /** The tick before the baseline that tells momentum; -1: none. */
  reference = -1
  /**
   * To be filled between header and entries: for each slot of the part the low byte of the generation at the baseline,
   * or `NOBODY`, the values there, and those at the reference, or the same again.
   */
  readonly known: Int32Array
  /** What `readEntries` has read: for each entry `HEAD` numbers and a value for each axis. */
  readonly entries: Int32Array
  readonly #axes: readonly Axis[]
  readonly #tickHz: number
  readonly #slots: number
  readonly #decoder = new Decoder()
  readonly #momenta = new Int32Array(4)
  readonly #differences = new Float64Array(4)
  #tick = 0

  constructor(axes: readonly Axis[], tickHz: number) {
    this.#axes = axes
    this.#tickHz = tickHz
    this.#slots = slotsPerPart(axes.length)
    this.known = new Int32Array(this.#slots * (1 + 2 * axes.length))
    this.entries = new Int32Array(this.#slots * (HEAD + axes.length))
  }

  /** Begins with a frame of `tick`, whose parts are what is left in `reader`. */
  begin(reader: Reader, tick: number): void {
    this.#decoder.begin(reader)
    this.header.index = -1
    this.#tick = tick
  }

  /**
   * Reads the header of the next part; false behind the last one. The part's entries are to be read before the next.
   * Throws `DecodeError` if the frame is cut short, or names a part or a tick that can't be.
   */
  next(): boolean {
    const { header } = this
    if (header.index >= 0 && !this.#decoder.decide(PART_MORE)) return false
    readHeader(this.#decoder, header)
    if (header.index >= MEMBERS_MAX / this.#slots) throw new DecodeError()
    this.baseline = before(this.#tick, header.age)
    this.reference = before(this.baseline, header.lag)
    return true
  }

  /**
   * Reads the part's entries and returns how many there are, at most one for each slot. Throws `DecodeError` if the
   * frame is cut short, or leads to a slot or a position that can't be.
   */
  readEntries(): number {
    const stride = HEAD + this.#axes.length
    let count = 0
    for (let offset = 0; offset < this.#slots; offset++) {
      if (this.#isKnown(offset) && this.#readKnown(offset, count * stride)) count++
    }
    for (let next = 0; this.#decoder.decide(next ? PLACED_MORE : PLACED);) {
      const offset = next + readNumber(this.#decoder)
      if (offset >= this.#slots || this.#isKnown(offset)) throw new DecodeError()
      this.entries[count * stride] = offset
      this.#readPlace(count++ * stride)
      next = offset + 1
    }
    return count
  }

  #isKnown(offset: number): boolean {
    return this.known[offset * (1 + 2 * this.#axes.length)] !== NOBODY
  }

  /** Puts the entry of a known slot at `at`; false if it has none. */
  #readKnown(offset: number, at: number): boolean {
    const axes = this.#axes
    const { known, entries } = this
    const { age, lag } = this.header
    const start = offset * (1 + 2 * axes.length)
    for (let axis = 0; axis < axes.length; axis++) {
      const own = start + 1 + axis
      const step = difference(axes[axis]!, known[own]!, known[own + axes.length]!)
      this.#momenta[axis] = momentum(step, lag, age)
    }
    if (!readMoved(this.#decoder, this.#momenta, (age * 1_000) / this.#tickHz)) return false
    entries[at] = offset
    if (!this.#decoder.decide(JUMPED)) {
      readDifferences(this.#decoder, axes.length, this.#momenta, this.#differences)
      entries[at + 1] = known[start]!
      for (let axis = 0; axis < axes.length; axis++) {
        entries[at + HEAD + axis] = moved(axes[axis]!, known[start + 1 + axis]!, this.#differences[axis]!)
      }
    } else if (this.#decoder.decide(GONE)) {
      entries.fill(0, at + HEAD, at + HEAD + axes.length)
      entries[at + 1] = NOBODY
    } else {
      this.#readPlace(at)
    }
    return true
  }

  /** Puts a generation and a position that have nothing to start from into the entry at `at`. */
  #readPlace(at: number): void {
    this.entries[++at] = this.#decoder.raw(8)
    for (const axis of this.#axes) this.entries[++at] = checked(axis, readValue(this.#decoder))
  }
}

/** The tick so many ticks before another; -1 if that is none, or if it is 0 ticks. */
function before(tick: number, ticks: number): number {
  if (ticks === 0 || tick < 0) return -1
  if (ticks > tick) throw new DecodeError()
  return tick - ticks
}
