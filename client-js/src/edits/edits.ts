// A room's document as a member has it, sans-IO: what is confirmed, and its own edits on top of that. It goes from one
// lane to the next, and mirrors `session::edits` of the Rust crate hither-protocol.

import { isEqual } from '../equal.ts'
import type { EditsLane } from '../session/edits-lane.ts'
import type { Refusal } from '../session/membership.ts'
import { editBytes, type EditMessage, type EditsToClient, type Op } from '../wire/edits.ts'
import { EDIT_OPS_MAX, RECORD_BYTES_MAX } from '../wire/limits.ts'
import type { Fields } from '../wire/msgpack.ts'
import { Document } from './document.ts'
import { type Entry, PUT, REMOVE } from './entry.ts'
import { Pending, type PendingEdit, type Resolve } from './pending.ts'
import { type Step, Undo, type Way } from './undo.ts'

/** What is told of a document and of one's own edits. */
export interface EditsListener {
  /** Decides for fields that wait to be sent. */
  readonly resolve?: Resolve | undefined
  /** These records are shown otherwise now; or the document is loaded. */
  handleChanged(ids: readonly string[]): void
  /** An edit is durable, and has this place. */
  handleAck(number: number, sequence: number): void
  /** An edit has no effect; without a reason: nobody knows whether it has (rule D7). */
  handleReject(number: number, reason: Refusal | undefined): void
  /**
   * An edit has no answer yet, and is new, about to be sent, or another by the resolver. It is sent once what this
   * gives resolves, the edits' order kept; or at once, if it gives nothing.
   */
  handlePending(edit: PendingEdit): Promise<void> | void
}

/** Who numbers edits (rule D7). */
export interface Editor {
  /** 16 random bytes. */
  readonly id: Uint8Array
  /** The last number. */
  last: number
}

/** The document of a room, over all memberships. */
export class Edits {
  readonly undo: Undo = new Undo()
  /** By which the lane's numbers go. */
  #editor: Uint8Array
  readonly #numbers: Editor
  readonly #listener: EditsListener
  readonly #pending = new Pending()
  #lane: EditsLane | undefined
  /** As the server has it, and the pages of the next one that have come. */
  #document: Document | undefined
  #loading: Document | undefined
  /** While changes are not told: what records were, by id, when the first of them was made. */
  #before: Map<string, Fields | undefined> | undefined

  constructor(editor: Editor, listener: EditsListener) {
    this.#editor = editor.id
    this.#numbers = editor
    this.#listener = listener
  }

  /** As the server has it; nothing before it is loaded. */
  get confirmed(): Document | undefined {
    return this.#document
  }

  /** How many edits have no answer. */
  get pendingCount(): number {
    return this.#pending.unanswered.length
  }

  /** A record's fields, with the own edits. */
  get(id: string): Fields | undefined {
    return this.#entry(id)?.fields
  }

  /** Visits all records, with the own edits. */
  forEach(visit: (fields: Fields, id: string) => void): void {
    const document = this.#document
    if (document) this.#pending.shown.forEach(document, ({ fields }, id) => visit(fields, id))
  }

