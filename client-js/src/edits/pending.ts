// One's own edits that the document does not have yet, and what it shows with them. Apart from the lane, which has only
// to know what is to be sent.

import { copied, fits } from '../backlog.ts'
import { report } from '../emitter.ts'
import { isEqual } from '../equal.ts'
import { type EditMessage, editBytes, type Op } from '../wire/edits.ts'
import { EDITOR_MS, EDITS_UNANSWERED_MAX, RECORD_BYTES_MAX } from '../wire/limits.ts'
import type { Fields, Value } from '../wire/msgpack.ts'
import type { Document } from './document.ts'
import { each, own, PATCH } from './entry.ts'
import { Overlay } from './overlay.ts'

/** How deep a field's value lies in the message that submits it. */
const VALUE_DEPTH = 5

/** Decides between one's own value of a field, which waits to be sent, and the one that has come; null is none. */
export type Resolve = (local: Value, remote: Value, of: { readonly record: string; readonly field: string }) => Value

/** An edit under its editor's number. */
export interface PendingEdit {
  /** The number. */
  readonly number: number
  /** What it does. */
  ops: readonly Op[]
  /** What its operations take of what may wait, in bytes. */
  bytes: number
  /** When it was first about to be sent, in milliseconds since the Unix epoch: from then on it may have its effect. */
  sentAt?: number | undefined
  /** Whether it was sent on the present lane, or is about to be. */
  isOnLane?: boolean
  /** Its place, once it is acked; it comes with the edits of a tick. */
  sequence?: number
}

/** Edits in the order of their numbers. */
export class Pending {
  /** What they change of the document, each whole or not at all, as the server is going to see them. */
  shown: Overlay = new Overlay()
  #edits: PendingEdit[] = []

  /** Those that have no answer. */
  get unanswered(): PendingEdit[] {
    return this.#edits.filter(({ sequence }) => sequence === undefined)
  }

  /** Those of them that were sent, now or over an earlier connection. */
  get sent(): PendingEdit[] {
    return this.unanswered.filter(({ sentAt }) => sentAt !== undefined)
  }

  /** The ids of the records that they are about. */
  get records(): string[] {
    return this.#edits.flatMap(({ ops }) => ops.map(({ record }) => record))
  }

  get #unsent(): PendingEdit[] {
    return this.unanswered.filter(({ sentAt }) => sentAt === undefined)
  }

  /** Whether there is place for so many bytes more to wait. */
  hasRoom(bytes: number): boolean {
    return fits([...this.#unsent, { bytes }])
  }

  /** Adds an edit; gives the operations that take it back, if it can be shown. */
  push(edit: PendingEdit, document: Document | undefined): readonly Op[] {
    this.#edits.push(edit)
    return (document && this.shown.commit(document, edit.ops)) ?? []
  }

  /** The edits to be sent now: those that wait, while fewer than 64 are unanswered (rule D7). */
  takeSendable(now: number): PendingEdit[] {
    const sendable = this.unanswered.slice(0, EDITS_UNANSWERED_MAX).filter(({ isOnLane }) => !isOnLane)
    for (const edit of sendable) {
      edit.isOnLane = true
      edit.sentAt ??= now
    }
    return sendable
  }

  /** There is no lane any more: what was sent and not answered is to be sent again. */
  handleClosed(): void {
    for (const edit of this.#edits) edit.isOnLane = false
  }

  /** Takes out those that were sent so long ago that nobody knows what became of them (rule D7). */
  takeForgotten(now: number): PendingEdit[] {
    return this.#take(({ sentAt, sequence }) => sequence === undefined && now - (sentAt ?? now) >= EDITOR_MS)
  }

  /** Takes out those that have no answer. */
  takeUnanswered(): PendingEdit[] {
    return this.#take(({ sequence }) => sequence === undefined)
  }

  /** An edit has its place; true if it had no answer before. */
  handleAck(number: number, sequence: number): boolean {
    const edit = this.unanswered.find((edit) => edit.number === number)
    if (edit) edit.sequence = sequence
    return !!edit
  }

  /** Takes out one that has no effect, if it had no answer before. */
  takeRejected(number: number): PendingEdit[] {
    return this.#take((edit) => edit.number === number && edit.sequence === undefined)
  }

  /** Another's edit has come: the resolver decides for waiting fields that have other values now. Gives their edits. */
  resolve(document: Document, { sequence, ops }: EditMessage, resolve: Resolve): PendingEdit[] {
    // One's own says nothing new: what was made after it was made knowing it.
    if (this.#edits.some((edit) => edit.sequence === sequence)) return []
    return this.#unsent.filter((edit) => {
      const decided = edit.ops.map((op) => {
        const others = ops.filter(({ record }) => op.kind === PATCH && record === op.record)
        return others.length ? { ...op, fields: decide(op, others, document, resolve) } : op
      })
      const bytes = editBytes(decided)
      if (bytes > RECORD_BYTES_MAX) report(new RangeError('too large'))
      if (bytes > RECORD_BYTES_MAX || isEqual(decided, edit.ops)) return false
      edit.ops = decided
      edit.bytes = bytes
      return true
    })
  }

  /** The document has changed: what it has is not pending any more, and the rest is laid over it anew. */
  rebuild(document: Document | undefined): void {
    this.shown = new Overlay()
    if (!document) return
    this.#take(({ sequence }) => sequence !== undefined && sequence <= document.sequence)
    // One that the server is going to reject shows nothing until then.
    for (const { ops } of this.#edits) this.shown.commit(document, ops)
  }

  /** The document is another one: places that were acked on earlier lanes are of the one before. */
  forgetAcked(): void {
    this.#take(({ sequence, isOnLane }) => sequence !== undefined && !isOnLane)
  }

  #take(is: (edit: PendingEdit) => boolean): PendingEdit[] {
    const taken = this.#edits.filter(is)
    if (taken.length) this.#edits = this.#edits.filter((edit) => !is(edit))
    return taken
  }
}

/** The fields of an own patch, with what the resolver says of those that the operations of others have named. */
function decide(op: Op, others: readonly Op[], document: Document, resolve: Resolve): Fields {
  const { record } = op
  return each(op.fields, (field, local) => {
    const remote = own(document.records.get(record)?.fields, field) ?? null
    const isNamed = others.some(({ fields }) => Object.hasOwn(fields, field))
    if (!isNamed || isEqual(local, remote)) return local
    try {
      return copied(resolve(local, remote, { record, field }), VALUE_DEPTH)[0]
    } catch (error) {
      // The application's mistake is not the server's.
      report(error)
      return local
    }
  })
}
