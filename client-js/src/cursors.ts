// The cursors of a room: the one part of it that is called for each move, so nothing here allocates when it is.

import { clock } from './connection.ts'
import { Emitter } from './emitter.ts'
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
  /** When it changed last, by `performance.now()`. */
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
  /** The cursor of another member, if it has one. */
  get(connectionId: number): Cursor | undefined
  /** Calls `visit` with the cursor of each other member that has one. */
  forEach(visit: (cursor: Cursor) => void): void
  /** Calls `listener` with each other member's cursor when it has moved. */
  subscribe(listener: (cursor: Cursor) => void): Unsubscribe
}

interface MovingCursor extends Cursor {
  x: number
  y: number
  z: number
  w: number
  time: number
}

/** The cursors of a room, over whatever membership it has. */
export class RoomCursors implements Cursors, MotionListener {
  /** How old the own cursor was each time that it came back. */
  readonly ages: Ages = { cursorAgeMs: null, cursorAges: 0 }
  readonly #cursors = new Map<number, MovingCursor>()
  readonly #emitter = new Emitter<{ moved: [Cursor] }>()
  readonly #wake: () => void
  #membership: Membership | undefined
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
    return this.#cursors.get(connectionId)
  }

  forEach(visit: (cursor: Cursor) => void): void {
    this.#cursors.forEach((cursor) => visit(cursor))
  }

  subscribe(listener: (cursor: Cursor) => void): Unsubscribe {
    return this.#emitter.subscribe('moved', listener)
  }

  /** Goes on in a new membership, where all others are new, or in none for now. */
  handleMembership(membership: Membership | undefined): void {
    this.#membership = membership
    if (!membership) return
    this.#cursors.clear()
    if (this.#isSet) this.#send()
  }

  handleMotion(member: Stay, position: Int32Array, step: number): void {
    const id = connectionId(member)
    let cursor = this.#cursors.get(id)
    if (!cursor) this.#cursors.set(id, (cursor = { connectionId: id, x: 0, y: 0, z: 0, w: 0, time: 0 }))
    cursor.x = (position[0] as number) * step
    cursor.y = (position[1] as number) * step || 0
    cursor.z = (position[2] as number) * step || 0
    cursor.w = (position[3] as number) * step || 0
    cursor.time = clock()
    this.#emitter.emit('moved', cursor)
  }

  handleEcho(age: number): void {
    this.ages.cursorAgeMs = age
    this.ages.cursorAges++
  }

  /** A member is gone. */
  handleLeave(connectionId: number): void {
    this.#cursors.delete(connectionId)
  }

  #send(): void {
    if (!this.#membership) return
    this.#membership.setMotion(clock(), this.#x, this.#y, this.#z, this.#w)
    this.#wake()
  }
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
