// Playing motion: where a member is to be seen at any time, from frames that come late, out of order or not at all. It
// mirrors `playback` of the Rust crate hither-protocol, which says where the methods come from.

import { around, type Axis, difference } from './axes.ts'

/** How long a frame counts for the offset at least, in milliseconds; at most twice that. */
const WINDOW_MS = 15_000
/** What is added for lateness at least and at most, in ticks. */
const LATE_MIN = 0.5
const LATE_MAX = 4
/** What a frame that is later than that adds, and one that is not takes away: at rest one frame in 20 is later. */
const LATE_UP = 0.095
const LATE_DOWN = 0.005
/** How much faster or slower than time ticks are played, until they are where they should be. */
const SLEW = 0.25
/** Ticks that are left out at once when what is shown is so far behind. It never goes back. */
const JUMP = 4
/** The moving members from which on a missing frame is taken to be late: one alone has rather come to rest. */
const CROWD = 2
/** Points that are kept: of the most that the clock lies behind, and those beside them. */
const KNOTS = 8
/** A longer gap between two points, in ticks, is rest and no lost frame. */
const LOST_MAX = 3
/** Who rests for so long, in milliseconds, is not drawn to where it is next, but shown there. */
const ABSENT_MS = 1_000
/** How long before its time a member leaves for where it is just shown, in ticks. */
const AT_ONCE = 1 / 1_024
/** How long a curve runs on behind its newest point until it is back there, in ticks. */
const RUN = 2
/** How long what is shown takes to become what a new point says, in ticks. */
const BLEND = 1
/** The steepest tangent with which a monotone way begins, as a multiple of its slope. */
const STEEPEST = 3

/** A jump of more of the application's units than this between two ticks is shown at once, and not drawn as a way. */
const SNAP = 1_000

/** Less than any lead. */
const NEVER = -1e15

/** Turns local time into tick time, for all members of a room: in ticks of its epoch, with fractions. */
export class PlayClock {
  /** What was to be seen when the last frame came. */
  shown = 0
  /** The newest tick before the newest. */
  newestBefore = -1
  readonly #ticksPerMs: number
  /** The greatest lead of a frame's tick over local time, counted in ticks, in this window and in the one before. */
  #best = NEVER
  #bestBefore = NEVER
  #windowStart = 0
  #late = LATE_MIN
  /** The lead of what is shown over local time: at the last frame, and what it is on its way to. */
  #lead = NEVER
  #leadTo = NEVER
  #last = 0
  #newest = -1
  /** The ticks that were to be seen before a newer frame came: bit `tick % 32`. */
  #overrun = 0
  #moves = 0
  #movesBefore = 0
  #rests = -Infinity

  constructor(hz: number) {
    this.#ticksPerMs = hz / 1_000
  }

