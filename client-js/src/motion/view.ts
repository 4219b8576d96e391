// A viewer's end of motion: decodes frames against the ticks that it holds, and says what to ack (rules M5 to M7).

import type { Reader } from '../wire/bytes.ts'
import { type Axis, slotsPerPart } from './axes.ts'
import { HEAD, NOBODY, PartsDecoder } from './coder.ts'
import { type FrameHeader, WINDOW } from './frame.ts'
import { Track } from './track.ts'

/**
 * Is called with a slot, the low byte of its member's generation, and the position, in an array that is used again:
 * copy it. Without a position nobody is to be seen there any more.
 */
export type Moved = (slot: number, generation: number, position: Int32Array | undefined) => void

/**
 * What a room's motion looks like to one member. It has memory for the slots that frames have named, and once these
 * are known it allocates nothing for a frame.
 */
export class View {
  /** The axes of positions, 1 to 4. */
  readonly axes: readonly Axis[]
  /**
   * Which parts the last frame brought, duplicates too, to be acked while `hasParts`: part i is bit `i & 31` of the
   * word `i >> 5`.
   */
  readonly parts: Uint32Array = new Uint32Array(4)
  /** Whether there is anything of the last frame to ack. */
  hasParts = false
  /**
   * Whether a part of the last frame could not be used: it is older than what the view has of it, or against a tick
   * that the view does not hold. Those behind one of the latter could not be read.
   */
  isUnusable = false
  readonly #epochCheck: number
  readonly #size: number
  readonly #parts: (Part | undefined)[] = []
  readonly #decoder: PartsDecoder
  readonly #position: Int32Array
  readonly #nobody: Int32Array

  /** A view that has seen nothing yet. */
  constructor(axes: readonly Axis[], tickHz: number, epoch: number) {
    this.axes = axes
    this.#epochCheck = epoch % 256
    this.#size = slotsPerPart(axes.length)
    this.#decoder = new PartsDecoder(axes, tickHz)
    this.#position = new Int32Array(axes.length)
    this.#nobody = new Int32Array(HEAD + axes.length).fill(NOBODY, 1, HEAD)
  }

  /**
   * Takes a frame's parts, to the end of `reader`. `moved` is called with each slot whose newest point this frame
   * brings. Throws `DecodeError` at a malformed part; those before it are applied, and nothing is to be acked.
   */
  handleFrame({ tick, epochCheck }: FrameHeader, reader: Reader, moved: Moved): void {
    const decoder = this.#decoder
    let hasParts = false
    this.parts.fill(0)
    this.hasParts = false
    this.isUnusable = false
    let isUnreadable = epochCheck !== this.#epochCheck
    decoder.begin(reader, tick)
    while (!isUnreadable && decoder.next()) {
      const { index } = decoder.header
      const part = this.#parts[index]
      isUnreadable = !holds(part, decoder.baseline) || !holds(part, decoder.reference)
      if (isUnreadable) break
      this.#listKnown(part)
      const count = decoder.readEntries()
      const isNew = !part || tick > part.newest
      if (isNew) this.#apply(index, tick, count, moved)
      if (isNew || part.holds(tick)) {
        this.parts[index >> 5]! |= 1 << (index & 31)
        hasParts = true
      } else {
        this.isUnusable = true
      }
    }
    this.isUnusable ||= isUnreadable
    this.hasParts = hasParts
  }

  /** Whether the last frame brought the part of a slot. */
  hasPartOf(slot: number): boolean {
    const part = Math.floor(slot / this.#size)
    return ((this.parts[part >> 5]! >> (part & 31)) & 1) === 1
  }

  /**
   * Puts the newest position of a slot's member into `into`, and returns the tick from which on it is there; -1 if that
   * is not known, or not to be seen any more.
   */
  read(slot: number, generation: number, into: Int32Array): number {
    const track = this.#parts[Math.floor(slot / this.#size)]?.tracks[slot % this.#size]
    if (!track) return -1
    const start = track.latest
    if (track.points[start + 1] !== generation % 256) return -1
    for (let axis = 0; axis < this.axes.length; axis++) into[axis] = track.points[start + HEAD + axis]!
    return track.points[start]! >>> 0
  }

  /** Tells the decoder what the part is coded against. */
  #listKnown(part: Part | undefined): void {
    const { known, baseline, reference } = this.#decoder
    const axes = this.axes.length
    for (let offset = 0, at = 0; offset < this.#size; offset++, at += 1 + 2 * axes) {
      const track = baseline < 0 ? undefined : part?.tracks[offset]
      const start = track ? track.at(baseline) : -1
      known[at] = NOBODY
      if (!track || start < 0) continue
      const earlier = reference < 0 ? -1 : track.at(reference)
      const from = earlier < 0 ? start : earlier
      known[at] = track.points[start + 1]!
      for (let axis = 0; axis < axes; axis++) {
        known[at + 1 + axis] = track.points[start + HEAD + axis]!
        known[at + 1 + axes + axis] = track.points[from + HEAD + axis]!
      }
    }
  }

  /**
   * Puts the state of a newer tick into the tracks: what it was at the baseline, with the entries. What a tick between
   * them brought to a slot that is not named is undone.
   */
  #apply(index: number, tick: number, count: number, moved: Moved): void {
    const { entries, baseline } = this.#decoder
    const part = (this.#parts[index] ??= new Part())
    const stride = HEAD + this.axes.length
    const first = index * this.#size
    part.hold(tick)
    for (let at = 0; at < count * stride; at += stride) {
      const offset = entries[at]!
      const track = (part.tracks[offset] ??= new Track(this.axes.length))
      this.#record(track, first + offset, tick, entries, at, moved)
    }
    for (let offset = 0; offset < part.tracks.length; offset++) {
      const track = part.tracks[offset]
      // Named slots have a point of this tick by now.
      if (!track || track.points[track.latest]! >>> 0 === tick) continue
      const start = baseline < 0 ? -1 : track.at(baseline)
      const from = start < 0 ? this.#nobody : track.points
      if (!track.isLatest(from, Math.max(start, 0))) {
        this.#record(track, first + offset, tick, from, Math.max(start, 0), moved)
      }
    }
  }

  /** Adds the point that begins at `start` in `from`, and passes it on. */
  #record(track: Track, slot: number, tick: number, from: Int32Array, start: number, moved: Moved): void {
    track.record(tick, from, start)
    const generation = from[start + 1]!
    for (let axis = 0; axis < this.axes.length; axis++) this.#position[axis] = from[start + HEAD + axis]!
    moved(slot, generation, generation === NOBODY ? undefined : this.#position)
  }
}

/** One range of slots as the view holds it. */
class Part {
  readonly tracks: (Track | undefined)[] = []
  /** The newest tick that is held. */
  newest = -1
  /** Bit i: the tick i + 1 before the newest is held. */
  #before = 0

  holds(tick: number): boolean {
    const age = this.newest - tick
    return age === 0 || (age > 0 && age <= WINDOW && ((this.#before >>> (age - 1)) & 1) === 1)
  }

  /** Holds a tick behind the newest. */
  hold(tick: number): void {
    const ahead = tick - this.newest
    this.#before = ahead > WINDOW ? 0 : ((this.#before << 1) | 1) << (ahead - 1)
    this.newest = tick
  }
}

/** Whether the state is here that a part is coded against; -1 is none. */
function holds(part: Part | undefined, tick: number): boolean {
  return tick < 0 || (part?.holds(tick) ?? false)
}
