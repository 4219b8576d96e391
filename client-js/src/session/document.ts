// A room's records over the edits lane, sans-IO: loaded from snapshots, changed by edits in the server's order.

import { editsToClient, type EditsToClient, type Op, sayOpen, saySubmit } from '../wire/edits.ts'
import { FrameBuffer } from '../wire/framing.ts'
import { decodeMessage } from '../wire/lane.ts'
import type { Fields } from '../wire/msgpack.ts'
import type { Refusal } from './membership.ts'
import type { Session } from './session.ts'

/** What a document tells the one who opened it. */
export interface DocumentListener {
  /** The snapshot is whole, or the edits that were missed are there. */
  handleLoaded(): void
  /** These records changed, were made or went. */
  handleChanged(ids: readonly string[]): void
  /** An edit of this member is durable. */
  handleAck(number: number, sequence: number): void
  /** An edit of this member has no effect. */
  handleReject(number: number, refusal: Refusal): void
}

interface StoredRecord {
  readonly version: number
  readonly fields: Fields
}

const PATCH = 2
const REMOVE = 3

/** The records of a room. */
export class Document {
  readonly records: Map<string, StoredRecord> = new Map()
  isLoaded = false
  readonly #session: Session
  readonly #room: number
  readonly #slot: number
  readonly #listener: DocumentListener
  readonly #buffer = new FrameBuffer()
  #isOpen = false
  #isLoading = false
  #sequence = 0
  #sent = 0

  constructor(session: Session, room: number, slot: number, listener: DocumentListener) {
    this.#session = session
    this.#room = room
    this.#slot = slot
    this.#listener = listener
  }

  /** Asks for the document, once. */
  open(): void {
    if (this.#isOpen) return
    this.#isOpen = true
    this.#session.sendEdits(this.#room, sayOpen(this.#room, this.#slot))
  }

  /** Submits an edit, and returns its number, which `handleAck` or `handleReject` repeats. */
  submit(ops: Op[]): number {
    this.open()
    this.#session.sendEdits(this.#room, saySubmit(this.#sent + 1, ops))
    return ++this.#sent
  }

  handleChunk(chunk: Uint8Array): void {
    this.#buffer.push(chunk)
    for (let bytes; (bytes = this.#buffer.pop());) {
      const message = decodeMessage(editsToClient, bytes)
      if (message) this.#handleMessage(message)
    }
  }

  #handleMessage(message: EditsToClient): void {
    switch (message.type) {
      case 'snapshot':
        return this.#handleSnapshot(message)
      case 'edits': {
        const ids = new Set<string>()
        for (const edit of message.edits) {
          // What the snapshot has comes again if it was under way, and may come before its first page.
          if ((!this.isLoaded && !this.#isLoading) || edit.sequence !== this.#sequence + 1) continue
          this.#sequence = edit.sequence
          for (const op of edit.ops) if (this.#apply(edit.sequence, op)) ids.add(op.record)
        }
        if (ids.size && this.isLoaded) this.#listener.handleChanged([...ids])
        return
      }
      case 'ack':
        return this.#listener.handleAck(message.number, message.sequence)
      case 'reject':
        return this.#listener.handleReject(message.number, message)
    }
  }

  #handleSnapshot(page: Extract<EditsToClient, { type: 'snapshot' }>): void {
    if (!this.#isLoading) {
      this.records.clear()
      this.#sequence = page.sequence
    }
    for (const { id, version, fields } of page.records) this.records.set(id, { version, fields })
    this.#isLoading = page.more
    if (page.more) return
    this.isLoaded = true
    this.#listener.handleLoaded()
  }

  /** Applies an operation, unless the record is newer already, as one of a later page may be (rule D3). */
  #apply(version: number, op: Op): boolean {
    const known = this.records.get(op.record)
    if (known && known.version > version) return false
    if (op.kind === REMOVE) return this.records.delete(op.record)
    if (op.kind === PATCH && !known) return false
    const fields = op.kind === PATCH && known ? patched(known.fields, op.fields) : op.fields
    this.records.set(op.record, { version, fields })
    return true
  }
}

/** A map with a patch put in: nil removes a field, any other value replaces it (rule P1). */
export function patched(fields: Fields, patch: Fields): Fields {
  const all = Object.entries({ ...fields, ...patch })
  return Object.fromEntries(all.filter(([key, value]) => value !== null || !Object.hasOwn(patch, key)))
}
