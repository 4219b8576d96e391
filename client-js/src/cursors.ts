// The cursors of a room: the one part of it that is called for each move and for each picture, so nothing here makes
// garbage when it is.

import { animate, type Animated } from './animation.ts'
import { clock } from './connection.ts'
import { Emitter } from './emitter.ts'
import type { Axis } from './motion/axes.ts'
import { Curve, type PlayClock } from './motion/playback.ts'
import type { Membership, MotionListener } from './session/membership.ts'
import type { Ages } from './stats.ts'
import type { Unsubscribe } from './types.ts'

/** Where something is, in the application's unit; axes that the room does not have count for nothing. */
export interface Point {
  /** The first axis. */
  readonly x: number
  /** The second axis; 0 by default. */
  readonly y?: number
  /** The third axis; 0 by default. */
  readonly z?: number
  /** The fourth axis; 0 by default. */
  readonly w?: number
}

/** A member's cursor. There is one object for each member, and it changes in place: read it, do not keep it. */
export interface Cursor extends Required<Point> {
  /** Whose it is: `User.connectionId`. */
  readonly connectionId: number
  /** When it changed last, or the moment that it was sampled for, by `performance.now()`. */
  readonly time: number
}

/** The cursors of a room. */
export interface Cursors {
  /**
   * Sets this client's own. The newest position goes out once in a tick of the room, unreliably, and again until the
   * others have it; one that another follows before that is never sent. While there is no connection it is kept, and
   * sent when there is one.
   */
  set(point: Point): void
  /** The cursor of another member, if it has one and the viewport does not leave it out: the newest position. */
  get(connectionId: number): Cursor | undefined
  /**
   * The cursor of another member as it is to be drawn at `time` of `performance.now()`, by default now: on its way
   * between the positions that have come, a tick and a half behind them or as late as frames are, and at rest exactly
   * where the member rests. A jump of more than 1,000 units within a tick, or after a second of rest, is shown as one.
   *
   * There is one such object for each member, too: the next call changes it. Times must not fall.
   */
  sample(connectionId: number, time?: number): Cursor | undefined
  /** Calls `visit` with the cursor of each other member that has one. */
  forEach(visit: (cursor: Cursor) => void): void
  /**
   * Calls `listener` with each other member's cursor when it has moved, and `gone` with the `connectionId` of a cursor
   * that `get` does not have any more: its member has left, or is out of the viewport.
   */
  subscribe(listener: (cursor: Cursor) => void, gone?: (connectionId: number) => void): Unsubscribe
  /**
   * Calls `listener` in the next animation frame, and in each one from then on in which `sample` may have another
   * answer, with the time to sample for. All rooms share one `requestAnimationFrame`, and while nothing moves none is
   * asked for. Where there is none, as in Node, it is a timer of 16 ms.
   */
  onFrame(listener: (time: number) => void): Unsubscribe
}

interface MovingCursor extends Cursor {
  x: number
  y: number
  z: number
  w: number
  time: number
}

/** A member's cursor: where it is, and where it is to be seen. */
interface Shown {
  readonly newest: MovingCursor
  readonly sampled: MovingCursor
  readonly curve: Curve
}

/** The cursors of a room, over whatever membership it has. */
export class RoomCursors implements Cursors, MotionListener, Animated {
  /** How old the own cursor was each time that it came back. */
  readonly ages: Ages = { cursorAgeMs: null, cursorAges: 0 }
  readonly #cursors = new Map<number, Shown>()
  readonly #emitter = new Emitter<{ moved: [Cursor]; gone: [number]; frame: [number] }>()
  readonly #values = new Float64Array(4)
  readonly #wake: () => void
  #membership: Membership | undefined
  /** That of the membership which the cursors are from: it may have ended. */
  #clock: PlayClock | undefined
  #isSet = false
  #x = 0
  #y = 0
  #z = 0
  #w = 0

  /** `wake` is called when there is something to send. */
  constructor(wake: () => void) {
    this.#wake = wake
  }

  set(point: Point): void {
    this.#isSet = true
    this.#x = point.x
    this.#y = point.y ?? 0
    this.#z = point.z ?? 0
    this.#w = point.w ?? 0
    this.#send()
  }

  get(connectionId: number): Cursor | undefined {
    return this.#cursors.get(connectionId)?.newest
  }

