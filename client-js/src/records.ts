// The records of a room: its document as the application reads and edits it.

import { Backlog, copied } from './backlog.ts'
import { notConnected, refused, RoomError } from './error.ts'
import { Emitter } from './emitter.ts'
import type { Document, DocumentListener, StoredRecord } from './session/document.ts'
import type { Membership, Refusal } from './session/membership.ts'
import type { Patch, RegisteredTypes, RoomTypes, Unsubscribe } from './types.ts'
import type { Op } from './wire/edits.ts'
import type { Fields } from './wire/msgpack.ts'

/** What came of an edit that is durable. */
export interface Edited {
  /** The edit's place in the room's order. */
  readonly sequence: number
}

/**
 * The records of a room: an id and fields each. Everyone has them in the same order, and they outlive the members. An
 * edit shows here once the server has ordered it; its promise resolves when it is durable, and rejects with a
 * `RoomError` if it has no effect, which goes to the room's `error`, too.
 *
 * Edits that are made while there is no connection, or 64 are not answered, wait, up to 64 KiB or 100 of them; more
 * reject with `not_connected`, or `rate_limited`. One that was sent and not answered when the connection was lost is
 * sent again if the room takes its member back, and has its effect once; else, and if the server was started again, it
 * rejects with `connection_lost`, as it may have had its effect.
 */
export interface Records<T extends RoomTypes = RegisteredTypes> {
  /** Whether they are here; they are asked for by the first use of `subscribe` or of an edit. */
  readonly isLoaded: boolean
  /** The fields of a record. */
  get(id: string): Readonly<T['Record']> | undefined
  /** Calls `visit` with each record. */
  forEach(visit: (fields: Readonly<T['Record']>, id: string) => void): void
  /** Makes the record these fields, new or not. */
  put(id: string, fields: T['Record']): Promise<Edited>
  /** Replaces fields of a record that exists; null removes one. */
  patch(id: string, patch: Patch<T['Record']>): Promise<Edited>
  /** Takes a record away. */
  remove(id: string): Promise<Edited>
  /** Calls `listener` with the ids of what changed, or was loaded. */
  subscribe(listener: (ids: readonly string[]) => void): Unsubscribe
}

/** How deep an operation lies in the message that submits it. */
const OP_DEPTH = 3

/** So many edits are sent and unanswered at most: no more answers does a server repeat (rule D7). */
const PENDING_MAX = 64

interface Edit {
  readonly op: Op
  readonly bytes: number
  readonly resolve: (edited: Edited) => void
  readonly reject: (error: RoomError) => void
}

/** The records of a room, over whatever membership it has. */
export class RoomRecords<T extends RoomTypes> implements Records<T>, DocumentListener {
  readonly #room: string
  readonly #onError: (error: RoomError) => void
  readonly #onUnsent: () => void
  /** What waits for a membership, or for answers. */
  readonly #backlog = new Backlog<Edit>()
  readonly #emitter = new Emitter<{ changed: [ids: readonly string[]] }>()
  /** What was sent and is not answered, by its number. */
  readonly #pending = new Map<number, Edit>()
  #number = 0
  #membership: Membership | undefined
  /** The document that was loaded last, in this membership or an earlier one, and the records that are shown of it. */
  #document: Document | undefined
  #records: ReadonlyMap<string, StoredRecord> | undefined
  #wanted = false
  /** Whether there is a membership, or may be. */
  canWait = false

  /** `onUnsent` is called when `hasUnsent` may have changed. */
  constructor(room: string, onError: (error: RoomError) => void, onUnsent: () => void) {
    this.#room = room
    this.#onError = onError
    this.#onUnsent = onUnsent
  }

  get isLoaded(): boolean {
    return this.#records !== undefined
  }

  /** Whether there are edits that wait to be sent, or answered. */
  get hasUnsent(): boolean {
    return this.#pending.size + this.#backlog.size > 0
  }

  get(id: string): Readonly<T['Record']> | undefined {
    return this.#records?.get(id)?.fields as T['Record'] | undefined
  }

