// A room's records over the edits lane, sans-IO: loaded from snapshots, changed by edits in the server's order.

import { editsToClient, type EditsToClient, type Op, sayOpen, saySubmit } from '../wire/edits.ts'
import { FrameBuffer } from '../wire/framing.ts'
import { decodeMessage } from '../wire/lane.ts'
import type { Fields } from '../wire/msgpack.ts'
import type { Refusal } from './membership.ts'
import type { Session } from './session.ts'

/** What a document tells the one who opened it. */
export interface DocumentListener {
  /** A snapshot is whole: the records are another map now. */
  handleLoaded(): void
  /** These records changed, were made or went. */
  handleChanged(ids: readonly string[]): void
  /** An edit of this member is durable. */
  handleAck(number: number, sequence: number): void
  /** An edit of this member has no effect. */
  handleReject(number: number, refusal: Refusal): void
}

/** A record, and the number of the edit that changed it last. */
export interface StoredRecord {
  readonly version: number
  readonly fields: Fields
}

/** The document as of an edit. */
interface Copy {
  readonly records: Map<string, StoredRecord>
  /** The number of its last edit. */
  sequence: number
}

const PATCH = 2
const REMOVE = 3

/** The records of a room. */
export class Document {
  readonly #session: Session
  readonly #room: number
  readonly #slot: number
  readonly #listener: DocumentListener
  readonly #buffer = new FrameBuffer()
  #isOpen = false
  /** What there is, and the pages of the next that have come. */
  #copy: Copy | undefined
  #loading: Copy | undefined

  constructor(session: Session, room: number, slot: number, listener: DocumentListener) {
    this.#session = session
    this.#room = room
    this.#slot = slot
    this.#listener = listener
  }

  /** The records by id; none before the document is loaded. */
  get records(): ReadonlyMap<string, StoredRecord> | undefined {
    return this.#copy?.records
  }

  /** Goes on with the copy of an earlier membership's document, for which the edits since then are asked for. */
  resume(from: Document): void {
    this.#copy = from.#copy
  }

  /** Asks for the document, or for what it lacks (rule D3), once. */
  open(): void {
    if (this.#isOpen) return
    this.#isOpen = true
    this.#session.sendEdits(this.#room, sayOpen(this.#room, this.#slot, this.#copy?.sequence))
  }

  /** Submits an edit under a number, above all before or of one without an answer, which the answer repeats. */
  submit(number: number, ops: Op[]): void {
    this.open()
    this.#session.sendEdits(this.#room, saySubmit(number, ops))
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
        const copy = this.#loading ?? this.#copy
        for (const edit of message.edits) {
          // What the snapshot has comes again if it was under way, and may come before its first page.
          if (edit.sequence - 1 !== copy?.sequence) continue
          copy.sequence = edit.sequence
          for (const op of edit.ops) if (apply(copy, op)) ids.add(op.record)
        }
        if (ids.size && !this.#loading) this.#listener.handleChanged([...ids])
        return
      }
      case 'ack':
        return this.#listener.handleAck(message.number, message.sequence)
      case 'reject':
        return this.#listener.handleReject(message.number, message)
    }
  }

  #handleSnapshot(page: Extract<EditsToClient, { type: 'snapshot' }>): void {
    const copy = (this.#loading ??= { records: new Map(), sequence: page.sequence })
    for (const { id, version, fields } of page.records) copy.records.set(id, { version, fields })
    if (page.more) return
    this.#copy = copy
    this.#loading = undefined
    this.#listener.handleLoaded()
  }
}

/** Applies an operation of the newest edit, unless the record is newer, as one of a later page may be (rule D3). */
function apply({ records, sequence }: Copy, op: Op): boolean {
  const known = records.get(op.record)
  if (known && known.version > sequence) return false
  if (op.kind === REMOVE) return records.delete(op.record)
  if (op.kind === PATCH && !known) return false
  const fields = op.kind === PATCH && known ? patched(known.fields, op.fields) : op.fields
  records.set(op.record, { version: sequence, fields })
  return true
}

/** A map with a patch put in: nil removes a field, any other value replaces it (rule P1). */
export function patched(fields: Fields, patch: Fields): Fields {
  const all = Object.entries({ ...fields, ...patch })
  return Object.fromEntries(all.filter(([key, value]) => value !== null || !Object.hasOwn(patch, key)))
}