  sample(connectionId: number, time: number = clock()): Cursor | undefined {
    const shown = this.#cursors.get(connectionId)
    if (!shown || !this.#clock) return undefined
    shown.curve.sample(this.#clock, this.#clock.at(time), this.#values)
    put(shown.sampled, this.#values, time)
    return shown.sampled
  }

  forEach(visit: (cursor: Cursor) => void): void {
    this.#cursors.forEach(({ newest }) => visit(newest))
  }

  subscribe(listener: (cursor: Cursor) => void, gone: (connectionId: number) => void = () => {}): Unsubscribe {
    const ends = [this.#emitter.subscribe('moved', listener), this.#emitter.subscribe('gone', gone)]
    return () => ends.forEach((end) => end())
  }

  onFrame(listener: (time: number) => void): Unsubscribe {
    const end = this.#emitter.subscribe('frame', listener)
    this.#animate()
    return end
  }

  handleFrame(time: number): boolean {
    this.#emitter.emit('frame', time)
    return this.#emitter.has('frame') && !!this.#clock?.isMoving(time)
  }

  /**
   * Goes on in a new membership, or in none for now. Whose member is there still is where it was, until a frame says
   * otherwise.
   */
  handleMembership(membership: Membership | undefined): void {
    this.#membership = membership
    if (!membership) return
    const { axes } = membership.view
    this.#clock = membership.clock
    for (const [id, shown] of this.#cursors) {
      const curve = new Curve(axes)
      const { x, y, z, w } = shown.newest
      const values = [x, y, z, w] as const
      // Any frame is of a later tick.
      curve.handlePoint(
        membership.clock,
        -1,
        Int32Array.from(axes, ({ step }, axis) => Math.round((values[axis] as number) / step)),
      )
      this.#cursors.set(id, { ...shown, curve })
    }
    this.#values.fill(0)
    if (this.#isSet) this.#send()
  }

  handleMotion(member: Stay, tick: number, position: Int32Array, axes: readonly Axis[]): void {
    const id = connectionId(member)
    let shown = this.#cursors.get(id)
    if (!shown) this.#cursors.set(id, (shown = unmoved(id, axes)))
    for (let index = 0; index < axes.length; index++) {
      this.#values[index] = (position[index] as number) * (axes[index] as Axis).step
    }
    put(shown.newest, this.#values, clock())
    if (this.#clock) shown.curve.handlePoint(this.#clock, tick, position)
    this.#emitter.emit('moved', shown.newest)
    this.#animate()
  }

  handleVanished(member: Stay): void {
    this.handleLeave(connectionId(member))
  }

  handleEcho(age: number): void {
    this.ages.cursorAgeMs = age
    this.ages.cursorAges++
  }

  /** Whether nobody hears anything for now. */
  setSilent(isSilent: boolean): void {
    this.#emitter.isSilent = isSilent
  }

  /** The room is left, for good: no cursor is here any more, and nobody hears more. */
  handleLeft(): void {
    this.forget()
    this.#emitter.clear()
  }

  /** Nobody's cursor is known any more. */
  forget(): void {
    for (const id of this.#cursors.keys()) this.handleLeave(id)
  }

  /** A member is gone. */
  handleLeave(connectionId: number): void {
    if (!this.#cursors.delete(connectionId)) return
    this.#emitter.emit('gone', connectionId)
    this.#animate()
  }

  /** The next frame shows something else. */
  #animate(): void {
    if (this.#emitter.has('frame')) animate(this)
  }

  #send(): void {
    if (!this.#membership) return
    this.#membership.setMotion(clock(), this.#x, this.#y, this.#z, this.#w)
    this.#wake()
  }
}

function unmoved(connectionId: number, axes: readonly Axis[]): Shown {
  const cursor = { connectionId, x: 0, y: 0, z: 0, w: 0, time: 0 }
  return { newest: cursor, sampled: { ...cursor }, curve: new Curve(axes) }
}

/** Moves a cursor to the values of the axes that there are; the other values are 0. */
function put(cursor: MovingCursor, values: Float64Array, time: number): void {
  cursor.x = values[0] as number
  cursor.y = values[1] as number
  cursor.z = values[2] as number
  cursor.w = values[3] as number
  cursor.time = time
}

/** The slots of a room; a generation before it makes a number that no other stay has. */
const SLOTS = 4_096

interface Stay {
  readonly slot: number
  readonly generation: number
}

/** The number of a member's stay in a room. */
export function connectionId({ slot, generation }: Stay): number {
  return generation * SLOTS + slot
}

/** The slot of a stay. */
export function slotOf(connectionId: number): number {
  return connectionId % SLOTS
}