  /**
   * Submits an edit, now or once there is a lane and fewer than 64 are unanswered; it is shown at once. False if too
   * much waits already.
   */
  submit(now: number, number: number, ops: readonly Op[]): boolean {
    const bytes = editBytes(ops)
    if (!this.#pending.hasRoom(bytes)) return false
    this.batch(() => this.undo.remember(this.#push(now, { number, ops, bytes })))
    return true
  }

  /** Undoes, or redoes, the last group by edits of its own. False if there is none, or too much waits already. */
  go(now: number, way: Way): boolean {
    const ops = this.undo.next(way)
    // However large a group is, it has its turn.
    if (!ops || !this.#pending.hasRoom(0)) return false
    const push = (ops: readonly Op[]): Step =>
      this.#push(now, { number: ++this.#numbers.last, ops, bytes: editBytes(ops) })
    this.batch(() => this.undo.turn(way, inEdits(this.#withoutMissing(ops)).map(push)))
    return true
  }

  /** Shows what is not submitted yet, on top of all that is. */
  preview(ops: readonly Op[]): void {
    this.#change(ids(ops), () => {
      this.#pending.rebuild(this.#document)
      if (this.#document) this.#pending.shown.commit(this.#document, ops)
    })
  }

  /** Has what changes meanwhile told once, at the end. */
  batch<T>(act: () => T): T {
    if (this.#before) return act()
    const before = (this.#before = new Map())
    try {
      return act()
    } finally {
      this.#before = undefined
      this.#tell(before, false)
    }
  }

  /** Takes up what a page before this one has not got answered, and its numbers, before all else. */
  adopt({ id, last }: Editor, edits: readonly PendingEdit[]): void {
    this.#editor = id
    this.#numbers.last = Math.max(this.#numbers.last, last)
    for (const edit of edits) this.#pending.push(edit, undefined)
  }

  /** Opens a lane, for the edits since the last one (rule D3). What was sent and not answered is sent again (D7). */
  open(now: number, lane: EditsLane): void {
    if (lane === this.#lane) return
    const forgotten = this.batch(() => {
      const edits = this.#withdraw((pending) => pending.takeForgotten(now))
      const unanswered = this.#pending.sent.map(({ number }) => number)
      this.#lane = lane
      lane.open(this.#editor, this.#document?.place, unanswered)
      this.#send(now)
      return edits
    })
    for (const { number } of forgotten) this.#listener.handleReject(number, undefined)
  }

  /** The lane is gone. */
  close(): void {
    this.#lane = undefined
    // A snapshot that came in part is none.
    this.#loading = undefined
    this.#pending.handleClosed()
  }

  /** There will be no lane: gives what was not answered, and shows it no more. */
  abandon(): PendingEdit[] {
    return this.#withdraw((pending) => pending.takeUnanswered())
  }

  handleMessage(now: number, lane: EditsLane, message: EditsToClient): void {
    // The membership that it is of may have ended in the middle of what has come.
    if (lane !== this.#lane) return
    switch (message.type) {
      case 'snapshot':
        return this.#handleSnapshot(message)
      case 'edits':
        return this.#handleEdits(message.edits)
      case 'ack': {
        if (!this.#pending.handleAck(message.number, message.sequence)) return
        this.#send(now)
        return this.#listener.handleAck(message.number, message.sequence)
      }
      case 'reject': {
        const { number } = message
        if (!this.#withdraw((pending) => pending.takeRejected(number)).length) return
        this.#send(now)
        return this.#listener.handleReject(number, message)
      }
    }
  }

  #push(now: number, edit: PendingEdit): Step {
    const inverse = this.#change(ids(edit.ops), () => this.#pending.push(edit, this.#document))
    this.#send(now)
    if (edit.sentAt === undefined) this.#listener.handlePending(edit)
    return { number: edit.number, inverse }
  }

  #send(now: number): void {
    const lane = this.#lane
    if (!lane) return
    for (const edit of this.#pending.takeSendable(now)) {
      // Another lane has it sent again.
      const submit = (): void => void (lane === this.#lane && lane.submit(edit.number, edit.ops))
      const kept = this.#listener.handlePending(edit)
      if (kept) void kept.then(submit)
      else submit()
    }
  }

  /** Takes edits out that have no effect, or none that is known of: there is nothing to take back. */
  #withdraw(take: (pending: Pending) => PendingEdit[]): PendingEdit[] {
    return this.#change([], () => {
      const edits = take(this.#pending)
      for (const { number } of edits) this.undo.forget(number)
      this.#pending.rebuild(this.#document)
      return edits
    })
  }

  #handleEdits(edits: readonly EditMessage[]): void {
    const document = this.#loading ?? this.#document
    this.#change(
      edits.flatMap(({ ops }) => ids(ops)),
      () => {
        for (const edit of edits) {
          // What the snapshot has comes again if it was under way.
          if (edit.sequence - 1 !== document?.sequence) continue
          document.apply(edit.sequence, edit.ops)
          const { resolve } = this.#listener
          const resolved = resolve && !this.#loading ? this.#pending.resolve(document, edit, resolve) : []
          for (const edit of resolved) this.#listener.handlePending(edit)
        }
        this.#pending.rebuild(this.#document)
      },
    )
  }

  #handleSnapshot(page: Extract<EditsToClient, { type: 'snapshot' }>): void {
    const document = (this.#loading ??= new Document(page))
    document.load(page.records)
    if (page.more) return
    const all = [...(this.#document?.records.keys() ?? []), ...document.records.keys()]
    const isFirst = !this.#document
    this.#loading = undefined
    this.#change(
      all,
      () => {
        if (this.#document?.id !== document.id) this.#pending.forgetAcked()
        this.#document = document
        this.#pending.rebuild(document)
      },
      isFirst,
    )
  }

  /** What would be done to a record that somebody has removed is left out. */
  #withoutMissing(ops: readonly Op[]): Op[] {
    const made = new Set<string>()
    return ops.filter(({ kind, record }) => {
      if (kind === PUT) made.add(record)
      return kind === PUT || kind === REMOVE || made.has(record) || this.#entry(record)
    })
  }

  /** Changes records with these ids, and tells which of them, and of those of own edits, are shown otherwise then. */
  #change<T>(ids: readonly string[], act: () => T, isFirst = false): T {
    const before = this.#before ?? new Map<string, Fields | undefined>()
    const keep = (id: string): void => void (before.has(id) || before.set(id, this.get(id)))
    // Own edits that could not be done may be possible then.
    for (const id of [...ids, ...this.#pending.records]) keep(id)
    const done = act()
    if (before !== this.#before) this.#tell(before, isFirst)
    return done
  }

  #tell(before: ReadonlyMap<string, Fields | undefined>, isFirst: boolean): void {
    const changed: string[] = []
    for (const [id, was] of before) {
      const entry = this.#entry(id)
      if (!isEqual(entry?.fields, was)) changed.push(id)
      // What says the same stays the same object.
      else if (entry && was) entry.fields = was
    }
    if (changed.length || isFirst) this.#listener.handleChanged(changed)
  }

  #entry(id: string): Entry | undefined {
    return this.#document && this.#pending.shown.get(this.#document, id)
  }
}

/** The records that operations are about. */
function ids(ops: readonly Op[]): string[] {
  return ops.map(({ record }) => record)
}

/** Operations as edits that are not too large (rule D2). */
function inEdits(ops: readonly Op[]): Op[][] {
  const edits: Op[][] = []
  for (const op of ops) {
    const last = edits.at(-1)
    if (last && last.length < EDIT_OPS_MAX && editBytes([...last, op]) <= RECORD_BYTES_MAX) last.push(op)
    else edits.push([op])
  }
  return edits
}
