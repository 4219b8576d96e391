// A room as the application holds it: it stays the same object while connections come and go under it.

import { Asked } from './asked.ts'
import { Backlog, copied } from './backlog.ts'
import { connectionId, type Cursors, RoomCursors, slotOf } from './cursors.ts'
import { Emitter } from './emitter.ts'
import { notConnected, refused, type RoomError } from './error.ts'
import type { EditQueue } from './edit-queue.ts'
import type { Editor } from './edits/edits.ts'
import { patched } from './edits/entry.ts'
import { isEqual } from './equal.ts'
import { Others, user } from './others.ts'
import {
  type History,
  HISTORY_LIMIT,
  type HistoryOptions,
  type PastEdit,
  type Records,
  type RecordsOwner,
  RoomRecords,
  type StorageStatus,
} from './records.ts'
import { clock, type Connection } from './connection.ts'
import type { MemberChange, Membership, MembershipListener, Refusal } from './session/membership.ts'
import type { LostConnection } from './session/reconnect.ts'
import type { EventIdMessage, EventMessage, Seen, ToClient, Viewport } from './wire/control.ts'
import { type RoomStats, stats } from './stats.ts'
import type {
  EventHistoryOptions,
  OthersChange,
  PastEvent,
  Patch,
  RegisteredTypes,
  RoomEvent,
  RoomTypes,
  Self,
  Status,
  Unsubscribe,
  User,
} from './types.ts'
import { PRESENCE_BYTES_MAX } from './wire/limits.ts'
import type { Fields, Value } from './wire/msgpack.ts'

/** What a room tells, by type, and with which values. */
export interface RoomListeners<T extends RoomTypes = RegisteredTypes> {
  /**
   * The room's status changed. With `connected`, `resumed` says whether this client is the member that it was before:
   * the others have not seen it go, and `others` tells what changed meanwhile. Else it is a new member, and so are the
   * others to it.
   */
  status: [status: Status, resumed: boolean]
  /** One of the others changed; `others` is how all of them are after the tick that changed it. */
  others: [others: readonly User<T>[], change: OthersChange<T>]
  /** One's own presence changed. */
  'my-presence': [presence: Readonly<T['Presence']>]
  /** Another member sent an event. */
  event: [event: RoomEvent<T>]
  /** Something was refused or failed. */
  error: [error: RoomError]
  /**
   * The client's connection has been gone for 5 s (`lostConnectionTimeout`), is there again, or is not tried for any
   * more.
   */
  'lost-connection': [change: 'lost' | 'restored' | 'failed']
  /** Whether all edits made here are durable has changed: `synchronizing` while some are not known to be. */
  'storage-status': [status: StorageStatus]
  /** What `records.undo` and `records.redo` can do has changed. */
  history: [history: History]
  /** Events were missed and can't be had any more: what is built on them begins anew. */
  resync: []
}

/** A room that this client has entered, or is about to. */
export interface Room<T extends RoomTypes = RegisteredTypes> {
  /** Its full name, `namespace:name`. */
  readonly id: string
  /** The cursors of all members: the fast, unreliable state. */
  readonly cursors: Cursors
  /** The records: the durable state. */
  readonly records: Records<T>
  /** `connected` once the roster is here. */
  getStatus(): Status
  /** This client as a member; `null` before the room is entered. */
  getSelf(): Self<T> | null
  /** The other members. The array is never changed: another state is another array. */
  getOthers(): readonly User<T>[]
  /** One's own presence, as the last `updatePresence` left it. */
  getPresence(): Readonly<T['Presence']>
  /**
   * Patches one's own presence: here at once, at the others in the room's next tick, or when the last patch was 20 ms
   * ago. Null removes a field. Throws `TypeError` for what MessagePack has no form for, and `RangeError` if the
   * presence would have more than 4 KiB.
   */
  updatePresence(patch: Patch<T['Presence']>): void
  /**
   * Sends an event to everyone else, or to the members whose `connectionId` is in `to`. If one of these is not in the
   * room, or there are none, nobody gets it, and `error` says `not_found`. While there is no connection it waits for
   * one, with others up to 64 KiB or 100 of them; for more, and when none is tried for, `error` says `not_connected`.
   * Within the same bound one to all that was sent and may be lost with its connection is sent again.
   */
  broadcast<K extends keyof T['Events'] & string>(
    name: K,
    data: T['Events'][K],
    options?: { readonly to?: readonly number[] },
  ): void
  /**
   * Asks for the cursors within a rectangle alone, in the application's unit, with a margin that the server adds; null,
   * and the default: for all. Set it whenever the page scrolls: the newest goes out ten times in a second at most. It
   * holds over reconnects.
   */
  setViewport(viewport: Viewport | null): void
  /** Asks for the cursor of one more member, by `connectionId`, wherever it is, until it leaves; null: of none. */
  follow(connectionId: number | null): void
  /**
   * Has the edits that are made within `act`, not after an `await`, go as one: all or nothing, told once, and undone in
   * one step; their promises are the same. If `act` throws, none of them is made. Returns what `act` returns.
   */
  batch<R>(act: () => R): R
  /**
   * Looks up the edits of the records as they were made, in their order: the latest, or those before a place; none
   * where the server keeps no more. Rejects with a `RoomError` while there is no connection, or if the server can't
   * look now.
   */
  history(options?: HistoryOptions): Promise<readonly PastEdit<T>[]>
  /**
   * Looks up the events to all that the server keeps, of all members, oneself included, in their order: the latest, or
   * those before one; none where it keeps no more. Rejects as above, and with `unavailable` if the connection is lost
   * meanwhile.
   */
  history(options: EventHistoryOptions): Promise<readonly PastEvent<T>[]>
  /** Whether all edits made here are durable. */
  getStorageStatus(): StorageStatus
  /** What the room's connection has done and how well. */
  getStats(): RoomStats
  /** Calls `listener` with each thing of a type, until the function that this returns is called. */
  subscribe<K extends keyof RoomListeners<T>>(type: K, listener: (...values: RoomListeners<T>[K]) => void): Unsubscribe
}

