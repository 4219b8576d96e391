// One room as a member sees it, sans-IO: who is there, what they say, where they point, and its document. It mirrors
// `session::Room` of the Rust crate hither-protocol.

import { patched } from '../edits/entry.ts'
import { type Axis, bring, cut } from '../motion/axes.ts'
import type { FrameHeader } from '../motion/frame.ts'
import { PlayClock } from '../motion/playback.ts'
import { View } from '../motion/view.ts'
import type { Reader } from '../wire/bytes.ts'
import type { EventIdMessage, EventMessage, MemberMessage, Seen, ToClient, Viewport } from '../wire/control.ts'
import { sayEvent, sayPresence, sayViewport } from '../wire/control.ts'
import type { Said } from '../wire/lane.ts'
import type { Fields } from '../wire/msgpack.ts'
import { Beat } from './beat.ts'
import { EditsLane, type EditsLaneListener } from './edits-lane.ts'
import { Mover } from './mover.ts'
import type { Session } from './session.ts'

type Message<T extends ToClient['type']> = Extract<ToClient, { type: T }>

/** What a membership tells the one who asked for it. */
export interface MembershipListener {
  /** Hears of the room's motion. */
  readonly cursors: MotionListener
  /** Hears of the room's edits lane; of the first one by `handleEntered`. */
  readonly records: EditsLaneListener
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
  /** Another member's event; without an id if it was for this one alone. */
  handleEvent(event: EventMessage | Message<'direct'>, id: EventIdMessage | null): void
  /** An event to all has come back that is this member's, or was missed and may be that of the stay before. */
  handleReturned(event: EventMessage): void
  /** Events are lost: the next number is not the one after the last. */
  handleEventsLost(): void
  /** An answer to the session's `askKept`. */
  handleKept(kept: Message<'kept'>): void
}

/** A member came, went, or is another object now. */
export interface MemberChange {
  readonly type: 'enter' | 'leave' | 'update'
  readonly member: MemberMessage
}

/** What a membership tells of motion. */
export interface MotionListener {
  /** Another member is elsewhere from `tick` on; `position` is reused, and in steps of `axes`. */
  handleMotion(member: MemberMessage, tick: number, position: Int32Array, axes: readonly Axis[]): void
  /** Another member's motion is not to be seen any more. */
  handleVanished(member: MemberMessage): void
  /** The own position came back, `age` milliseconds after it was set. */
  handleEcho(age: number): void
}

/** Why something was refused (rule E1). */
export interface Refusal {
  readonly code: number
  readonly message?: string
  /** Of `too_large`: what it is over. */
  readonly limit?: number | undefined
  /** Of `too_large`: what that would be; of `conflict`: the version that the record has, 0 for none. */
  readonly value?: number | undefined
  readonly retryAfterMs?: number | undefined
}

/** How often the server hears of another viewport at most, in ms: a page that scrolls has one in each frame. */
const VIEWPORT_EVERY_MS = 100
/** And of patches of presence: 50 of them and 10 viewports a second are all that one room may say (rule E2). */
const PATCH_EVERY_MS = 20

/** How long a client waits before it opens an edits lane again that the server has ended, in ms (rule D1). */
const REOPEN_AFTER_MS = 1_000

/** The rights of `joined`, as bits. */
const EDIT = 16

/** A room that a session is a member of. */
export class Membership {
  readonly handle: number
  readonly slot: number
  readonly generation: number
  readonly canWrite: boolean
  /** Whether the room took back the member that this session was there (rule S4). */
  readonly resumed: boolean
  readonly tickHz: number
  readonly view: View
  /** When the room's motion is to be seen. */
  readonly clock: PlayClock
  readonly mover: Mover
  readonly members: Map<number, MemberMessage> = new Map()
  readonly listener: MembershipListener
  edits: EditsLane
  /** Others' positions that frames have brought. */
  cursorsIn = 0
  readonly #session: Session
  readonly #beat: Beat
  readonly #epoch: number
  readonly #eventsLost: boolean
  readonly #position = new Int32Array(4)
  /** The slots of others whose motion is not told yet, and where one of them is. */
  readonly #moved = new Set<number>()
  readonly #place: Int32Array
  #entered = false
  #eventLast: number
  /** The last event that was looked at for being one's own. */
  #returned = 0
  /** Events that are not told yet: before the roster is whole, nobody could say whose they are. */
  readonly #early: (EventMessage | Message<'direct'>)[]
  #now = 0
  /** What of the own presence was not sent yet, and when the next patch may be. */
  #patch: Fields | undefined
  #patchDue = 0
  /** The viewport that was not sent yet, and when the next may be. */
  #viewport: Said | undefined
  #viewportDue = 0
  /** When there is to be another edits lane. */
  #editsDue = Infinity

