// A viewer's end of motion: decodes frames against the ticks that it holds, and says what to ack (rules M5 to M7).

import { DecodeError, type Reader } from '../wire/bytes.ts'
import { DELTA, HEAD, readEntries } from './coder.ts'
import { type FrameHeader, isOnAxis, slotsPerPart, WINDOW } from './frame.ts'
import { Track } from './track.ts'

const SLOTS = 4096

/**
 * Is called with a slot, the low byte of its member's generation, and the position, in an array that is used again:
 * copy it.
 */
export type Moved = (slot: number, generation: number, position: Int32Array) => void

/**
 * What a room's motion looks like to one member. It has memory for the slots that frames have named, and once these
 * are known it allocates nothing for a frame.
 */
export class View {
  /** How many axes positions have, 1 to 4. */
  readonly axes: number
  /**
   * Which parts the last frame brought, duplicates too, to be acked while `hasParts`: part i is bit `i & 31` of the
   * word `i >> 5`.
   */
  readonly parts: Uint32Array = new Uint32Array(4)
  /** Whether there is anything of the last frame to ack. */
  hasParts = false
  /** How many parts of the last frame were too old, or against what the view does not hold. */
  unusable = 0
  readonly #epochCheck: number
  readonly #size: number
  readonly #parts: (Part | undefined)[] = []
  readonly #entries: Int32Array
  readonly #position: Int32Array

  /** A view that has seen nothing yet. */
  constructor(axes: number, epoch: number) {
    this.axes = axes
    this.#epochCheck = epoch % 256
    this.#size = slotsPerPart(axes)
    this.#entries = new Int32Array(this.#size * (HEAD + axes))
    this.#position = new Int32Array(axes)
  }

  /**
   * Takes a frame's parts from `reader`. `moved` is called with each slot whose newest position this frame brings.
   * Throws `DecodeError` at a malformed part; those before it are applied, and nothing is to be acked.
   */
  handleFrame(header: FrameHeader, reader: Reader, moved: Moved): void {
    const { parts } = this
    const { tick } = header
    let hasParts = false
    parts.fill(0)
    this.hasParts = false
    this.unusable = 0
    for (let count = header.parts; count > 0; count--) {
      const index = reader.varint()
      const age = reader.varint()
      // A part outside the room, or a baseline before its first tick.
      if (index >= SLOTS / this.#size || age > tick) throw new DecodeError()
      const entries = readEntries(reader, this.axes, this.#entries)
      if (header.epochCheck === this.#epochCheck && this.#take(index, tick, age, entries, moved)) {
        parts[index >> 5]! |= 1 << (index & 31)
        hasParts = true
      } else {
        this.unusable++
      }
    }
    this.hasParts = hasParts
  }

  /** Puts the newest position of a slot's member into `into`; false if no frame has named one of this generation. */
  read(slot: number, generation: number, into: Int32Array): boolean {
    const track = this.#parts[Math.floor(slot / this.#size)]?.tracks[slot % this.#size]
    if (!track) return false
    const start = track.latest
    if (track.points[start + 1] !== generation % 256) return false
    for (let axis = 0; axis < this.axes; axis++) into[axis] = track.points[start + HEAD + axis]!
    return true
  }

  /** Applies a part that is no duplicate; false if it can't be used. */
  #take(index: number, tick: number, age: number, entries: number, moved: Moved): boolean {
    const part = this.#parts[index]
    if (part?.holds(tick)) return true
    if (!this.#resolve(part, tick, age, entries)) return false
    this.#apply(index, tick, entries, moved)
    return true
  }

  /** Turns differences into positions, where they stand; false if the part can't be used. */
  #resolve(part: Part | undefined, tick: number, age: number, entries: number): boolean {
    const values = this.#entries
    const baseline = tick - age
    if (part?.isPast(tick) || (age > 0 && !part?.holds(baseline))) return false
    for (let at = 0; entries > 0; entries--, at += HEAD + this.axes) {
      if (values[at + 1] !== DELTA) continue
      const track = age > 0 ? part?.tracks[values[at]!] : undefined
      const start = track ? track.at(baseline) : -1
      if (!track || start < 0) return false
      values[at + 1] = track.points[start + 1]!
      for (let axis = HEAD; axis < HEAD + this.axes; axis++) {
        const value = values[at + axis]! + track.points[start + axis]!
        if (!isOnAxis(value)) return false
        values[at + axis] = value
      }
    }
    return true
  }

  #apply(index: number, tick: number, entries: number, moved: Moved): void {
    const values = this.#entries
    const part = (this.#parts[index] ??= new Part(tick))
    part.hold(tick)
    for (let at = 0; entries > 0; entries--, at += HEAD + this.axes) {
      const place = values[at]!
      const track = (part.tracks[place] ??= new Track(this.axes))
      if (!track.record(tick, values, at)) continue
      for (let axis = 0; axis < this.axes; axis++) this.#position[axis] = values[at + HEAD + axis]!
      moved(index * this.#size + place, values[at + 1]!, this.#position)
    }
  }
}

/** One range of slots as the view holds it, from its first tick on. */
class Part {
  readonly tracks: (Track | undefined)[] = []
  #newest: number
  /** Bit i: the tick i + 1 before the newest is held. */
  #before = 0

  constructor(tick: number) {
    this.#newest = tick
  }

  holds(tick: number): boolean {
    const age = this.#newest - tick
    return age === 0 || (age > 0 && age <= WINDOW && (this.#before & bit(age)) !== 0)
  }

  /** Whether `tick` is before everything that is kept. */
  isPast(tick: number): boolean {
    return this.#newest - tick > WINDOW
  }

  /** Holds a tick that is not past. */
  hold(tick: number): void {
    const ahead = tick - this.#newest
    if (ahead < 0) {
      this.#before |= bit(-ahead)
    } else if (ahead > 0) {
      this.#before = ahead > WINDOW ? 0 : ((this.#before << 1) | 1) << (ahead - 1)
      this.#newest = tick
    }
  }
}

function bit(age: number): number {
  return 1 << (age - 1)
}