/** How deep a presence lies, for what it may have inside: what is below it nests at most 8 deep, and a message 16. */
const PRESENCE_DEPTH = 7

/** How deep an event's data lies in the message that sends it. */
const EVENT_DEPTH = 2

/** An event as it was said here: to all, or to members by their `connectionId`. */
interface SaidEvent {
  readonly name: string
  readonly data: Value
  readonly to: readonly number[] | undefined
  readonly bytes: number
}

/** A room over whatever connection there is. */
export class ClientRoom<T extends RoomTypes> implements Room<T>, MembershipListener, RecordsOwner {
  readonly id: string
  readonly cursors: RoomCursors
  readonly records: RoomRecords<T>
  readonly #emitter = new Emitter<RoomListeners<T>>()
  /** Events that are sent once there is a membership, or have not come back. */
  readonly #backlog = new Backlog<SaidEvent>()
  #status: Status = 'initial'
  #presence: Fields
  /** What was patched since the presence was sent with a join that is not answered yet. */
  #unsent: Fields = {}
  #seen: Seen | undefined
  #connection: Connection | undefined
  #membership: Membership | undefined
  readonly #others = new Others<T>()
  #self: Self<T> | null = null
  #viewport: Viewport | null = null
  /** NaN: nobody. */
  #followed = NaN
  /** Who waits for earlier events. */
  readonly #asked: Asked<readonly PastEvent<T>[]>
  /** Whether the application has left, for good. */
  isLeft = false

  readonly #onStorageStatus: () => void
  readonly #editQueue: EditQueue | undefined