  constructor(session: Session, joined: Message<'joined'>, listener: MembershipListener) {
    const { hz, axes } = joined.motion
    this.#session = session
    this.handle = joined.room
    this.slot = joined.slot
    this.generation = joined.generation
    this.canWrite = (joined.rights & EDIT) !== 0
    this.resumed = joined.resumed
    this.tickHz = hz
    this.view = new View(axes, hz, joined.epoch)
    this.clock = new PlayClock(hz)
    this.#place = new Int32Array(axes.length)
    this.#beat = new Beat(hz, session)
    this.mover = new Mover(1_000 / hz, axes.length, this.#beat)
    this.listener = listener
    this.edits = new EditsLane(session, joined.room, joined.slot, listener.records)
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
    return Math.min(
      this.mover.due,
      this.#beat.due,
      this.#patch ? this.#patchDue : Infinity,
      this.#viewport ? this.#viewportDue : Infinity,
      this.#editsDue,
    )
  }

  /**
   * Patches the own presence (rule P1). It goes out once in a tick, merged, and once in 20 ms: more would be over its
   * rate, and lost.
   */
  updatePresence(now: number, patch: Fields): void {
    this.#patch = { ...this.#patch, ...patch }
    this.handleTimeout(now)
  }

  /**
   * Asks for the motion within a viewport, in the application's unit, and of the member in the slot `follow`; without
   * either, for all (rule M13).
   */
  setViewport(now: number, viewport: Viewport | null, follow: number | undefined): void {
    const [x, y = x] = this.view.axes as [Axis, Axis?]
    const inSteps = viewport && {
      left: cut(Math.floor(viewport.left / x.step)),
      top: cut(Math.floor(viewport.top / y.step)),
      right: cut(Math.ceil(viewport.right / x.step)),
      bottom: cut(Math.ceil(viewport.bottom / y.step)),
    }
    this.#viewport = sayViewport(this.handle, inSteps ?? undefined, follow)
    this.handleTimeout(now)
  }

  handleTimeout(now: number): void {
    if (this.#patch && now >= this.#patchDue) {
      this.#session.send(sayPresence(this.handle, this.#patch))
      this.#patch = undefined
      this.#patchDue = now + Math.max(1_000 / this.tickHz, PATCH_EVERY_MS)
    }
    if (this.#viewport && now >= this.#viewportDue) {
      this.#session.send(this.#viewport)
      this.#viewport = undefined
      this.#viewportDue = now + VIEWPORT_EVERY_MS
    }
    if (now >= this.#editsDue) {
      this.#editsDue = Infinity
      this.edits = new EditsLane(this.#session, this.handle, this.slot, this.listener.records)
      this.listener.records.handleLane(this.edits)
    }
    if (now < this.#beat.due) return
    this.#beat.handleTimeout(now)
    // At the end: who hears of it may leave.
    this.#tellMoved()
  }

  /** Sends an event to everyone, or to the slots in `to` (rules V1, V3). */
  broadcast(name: string, data: unknown, to: number[] | undefined): void {
    this.#session.send(sayEvent(this.handle, name, data, to))
  }

  /** Sets the own position in the application's unit; values are brought into the axes' ranges (rule M2). */
  setMotion(now: number, x: number, y: number, z: number, w: number): void {
    this.#setAxis(0, x)
    this.#setAxis(1, y)
    this.#setAxis(2, z)
    this.#setAxis(3, w)
    this.mover.set(now, this.#position)
  }

  /** The server has ended the edits lane alone: it can't have the document now. */
  handleEditsEnded(now: number): void {
    this.#editsDue = now + REOPEN_AFTER_MS
    this.listener.records.handleLane(undefined)
  }

  handleRoster(page: Message<'roster'>): void {
    for (const member of page.members) this.members.set(member.slot, member)
    if (page.more || this.#entered) return
    this.#entered = true
    for (const event of this.#early) if ('number' in event) this.#handleReturned(event)
    this.listener.handleEntered(this, this.#eventsLost)
    this.#tellMoved()
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
    // A frame may come before the control lane brings its member (rule M6).
    for (const { type, member } of changes) {
      if (type === 'enter' && member.slot !== this.slot) this.#moved.add(member.slot)
    }
    this.#tellMoved()
    this.#tellEvents()
  }

  /** Takes an event for this member alone; it is told once those are known who may have sent it. */
  handleDirect(event: Message<'direct'>): void {
    this.#early.push(event)
    if (this.#entered) this.#tellEvents()
  }

  /** Before its roster is whole, the end of a membership is a failed entry. */
  handleLeft(reason: number | undefined): void {
    const refusal = reason === undefined ? undefined : { code: reason }
    this.listener.handleOver(this.#entered ? 'room' : 'entry', refusal)
  }

  /** Takes a frame, and returns when its ack is due at the latest. Throws `DecodeError` at a malformed part. */
  handleFrame(now: number, frame: FrameHeader, reader: Reader): number {
    this.#now = now
    if (frame.epochCheck === this.#epoch % 256) this.clock.handleFrame(now, frame.tick)
    try {
      this.view.handleFrame(frame, reader, this.#handleMoved)
      const isShown = this.view.hasPartOf(this.slot) && this.view.read(this.slot, this.generation, this.#place) >= 0
      if (isShown) this.mover.handleShown(frame.tick, this.#place)
      // One of another epoch, or that can't be read, says nothing of the beat either.
      return this.view.hasParts ? this.#beat.handleFrame(now, frame.tick) : now
    } finally {
      this.#tellMoved()
    }
  }

  /** Bound once, so that a frame makes no function. */
  readonly #handleMoved = (slot: number, generation: number, position: Int32Array | undefined): void => {
    if (slot === this.slot) {
      if (!position || generation !== this.generation % 256) return
      const age = this.mover.handleEcho(this.#now, position)
      if (age === age) this.listener.cursors.handleEcho(age)
      return
    }
    if (position) this.cursorsIn++
    this.#moved.add(slot)
  }

  #setAxis(index: number, value: number): void {
    const axis = this.view.axes[index]
    if (axis) this.#position[index] = bring(axis, Math.round(value / axis.step))
  }

  #tellEvents(): void {
    for (const event of this.#early.splice(0)) {
      // One for this member alone has no number, and may come from itself.
      if ('number' in event) {
        if (event.number <= this.#eventLast) continue
        if (event.number !== this.#eventLast + 1) this.listener.handleEventsLost()
        this.#eventLast = event.number
        if (event.from === this.slot && event.generation === this.generation) {
          this.#handleReturned(event)
          continue
        }
      }
      this.listener.handleEvent(event, 'number' in event ? this.seen : null)
    }
  }

  /** Once for each number: one that waited for its tick comes with the join and in the diff. */
  #handleReturned(event: EventMessage): void {
    if (event.number <= this.#returned) return
    this.#returned = event.number
    this.listener.handleReturned(event)
  }

  /** Tells what frames have brought of members that are known, unless it is old (rule M16). */
  #tellMoved(): void {
    if (!this.#entered || this.#beat.isStale) return
    const position = this.#place
    for (const slot of this.#moved) {
      const member = this.members.get(slot)
      if (!member || this.listener.isLeft) continue
      const tick = this.view.read(slot, member.generation, position)
      if (tick < 0) this.listener.cursors.handleVanished(member)
      else this.listener.cursors.handleMotion(member, tick, position, this.view.axes)
    }
    this.#moved.clear()
  }
}
