// When a client sends its own motion: at most once a tick while it moves, again and again when it rests (rule M10).

import { putSample } from '../motion/upward.ts'
import type { Writer } from '../wire/bytes.ts'

// The part of an interval that a position may come early: a caller that sets one in each interval is late now and
// then, and must not be held up for it ever after.
const EARLY = 4
// How often the last sample is repeated at rest.
const REPEAT_EVERY_MS = 16
// When it is repeated first: once the next position would be due, if the caller still moved, but no later than this.
const REPEAT_FIRST_MAX_MS = 50
// After so long without a newer position a mover is taken to rest, and does not wait for its tick.
const LULL_MS = 33
// How long it is repeated so, unless a frame shows that it has arrived.
const REPEAT_FOR_MS = 300
// And after that, for longer than a path may be dark before its connection is given up.
const INSIST_EVERY_MS = 500
const INSIST_FOR_MS = 3_000
// How many sent positions are remembered, to know an echo of the last from one of an earlier visit to its place.
const SENT_MAX = 32

// Nothing to send; a position that was not sent yet; the last sent position, to be repeated.
const STILL = 0
const MOVED = 1
const RESTING = 2

/** When a room takes samples, as far as it is known. */
export interface MoverBeat {
  /** The next slot at or after a time, if the room has a beat. */
  slotAfter(time: number): number | undefined
  /** The tick whose frame should be the first to show what leaves now; NaN if nobody knows. */
  aim(now: number): number
  /** A sample was or was not in the frame that it was sent for. */
  handleAimed(isMade: boolean): void
}

/**
 * The outgoing motion of one member in one room. Times are milliseconds on one clock that never goes back, positions
 * have a value for each of the room's axes, and are copied.
 */
export class Mover {
  readonly #interval: number
  readonly #axes: number
  readonly #beat: MoverBeat
  #state: typeof STILL | typeof MOVED | typeof RESTING = STILL
  readonly #position: Int32Array
  // When the position was set, and when the first one that was not sent.
  #setAt = 0
  #since = 0
  #number = 0
  // When the next position is due, an interval after the last, which repeats do not put off.
  #nextNew = -Infinity
  #sentAt = -Infinity
  #nextRepeat = 0
  #isAmbiguous = false
  // The tick whose frame should show the position that was sent last; NaN: it would tell nothing.
  #aimed = NaN
  // The positions sent last, in a ring, and when each was set; NaN if an echo of it would not tell how long it took.
  readonly #sent: Int32Array
  readonly #sentSetAt: Float64Array = new Float64Array(SENT_MAX)
  #sentCount = 0

  /** Sends once in a tick period on average while moving. */
  constructor(tickPeriodMs: number, axes: number, beat: MoverBeat) {
    this.#interval = tickPeriodMs
    this.#axes = axes
    this.#beat = beat
    this.#position = new Int32Array(axes)
    this.#sent = new Int32Array(SENT_MAX * axes)
  }

  /** Takes a position to send, which must be on its axes (rule M2). */
  set(now: number, position: Int32Array): void {
    const isUnchanged =
      this.#state === MOVED
        ? this.#isAt(this.#position, 0, position)
        : this.#sentCount > 0 && this.#isAt(this.#sent, this.#sentCount - 1, position)
    if (isUnchanged) return
    for (let axis = 0; axis < this.#axes; axis++) this.#position[axis] = position[axis]!
    if (this.#state !== MOVED) this.#since = now
    this.#setAt = now
    this.#state = MOVED
  }

  /**
   * A frame shows this member at `position`. Returns how many milliseconds ago that was set; NaN if it is none of those
   * sent lately, was shown before, or was sent twice, so that the frame may show the earlier visit.
   */
  handleEcho(now: number, position: Int32Array): number {
    if (this.#state === RESTING && !this.#isAmbiguous && this.#isAt(this.#position, 0, position)) this.#state = STILL
    const place = this.#find(position)
    if (place < 0) return NaN
    const age = now - this.#sentSetAt[place]!
    this.#sentSetAt[place] = NaN
    return age
  }

  /** The frame of `tick` shows this member at `position`; so what was sent for it was early enough, or was not. */
  handleShown(tick: number, position: Int32Array): void {
    if (this.#aimed === tick) this.#beat.handleAimed(this.#isAt(this.#sent, this.#sentCount - 1, position))
    // A frame that was lost tells nothing, nor does a second one.
    if (this.#aimed <= tick) this.#aimed = NaN
  }

  /** When the next sample goes out, or the repeats end; `Infinity` if there is nothing to send. */
  get due(): number {
    if (this.#state === STILL) return Infinity
    if (this.#state === RESTING) return Math.min(this.#nextRepeat, this.#sentAt + INSIST_FOR_MS)
    // Slots are an interval apart; half of it tells the next from the one that was used.
    const slot = this.#beat.slotAfter(Math.max(this.#since, this.#sentAt + this.#interval / 2))
    const turn = Math.max(this.#setAt, this.#nextNew - this.#interval / EARLY)
    return slot ?? Math.min(turn, this.#setAt + LULL_MS)
  }

  /**
   * Appends the sample that is due, if one is, and returns the session's last number. A new sample takes the one after
   * `lastNumber`, which is the session's and not the membership's: a late sample of an earlier membership must not win
   * over this one's (rule M9).
   */
  pollSample(now: number, room: number, lastNumber: number, writer: Writer): number {
    if (this.#state === RESTING && now >= this.#sentAt + INSIST_FOR_MS) this.#state = STILL
    if (now < this.due) return lastNumber
    let pause = now + REPEAT_EVERY_MS > this.#sentAt + REPEAT_FOR_MS ? INSIST_EVERY_MS : REPEAT_EVERY_MS
    if (this.#state === MOVED) {
      this.#number = ++lastNumber
      this.#nextNew = Math.max(this.#nextNew, now) + this.#interval
      this.#sentAt = now
      this.#isAmbiguous = this.#remember()
      this.#aimed = this.#isAmbiguous ? NaN : this.#beat.aim(now)
      this.#state = RESTING
      pause = Math.min(Math.max(this.#interval, REPEAT_EVERY_MS), REPEAT_FIRST_MAX_MS)
    }
    this.#nextRepeat = now + pause
    putSample(writer, room, this.#number, this.#position, this.#axes)
    return lastNumber
  }

  /** Notes that the position is sent; true if it was sent before. */
  #remember(): boolean {
    const isKnown = this.#find(this.#position) >= 0
    const place = this.#sentCount++ % SENT_MAX
    this.#sentSetAt[place] = isKnown ? NaN : this.#setAt
    this.#sent.set(this.#position, place * this.#axes)
    return isKnown
  }

  /** Where in the ring the position is, sent last; -1 if it is not. */
  #find(position: Int32Array): number {
    const oldest = Math.max(this.#sentCount - SENT_MAX, 0)
    for (let count = this.#sentCount - 1; count >= oldest; count--) {
      if (this.#isAt(this.#sent, count, position)) return count % SENT_MAX
    }
    return -1
  }

  /** Whether `positions` has `position` at a place, counted on beyond the ring's end. */
  #isAt(positions: Int32Array, place: number, position: Int32Array): boolean {
    const start = (place % SENT_MAX) * this.#axes
    for (let axis = 0; axis < this.#axes; axis++) {
      if (positions[start + axis] !== position[axis]) return false
    }
    return true
  }
}