  /** `onStorageStatus` is called when `getStorageStatus` has changed. */
  constructor(
    id: string,
    presence: object | undefined,
    editor: Editor,
    editQueue: EditQueue | undefined,
    onStorageStatus: () => void,
  ) {
    this.id = id
    this.#asked = new Asked(id)
    this.#onStorageStatus = onStorageStatus
    this.#editQueue = editQueue
    this.#presence = patched({}, sendable(presence ?? {}))
    this.cursors = new RoomCursors(() => this.#connection?.wake())
    this.records = new RoomRecords(this, editor, editQueue)
  }

  getStatus(): Status {
    return this.#status
  }

  getSelf(): Self<T> | null {
    return this.#self
  }

  getOthers(): readonly User<T>[] {
    return this.#others.list
  }

  getPresence(): Readonly<T['Presence']> {
    return this.#presence as T['Presence']
  }

  updatePresence(patch: Patch<T['Presence']>): void {
    const fields = sendable(patch)
    this.#presence = sendable(patched(this.#presence, fields))
    if (this.#membership) this.#membership.updatePresence(clock(), fields)
    else this.#unsent = { ...this.#unsent, ...fields }
    this.#connection?.wake()
    this.#updateSelf()
    this.#emitter.emit('my-presence', this.getPresence())
  }

  broadcast(name: string, data: unknown, options?: { readonly to?: readonly number[] }): void {
    const [copy, bytes] = copied(data ?? null, EVENT_DEPTH)
    const event = { name, data: copy, to: options?.to && [...options.to], bytes }
    if (this.#membership) this.#say(event)
    else if (!this.records.canWait || !this.#backlog.add(event)) this.handleError(notConnected('room', this.id))
  }

  setViewport(viewport: Viewport | null): void {
    this.#viewport = viewport && { ...viewport }
    this.#sendViewport()
  }

  follow(connectionId: number | null): void {
    this.#followed = connectionId ?? NaN
    this.#sendViewport()
  }

  history(options?: HistoryOptions): Promise<readonly PastEdit<T>[]>
  history(options: EventHistoryOptions): Promise<readonly PastEvent<T>[]>
  history(
    options: HistoryOptions | EventHistoryOptions = {},
  ): Promise<readonly PastEdit<T>[] | readonly PastEvent<T>[]> {
    if (options.of !== 'events') return this.records.history(options)
    const { before, limit = HISTORY_LIMIT } = options
    if (!this.#connection || !this.#membership) return Promise.reject(notConnected('room', this.id))
    return this.#asked.wait(this.#connection.session.askKept(this.#membership.handle, before, limit))
  }

  batch<R>(act: () => R): R {
    return this.records.batch(act)
  }

  getStorageStatus(): StorageStatus {
    return this.records.storageStatus
  }

  getStats(): RoomStats {
    return stats(this.#connection, this.#membership, this.cursors.ages, this.#editQueue?.type ?? 'memory')
  }

  subscribe<K extends keyof RoomListeners<T>>(
    type: K,
    listener: (...values: RoomListeners<T>[K]) => void,
  ): Unsubscribe {
    return this.#emitter.subscribe(type, listener)
  }

  /** Asks for a membership over a connection that is there. */
  handleConnection(connection: Connection): void {
    this.#connection = connection
    this.#unsent = {}
    connection.session.enter(this.id, this.#presence, this.#seen, this)
  }

  /** The client's connection is in another state: `connecting`, or gone for a while or for good. */
  handleStatus(status: 'connecting' | 'reconnecting' | 'disconnected'): void {
    this.#forget()
    this.#setStatus(status)
  }

  /** The client's connection is lost, or not any more (rule C3). */
  handleLostConnection(change: LostConnection): void {
    this.#emitter.emit('lost-connection', change)
  }

  /** Whether nobody hears anything: the application has left, and may enter again at once. */
  setSilent(isSilent: boolean): void {
    this.#emitter.isSilent = isSilent
    this.cursors.setSilent(isSilent)
    this.records.setSilent(isSilent)
  }

  /** The application leaves, for good: who enters the room again gets another object. */
  leave(): void {
    this.records.setSilent(true)
    this.#membership?.leave()
    this.#forget()
    this.#self = null
    this.#others.clear()
    this.#setStatus('initial')
    this.isLeft = true
    this.cursors.handleLeft()
    void this.records.handleLeft()
    this.#emitter.clear()
  }

  handleError(error: RoomError): void {
    this.#emitter.emit('error', error)
  }

  handleStorageStatus(status: StorageStatus): void {
    this.#onStorageStatus()
    this.#emitter.emit('storage-status', status)
  }

  handleHistory(history: History): void {
    this.#emitter.emit('history', history)
  }

  handleEntered(membership: Membership, eventsLost: boolean): void {
    const { resumed } = membership
    const self = this.#self
    // As in another epoch they always are (rule V4).
    if (eventsLost) this.#backlog.forgetSaid()
    const changes = this.#others.replace(membership)
    this.#forgetGone(changes)
    this.#setMembership(membership)
    // Frames never say of whom they had not shown that he is out of sight.
    if (this.#viewport) this.cursors.forget()
    if (this.#viewport || this.#others.get(this.#followed)) this.#sendViewport()
    if (Object.keys(this.#unsent).length) membership.updatePresence(clock(), this.#unsent)
    // What waited goes before what the listeners below say.
    for (const event of this.#backlog.take()) this.#say(event)
    this.#updateSelf()
    this.#setStatus('connected')
    this.#tellOthers(resumed && self ? changes : [{ type: 'reset' }])
    if (eventsLost) this.handleEventsLost()
  }

  handleRefused(refusal: Refusal): void {
    // It may be one of the own events: nobody can tell which.
    this.#backlog.forgetSaid()
    this.handleError(refused('room', refusal, this.id))
  }

  handleOver(type: 'entry' | 'room', refusal?: Refusal): void {
    const connection = this.#connection
    this.#forget()
    if (!refusal) return
    // An earlier stay, which was left before it was answered, is over by now.
    if (refusal.code === 8 && connection) return this.handleConnection(connection)
    this.#setStatus('disconnected')
    this.handleError(refused(type, refusal, this.id))
  }

  handleMembers(changes: readonly MemberChange[]): void {
    const slot = this.#membership?.slot
    if (changes.some(({ member }) => member.slot === slot)) this.#updateSelf()
    const told = this.#others.change(changes.filter(({ member }) => member.slot !== slot))
    this.#forgetGone(told)
    this.#tellOthers(told)
  }

  handleEvent(event: Omit<EventMessage, 'number'>, id: EventIdMessage | null): void {
    const { name, data, time } = event
    const user = this.#others.get(sender(event)) ?? null
    this.#emitter.emit('event', { name, data, user, time, id } as unknown as RoomEvent<T>)
  }

  handleReturned(event: EventMessage): void {
    if (sender(event) !== this.#self?.connectionId) return
    this.#backlog.confirm(({ name, data }) => name === event.name && isEqual(data, event.data))
  }

  handleEventsLost(): void {
    this.#emitter.emit('resync')
  }

  handleKept(kept: Extract<ToClient, { type: 'kept' }>): void {
    const past = kept.events.map(({ user: { id, name }, ...event }) => ({ ...event, user: { id, info: { name } } }))
    this.#asked.handleAnswer(kept, past as unknown as PastEvent<T>[])
  }

  /** The membership is gone; what it showed stays until there is another. */
  #forget(): void {
    this.#seen = this.#membership?.seen ?? this.#seen
    this.#connection = undefined
    this.#setMembership(undefined)
    this.#asked.giveUp()
  }

  #setMembership(membership: Membership | undefined): void {
    this.#membership = membership
    this.cursors.handleMembership(membership)
    this.records.handleLane(membership?.edits)
  }

  #setStatus(status: Status): void {
    if (this.isLeft || status === this.#status) return
    this.#status = status
    this.records.canWait = status !== 'disconnected' && status !== 'initial'
    this.#emitter.emit('status', status, status === 'connected' && !!this.#membership?.resumed)
    if (!this.records.canWait) {
      this.#backlog.forgetSaid()
      for (const _ of this.#backlog.take()) this.handleError(notConnected('room', this.id))
      this.records.handleOver()
    }
  }

  /** Sends an event. */
  #say(event: SaidEvent): void {
    const { name, data, to } = event
    // A slot may have changed hands, and on the wire no slots stand for everyone.
    if (to && !(to.length && to.every((id) => this.#others.get(id))))
      return this.handleError(refused('room', { code: 3 }, this.id))
    if (!to) this.#backlog.add(event, true)
    this.#membership?.broadcast(name, data, to?.map(slotOf))
  }

  #updateSelf(): void {
    const membership = this.#membership
    const member = membership?.members.get(membership.slot)
    if (membership && member)
      this.#self = { ...user<T>(member), presence: this.getPresence(), canWrite: membership.canWrite }
  }

  #sendViewport(): void {
    const slot = this.#others.get(this.#followed) ? slotOf(this.#followed) : undefined
    this.#membership?.setViewport(clock(), this.#viewport, slot)
    this.#connection?.wake()
  }

  /** Who has left has no cursor; and whoever has the slot next is not the one that is followed. */
  #forgetGone(changes: readonly OthersChange<T>[]): void {
    for (const change of changes) {
      if (change.type !== 'leave') continue
      const { connectionId } = change.user
      this.cursors.handleLeave(connectionId)
      if (connectionId === this.#followed) this.follow(null)
    }
  }

  /** All changes of a tick are told with the same array, as it is after the last of them. */
  #tellOthers(changes: readonly OthersChange<T>[]): void {
    const { list } = this.#others
    for (const change of changes) this.#emitter.emit('others', list, change)
  }
}

/** The `connectionId` of the member who sent an event. */
function sender({ from, generation }: { from: number; generation: number }): number {
  return connectionId({ slot: from, generation })
}

/**
 * A copy as the server will have it. Throws where the mistake is made, not where the value would be sent: `TypeError`
 * for what can't be, `RangeError` for more than a presence may have (rule P3).
 */
function sendable(fields: object): Fields {
  const [copy, bytes] = copied(fields, PRESENCE_DEPTH)
  if (bytes > PRESENCE_BYTES_MAX) throw new RangeError('too large')
  return copy as Fields
}