  forEach(visit: (fields: Readonly<T['Record']>, id: string) => void): void {
    this.#records?.forEach(({ fields }, id) => visit(fields as T['Record'], id))
  }

  put(id: string, fields: T['Record']): Promise<Edited> {
    return this.#submit({ kind: 1, record: id, fields: fields as Fields })
  }

  patch(id: string, patch: Patch<T['Record']>): Promise<Edited> {
    return this.#submit({ kind: 2, record: id, fields: patch as Fields })
  }

  remove(id: string): Promise<Edited> {
    return this.#submit({ kind: 3, record: id, fields: {} })
  }

  subscribe(listener: (ids: readonly string[]) => void): Unsubscribe {
    this.#wanted = true
    this.#membership?.document.open()
    return this.#emitter.subscribe('changed', listener)
  }

  /**
   * Goes on in a new membership, or in none for now. Only in the same epoch is the document the one that it was, and
   * does the server know the numbers of edits (rule S5).
   */
  handleMembership(membership: Membership | undefined, isSameEpoch: boolean): void {
    this.#membership = membership
    if (!membership) return
    const { document, resumed } = membership
    // A page that is loaded anew does not know the numbers of the one before; they were smaller.
    if (resumed) this.#number ||= Date.now()
    if (!isSameEpoch) this.#document = undefined
    if (this.#document) document.resume(this.#document)
    if (this.#wanted) document.open()
    // The member's numbers tell the server which of these it has had (rule S4); a new member's do not.
    if (resumed && isSameEpoch) this.#pending.forEach(({ op }, number) => document.submit(number, [op]))
    else this.#forgetPending()
    this.#send()
  }

  /** Whether nobody hears anything for now. */
  setSilent(isSilent: boolean): void {
    this.#emitter.isSilent = isSilent
  }

  /** There will be no membership: what waits for one is lost. */
  handleOver(): void {
    this.#forgetPending()
    for (const { reject } of this.#backlog.take()) reject(notConnected('edit', this.#room))
    this.#onUnsent()
  }

  handleLoaded(): void {
    const ids = new Set(this.#records?.keys())
    this.#document = this.#membership?.document
    this.#records = this.#document?.records
    this.#records?.forEach((_, id) => ids.add(id))
    this.handleChanged([...ids])
  }

  handleChanged(ids: readonly string[]): void {
    // The room may have been left while a chunk is read.
    if (this.#membership) this.#emitter.emit('changed', ids)
  }

  handleAck(number: number, sequence: number): void {
    this.#settled(number)?.resolve({ sequence })
  }

  handleReject(number: number, refusal: Refusal): void {
    this.#settled(number)?.reject(refused('edit', refusal, this.#room))
  }

  #submit(said: Op): Promise<Edited> {
    this.#wanted = true
    const [op, bytes] = copied(said, OP_DEPTH) as [unknown, number] as [Op, number]
    const promise = new Promise<Edited>((resolve, reject) => {
      if (this.canWait && this.#backlog.add({ op, bytes, resolve, reject })) return
      reject(this.#membership ? refused('edit', { code: 5 }, this.#room) : notConnected('edit', this.#room))
    })
    // Who does not look at the promise hears of it by the room's `error`.
    promise.catch(this.#onError)
    this.#send()
    return promise
  }

  /** Sends what waits, as much as may be unanswered. */
  #send(): void {
    const document = this.#membership?.document
    const edits = document ? this.#backlog.take(PENDING_MAX - this.#pending.size) : []
    for (const edit of edits) {
      this.#pending.set(++this.#number, edit)
      document?.submit(this.#number, [edit.op])
    }
    this.#onUnsent()
  }

  #forgetPending(): void {
    for (const { reject } of this.#pending.values()) {
      reject(new RoomError('edit', 'connection_lost', 'it may have had its effect', { room: this.#room }, true))
    }
    this.#pending.clear()
  }

  /** An edit is answered, which makes room for another. */
  #settled(number: number): Edit | undefined {
    const edit = this.#pending.get(number)
    this.#pending.delete(number)
    this.#send()
    return edit
  }
}
