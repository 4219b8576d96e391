// The records of a room: its document as the application reads and edits it.

import { notConnected, refused, RoomError } from './error.ts'
import { Emitter } from './emitter.ts'
import type { Document, DocumentListener } from './session/document.ts'
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

interface Pending {
  readonly resolve: (edited: Edited) => void
  readonly reject: (error: RoomError) => void
}

/** The records of a room, over whatever membership it has. */
export class RoomRecords<T extends RoomTypes> implements Records<T>, DocumentListener {
  readonly #room: string
  readonly #onError: (error: RoomError) => void
  readonly #emitter = new Emitter<{ changed: [ids: readonly string[]] }>()
  readonly #pending = new Map<number, Pending>()
  #membership: Membership | undefined
  /** What is shown: that of an earlier membership until this one's has come. */
  #document: Document | undefined
  #wanted = false

  constructor(room: string, onError: (error: RoomError) => void) {
    this.#room = room
    this.#onError = onError
  }

  get isLoaded(): boolean {
    return this.#document !== undefined
  }

  get(id: string): Readonly<T['Record']> | undefined {
    return this.#document?.records.get(id)?.fields as T['Record'] | undefined
  }

  forEach(visit: (fields: Readonly<T['Record']>, id: string) => void): void {
    this.#document?.records.forEach(({ fields }, id) => visit(fields as T['Record'], id))
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

  /** Goes on in a new membership, or in none: what was not acked by the old one may be lost. */
  handleMembership(membership: Membership | undefined): void {
    this.#membership = membership
    for (const { reject } of this.#pending.values()) {
      reject(new RoomError('edit', 'connection_lost', 'it may have had its effect', { room: this.#room }, true))
    }
    this.#pending.clear()
    if (this.#wanted) membership?.document.open()
  }

  handleLoaded(): void {
    const gone = this.#document?.records.keys() ?? []
    this.#document = this.#membership?.document
    this.handleChanged([...new Set([...gone, ...(this.#document?.records.keys() ?? [])])])
  }

  handleChanged(ids: readonly string[]): void {
    // The room may have been left while a chunk is read.
    if (this.#membership) this.#emitter.emit('changed', ids)
  }

  handleAck(number: number, sequence: number): void {
    this.#pending.get(number)?.resolve({ sequence })
    this.#pending.delete(number)
  }

  handleReject(number: number, refusal: Refusal): void {
    const error = refused('edit', refusal, this.#room)
    this.#pending.get(number)?.reject(error)
    this.#pending.delete(number)
  }

  #submit(op: Op): Promise<Edited> {
    this.#wanted = true
    const number = this.#membership?.document.submit([op])
    const promise = new Promise<Edited>((resolve, reject) => {
      if (number) this.#pending.set(number, { resolve, reject })
      else reject(notConnected('edit', this.#room))
    })
    // Who does not look at the promise hears of it by the room's `error`.
    promise.catch(this.#onError)
    return promise
  }
}