  /** A frame has come, in time's order. What comes again, or after a newer one, tells nothing new of time. */
  handleFrame(now: number, tick: number): void {
    const time = this.ticksIn(now)
    const newest = this.#newest
    if (tick > newest) {
      const lead = this.#leadAt(time)
      this.#measure(time, tick - time)
      this.#lead = this.#leadTo - lead > JUMP ? this.#leadTo : lead
      this.#last = time
      this.#overrun &= ~(1 << newest)
      if (time + this.#lead > newest) this.#overrun |= 1 << newest
      this.newestBefore = newest
      this.#newest = tick
      this.#movesBefore = this.#moves
      this.#moves = 0
    }
    this.shown = time + this.#leadAt(time)
  }

  /** A frame has said where a member is from `tick` on, `hasMoved` if that is elsewhere. */
  handlePoint(tick: number, hasMoved: boolean): void {
    if (hasMoved) this.#moves++
    this.#rests = Math.max(this.#rests, tick + RUN, this.shown + BLEND)
  }

  /** What is to be seen at a local time; what is earlier than the newest frame counts as its arrival. */
  at(now: number): number {
    const time = Math.max(this.ticksIn(now), this.#last)
    return time + this.#leadAt(time)
  }

  /** Whether somebody may be seen elsewhere after `now` without another frame. */
  isMoving(now: number): boolean {
    return this.at(now) < this.#rests
  }

  /** Whether so many moved in the frame before that a missing one is rather late than not sent. */
  get isCrowded(): boolean {
    return this.#movesBefore >= CROWD
  }

  /** Whether a newer frame was missing when this one's tick was to be seen. */
  wasOverrun(tick: number): boolean {
    return tick === this.#newest || ((this.#overrun >> tick) & 1) > 0
  }

  /** Ticks in so many milliseconds. */
  ticksIn(ms: number): number {
    return ms * this.#ticksPerMs
  }

  #measure(time: number, lead: number): void {
    const window = this.ticksIn(WINDOW_MS)
    const age = time - this.#windowStart
    if (age >= window) {
      this.#bestBefore = age < 2 * window ? this.#best : lead
      this.#best = lead
      this.#windowStart = time
    }
    this.#best = Math.max(this.#best, lead)
    const best = Math.max(this.#best, this.#bestBefore)
    this.#late = clamp(this.#late + (best - lead > this.#late ? LATE_UP : -LATE_DOWN), LATE_MIN, LATE_MAX)
    this.#leadTo = best - 1 - this.#late
  }

  #leadAt(time: number): number {
    const reach = SLEW * (time - this.#last)
    return this.#lead + clamp(this.#leadTo - this.#lead, -reach, reach)
  }
}

/** What was shown of a member until a point of it came, and the point. */
const wasShown = new Float64Array(4)
const values = new Float64Array(4)

/** A member's last points, in the order of their ticks, and the curve through them, in steps. */
export class Curve {
  readonly #axes: readonly Axis[]
  /** How many numbers a point is: its tick, and a value for each axis, counted on beyond the ends of one that wraps. */
  readonly #stride: number
  readonly #knots: Float64Array
  /** Where the newest begins; before the first -1. */
  #newest = -1
  /** Whether it runs on behind the newest point. */
  #runs = false
  /** What was shown when the newest point came, less what the curve says since then. */
  readonly #error = new Float64Array(4)
  #changed = NEVER

  constructor(axes: readonly Axis[]) {
    this.#axes = axes
    this.#stride = axes.length + 1
    this.#knots = new Float64Array(KNOTS * this.#stride)
  }

  /** Takes where the member is from `tick` on, of a frame that the clock has; nothing if there is a newer point. */
  handlePoint(clock: PlayClock, tick: number, position: Int32Array): void {
    const { shown } = clock
    const knots = this.#knots
    const newest = this.#newest
    const newestTick = newest < 0 ? tick : knots[newest]!
    const gap = tick - newestTick
    if (newest < 0) this.#put(tick, position, 0)
    let hasMoved = false
    let snaps = gap > clock.ticksIn(ABSENT_MS)
    if (gap > 0) {
      for (let index = 0; index < this.#axes.length; index++) {
        const axis = this.#axes[index]!
        const from = knots[newest + 1 + index]!
        const way = difference(axis, position[index]!, from)
        values[index] = from + way
        if (way) hasMoved = true
        if (Math.abs(way) * axis.step > SNAP) snaps = true
      }
      this.#show(clock, shown, wasShown)
      // A frame without it, or a time that no loss explains, says that it was at rest until the tick before.
      const rested = clock.newestBefore > newestTick || gap > LOST_MAX
      const leaves = tick - (snaps ? AT_ONCE : 1)
      if ((rested || snaps) && leaves > newestTick) this.#put(leaves, knots, newest + 1)
      this.#put(tick, values, 0)
      this.#runs = hasMoved && !snaps && clock.isCrowded
      this.#changed = snaps ? NEVER : shown
      // What is shown becomes the curve, from where it was.
      this.#curve(clock, shown, this.#error)
      for (let index = 0; index < this.#axes.length; index++)
        this.#error[index] = wasShown[index]! - this.#error[index]!
    }
    clock.handlePoint(tick, hasMoved)
  }

  /** Puts into `into` where it is to be seen at a tick time, in the application's unit. */
  sample(clock: PlayClock, time: number, into: Float64Array): void {
    this.#show(clock, time, into)
    for (let index = 0; index < this.#axes.length; index++) {
      const { step, min, max, wraps } = this.#axes[index]!
      const value = into[index]!
      into[index] = (wraps ? around(value, min, max) : value) * step
    }
  }

  #show(clock: PlayClock, time: number, into: Float64Array): void {
    this.#curve(clock, time, into)
    const left = 1 - (time - this.#changed) / BLEND
    if (left <= 0) return
    const part = left * left * (3 - 2 * left)
    for (let index = 0; index < this.#axes.length; index++) into[index]! += this.#error[index]! * part
  }

  #curve(clock: PlayClock, time: number, into: Float64Array): void {
    const knots = this.#knots
    const stride = this.#stride
    const newest = this.#newest
    let at = newest
    while (at > 0 && knots[at]! > time) at -= stride
    const tick = knots[at]!
    const late = time - tick
    const runs = at === newest && this.#runs && late < RUN && clock.wasOverrun(tick)
    for (let axis = 1; axis < stride; axis++) {
      let value = knots[at + axis]!
      const before = at > 0 ? this.#slope(at - stride, axis) : 0
      if (runs) {
        const rest = 1 - late / RUN
        value += before * late * rest * rest
      } else if (at < newest && late > 0) {
        const length = knots[at + stride]! - tick
        const part = late / length
        const way = knots[at + stride + axis]! - value
        const steepest = STEEPEST * way
        const leaving = clamp(before * length, Math.min(0, steepest), Math.max(0, steepest))
        value += part * (leaving + part * (way - leaving) * (2 - part))
      }
      into[axis - 1] = value
    }
  }

  /** The slope from the knot that begins at a place to the next, in steps a tick. */
  #slope(from: number, axis: number): number {
    const knots = this.#knots
    const to = from + this.#stride
    return (knots[to + axis]! - knots[from + axis]!) / (knots[to]! - knots[from]!)
  }

  #put(tick: number, values: Int32Array | Float64Array, from: number): void {
    const knots = this.#knots
    const stride = this.#stride
    if (this.#newest + stride < knots.length) this.#newest += this.#newest < 0 ? 1 : stride
    else knots.copyWithin(0, stride)
    knots[this.#newest] = tick
    for (let axis = 1; axis < stride; axis++) knots[this.#newest + axis] = values[from + axis - 1]!
  }
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max)
}
