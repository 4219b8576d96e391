// One room as a member sees it, sans-IO: who is there, what they say, where they point, and its document. It mirrors
// `session::Room` of the Rust crate hither-protocol.

import { AXIS_LIMIT, type FrameHeader } from '../motion/frame.ts'
import { View } from '../motion/view.ts'
import type { Reader } from '../wire/bytes.ts'
import type { EventMessage, MemberMessage, Seen, ToClient } from '../wire/control.ts'
import { sayEvent, sayPresence } from '../wire/control.ts'
import type { Fields, Value } from '../wire/msgpack.ts'
import { Document, type DocumentListener, patched } from './document.ts'
import { Mover } from './mover.ts'
import type { Session } from './session.ts'

type Message<T extends ToClient['type']> = Extract<ToClient, { type: T }>

/** What a membership tells the one who asked for it. */
export interface MembershipListener {
  /** Hears of the room's motion. */
  readonly cursors: MotionListener
  /** Hears of the room's document. */
  readonly records: DocumentListener
  /** Whether it is not wanted any more. */
  readonly isLeft: boolean
  /** The roster is whole. `eventsLost`: some since `seen` can't be had any more (rule V4). */
  handleEntered(membership: Membership, eventsLost: boolean): void
  /** Something said in the room was refused. */
  handleRefused(refusal: Refusal): void
  /** There is no membership: it was refused, or has ended; with a reason if nobody here asked for that. */
  handleOver(type: 'entry' | 'room', refusal?: Refusal): void
  /** What a tick changed, of the own member, too. A member is never changed in place. */
  handleMembers(changes: readonly MemberChange[]): void
  /** Another member's event; without a number if it was for this one alone. */
  handleEvent(event: { from: number; generation: number; name: string; data: Value; time: number }): void
  /** Events are lost: the next number is not the one after the last. */
  handleEventsLost(): void
}

/** A member came, went, or is another object now. */
export interface MemberChange {
  readonly type: 'enter' | 'leave' | 'update'
  readonly member: MemberMessage
}

/** What a membership tells of motion. */
export interface MotionListener {
  /** Another member has moved; `position` is reused, and in steps of `step` of the application's unit. */
  handleMotion(member: MemberMessage, position: Int32Array, step: number): void
  /** The own position came back, `age` milliseconds after it was set. */
  handleEcho(age: number): void
}

/** Why something was refused (rule E1). */
export interface Refusal {
  readonly code: number
  readonly message: string
  readonly retryAfterMs?: number | undefined
}

/** The rights of `joined`, as bits. */
const EDIT = 16

/** A room that a session is a member of. */
export class Membership {
  readonly handle: number
  readonly slot: number
  readonly generation: number
  readonly canWrite: boolean
  readonly tickHz: number
  /** What one step of an axis is in the application's unit. */
  readonly step: number
  readonly view: View
  readonly mover: Mover
  readonly members: Map<number, MemberMessage> = new Map()
  readonly listener: MembershipListener
  readonly document: Document
  /** Others' positions that frames have brought. */
  cursorsIn = 0
  readonly #session: Session
  readonly #epoch: number
  readonly #eventsLost: boolean
  readonly #position = new Int32Array(4)
  #entered = false
  #eventLast: number
  /** Events that are not told yet: before the roster is whole, nobody could say whose they are. */
  readonly #early: EventMessage[]
  #now = 0
  /** What of the own presence was not sent yet, and when the next patch may be. */
  #patch: Fields | undefined
  #patchDue = 0

  constructor(session: Session, joined: Message<'joined'>, listener: MembershipListener) {
    const { hz, axes, step } = joined.motion
    this.#session = session
    this.handle = joined.room
    this.slot = joined.slot
    this.generation = joined.generation
    this.canWrite = (joined.rights & EDIT) !== 0
    this.tickHz = hz
    this.step = step
    this.view = new View(axes, joined.epoch)
    this.mover = new Mover(1_000 / hz, axes)
    this.listener = listener
    this.document = new Document(session, joined.room, joined.slot, listener.records)
    this.#epoch = joined.epoch
    this.#eventsLost = joined.eventsLost
    this.#eventLast = joined.events[0] ? joined.events[0].number - 1 : joined.eventLast
    this.#early = joined.events
  }

  /** The place in the room's events, for `enter` to go on from. */
  get seen(): Seen {
    return { epoch: this.#epoch, number: this.#eventLast }
  }

  /** Leaves. No motion is sent or acked from now on: it would be taken for that of the next membership. */
  leave(): void {
    this.#session.leave(this.handle)
  }

  /** When `handleTimeout` has something to do; Infinity: not before more is set. */
  get due(): number {
    return this.#patch ? Math.min(this.mover.due, this.#patchDue) : this.mover.due
  }

  /** Patches the own presence (rule P1). It goes out once in a tick, merged: more would be over its rate. */
  updatePresence(now: number, patch: Fields): void {
    this.#patch = { ...this.#patch, ...patch }
    this.handleTimeout(now)
  }

  handleTimeout(now: number): void {
    if (!this.#patch || now < this.#patchDue) return
    this.#session.send(sayPresence(this.handle, this.#patch))
    this.#patch = undefined
    this.#patchDue = now + 1_000 / this.tickHz
  }

  /** Sends an event to everyone, or to the slots in `to` (rules V1, V3). */
  broadcast(name: string, data: unknown, to: number[] | undefined): void {
    this.#session.send(sayEvent(this.handle, name, data, to))
  }

  /** Sets the own position in the application's unit; values out of range are cut to it (rule M2). */
  setMotion(now: number, x: number, y: number, z: number, w: number): void {
    const position = this.#position
    position[0] = steps(x / this.step)
    position[1] = steps(y / this.step)
    position[2] = steps(z / this.step)
    position[3] = steps(w / this.step)
    this.mover.set(now, position)
  }

  handleRoster(page: Message<'roster'>): void {
    for (const member of page.members) this.members.set(member.slot, member)
    if (page.more || this.#entered) return
    this.#entered = true
    this.listener.handleEntered(this, this.#eventsLost)
    for (const member of this.members.values()) this.#showMotion(member)
    this.#tellEvents()
  }

  /** Applies a tick's changes, in the order of rule R5. What is not known yet is in a page that is to come. */
  handleDiff(diff: Message<'diff'>): void {
    const changes: MemberChange[] = []
    for (const slot of diff.leaves) {
      const member = this.members.get(slot)
      this.members.delete(slot)
      if (member) changes.push({ type: 'leave', member })
    }
    for (const member of diff.joins) {
      const known = this.members.get(member.slot)
      this.members.set(member.slot, member)
      changes.push({ type: known?.generation === member.generation ? 'update' : 'enter', member })
    }
    const changed = new Set<number>()
    const change = (slot: number, fields: (member: MemberMessage) => Partial<MemberMessage>): void => {
      const member = this.members.get(slot)
      if (member) this.members.set(slot, { ...member, ...fields(member) })
      if (member) changed.add(slot)
    }
    for (const [slot, patch] of diff.presence) change(slot, ({ presence }) => ({ presence: patched(presence, patch) }))
    for (const [slot, status] of diff.statuses) change(slot, () => ({ status }))
    for (const slot of changed) changes.push({ type: 'update', member: this.members.get(slot) as MemberMessage })
    this.#early.push(...diff.events)
    if (!this.#entered) return
    if (changes.length) this.listener.handleMembers(changes)
    for (const { type, member } of changes) if (type === 'enter') this.#showMotion(member)
    this.#tellEvents()
  }

  /** Before its roster is whole, the end of a membership is a failed entry. */
  handleLeft(reason: number | undefined): void {
    const refusal = reason === undefined ? undefined : { code: reason, message: '' }
    this.listener.handleOver(this.#entered ? 'room' : 'entry', refusal)
  }

  handleFrame(now: number, frame: FrameHeader, reader: Reader): void {
    this.#now = now
    this.view.handleFrame(frame, reader, this.#handleMoved)
  }

  /** Bound once, so that a frame makes no function. */
  readonly #handleMoved = (slot: number, generation: number, position: Int32Array): void => {
    if (slot === this.slot) {
      if (generation !== this.generation % 256) return
      const age = this.mover.handleEcho(this.#now, position)
      if (age === age) this.listener.cursors.handleEcho(age)
      return
    }
    this.cursorsIn++
    const member = this.members.get(slot)
    if (member && member.generation % 256 === generation && this.#entered) this.#tellMotion(member, position)
  }

  #tellEvents(): void {
    for (const event of this.#early.splice(0)) {
      if (event.number <= this.#eventLast) continue
      if (event.number !== this.#eventLast + 1) this.listener.handleEventsLost()
      this.#eventLast = event.number
      if (event.from !== this.slot || event.generation !== this.generation) this.listener.handleEvent(event)
    }
  }

  /** A frame may come before the control lane brings its member (rule M6). */
  #showMotion(member: MemberMessage): void {
    const position = new Int32Array(this.view.axes)
    if (member.slot !== this.slot && this.view.read(member.slot, member.generation, position)) {
      this.#tellMotion(member, position)
    }
  }

  #tellMotion(member: MemberMessage, position: Int32Array): void {
    if (!this.listener.isLeft) this.listener.cursors.handleMotion(member, position, this.step)
  }
}

function steps(value: number): number {
  // Not a number counts as 0: an Int32Array would take it so, too.
  return Math.min(Math.max(Math.round(value) || 0, -AXIS_LIMIT), AXIS_LIMIT - 1)
}
