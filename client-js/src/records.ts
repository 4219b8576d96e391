// The records of a room: its document as the application reads and edits it.

import { Asked } from './asked.ts'
import { copied } from './backlog.ts'
import type { EditQueue, RoomQueue } from './edit-queue.ts'
import { type Editor, Edits, type EditsListener } from './edits/edits.ts'
import { INCREMENT, PATCH, PUT, REMOVE } from './edits/entry.ts'
import type { PendingEdit, Resolve } from './edits/pending.ts'
import type { Way } from './edits/undo.ts'
import { notConnected, refused, RoomError } from './error.ts'
import { Emitter } from './emitter.ts'
import { isEqual } from './equal.ts'
import { type RecordsReader, Selections } from './selections.ts'
import type { EditsLane, EditsLaneListener } from './session/edits-lane.ts'
import type { Refusal } from './session/membership.ts'
import type { Patch, RegisteredTypes, RoomTypes, Unsubscribe } from './types.ts'
import { editBytes, type EditMessage, type EditsToClient, type Op } from './wire/edits.ts'
import { EDIT_OPS_MAX, RECORD_BYTES_MAX } from './wire/limits.ts'
import type { Fields } from './wire/msgpack.ts'

/** What came of an edit that is durable. */
export interface Edited {
  /** The edit's place in the room's order. */
  readonly sequence: number
}

/** An edit that was made here. */
export interface SubmittedEdit {
  /** Names it among those of this room that were made here. */
  readonly id: number
  /** Resolves when it is durable, and rejects with a `RoomError` if it has no effect. */
  readonly applied: Promise<Edited>
}

/** What an edit takes. */
export interface EditOptions {
  /**
   * The version that the record has to have, as `version` says it; 0: it must not exist. If it has another, the edit
   * rejects with `conflict`, and the error's `context.value` is that version. Default: any.
   */
  readonly ifVersion?: number | undefined
}

/** What a put takes. */
export interface PutOptions extends EditOptions {
  /** Whether the record must not exist, as by an `ifVersion` of 0. Default: false. */
  readonly ifAbsent?: boolean | undefined
}

/** Numbers to be added to fields that have numbers, or are missing. */
export type Increments<T> = {
  readonly [K in keyof T as Extract<T[K], number> extends never ? never : K]?: number
}

/** An operation of an edit, on one record. */
export type RecordOp<T extends RoomTypes = RegisteredTypes> = { readonly id: string } & (
  | ({ readonly type: 'put'; readonly fields: T['Record'] } & PutOptions)
  | ({ readonly type: 'patch'; readonly fields: Patch<T['Record']> } & EditOptions)
  | ({ readonly type: 'increment'; readonly fields: Increments<T['Record']> } & EditOptions)
  | ({ readonly type: 'remove' } & EditOptions)
)

/** An edit of anybody, as it was made. */
export interface PastEdit<T extends RoomTypes = RegisteredTypes> {
  /** Its place in the room's order. */
  readonly sequence: number
  /** When the server took it, in milliseconds since the Unix epoch. */
  readonly time: number
  /** The id of the user who made it. */
  readonly userId: string
  /** What it did. */
  readonly ops: readonly RecordOp<T>[]
}

/** Which edits are looked up. */
export interface HistoryOptions {
  /** What is looked up. Default: edits. */
  readonly of?: 'edits' | undefined
  /** Those before this place. Default: the latest. */
  readonly before?: number | undefined
  /** So many at most, 1 to 100; fewer come where the answer would be too long. Default: 50. */
  readonly limit?: number | undefined
}

/** Whether all edits that were made here are durable. */
export type StorageStatus = 'synchronizing' | 'synchronized'

/** What `undo` and `redo` can do. */
export interface History {
  /** Whether there is an edit to be undone. */
  readonly canUndo: boolean
  /** Whether there is one to be redone. */
  readonly canRedo: boolean
}

/**
 * The records of a room: an id and fields each. Everyone has them in the same order, and they outlive the members. An
 * edit shows here at once, on top of what comes from others; its promise resolves when it is durable, and rejects with
 * a `RoomError` if it has no effect, and then it is shown no more. The error goes to the room's `error`, too.
 *
 * Edits that are made while there is no connection, or 64 are not answered, wait, up to 64 KiB or 100 of them; more
 * reject with `not_connected`, or `rate_limited`. One that was sent and not answered when the connection was lost is
 * sent again, and has its effect once. Only if that takes a day, or the room is left before, it rejects with
 * `connection_lost`, as it may have had its effect.
 */
export interface Records<T extends RoomTypes = RegisteredTypes> extends RecordsReader<T>, History {
  /** Whether they are here; they are asked for by the first use of `subscribe`, of `select` or of an edit. */
  readonly isLoaded: boolean
  /** How many edits are not known to be durable. */
  readonly pendingCount: number
  /**
   * Decides what a field is to be that waits to be sent, by a `patch`, when another's value of it has come. Default:
   * one's own value, which comes later.
   */
  resolve: Resolve | undefined
  /** The number of the edit that changed a record last, as far as the server has said; 0: it has no such record. */
  version(id: string): number
  /** Makes the record these fields, new or not. */
  put(id: string, fields: T['Record'], options?: PutOptions): Promise<Edited>
  /** Replaces fields of a record that exists; null removes one. */
  patch(id: string, patch: Patch<T['Record']>, options?: EditOptions): Promise<Edited>
  /** Adds numbers to fields of a record that exists, whatever they are by then; a missing field counts as 0. */
  increment(id: string, by: Increments<T['Record']>, options?: EditOptions): Promise<Edited>
  /** Takes a record away. */
  remove(id: string, options?: EditOptions): Promise<Edited>
  /**
   * Does several things as one edit: all or nothing. All that makes an edit throws `TypeError` for what can't be sent,
   * and `RangeError` for more than 64 operations or 60 KiB.
   */
  submit(ops: readonly RecordOp<T>[]): SubmittedEdit
  /**
   * Takes one's own last edit back, or those that are one step, by an edit: fields are what they were before, even
   * where others have changed them since. False if there is none, or too much waits. 100 steps are remembered.
   */
  undo(): boolean
  /** Makes again what was undone last, if nothing was edited since. */
  redo(): boolean
  /** From now on edits are one step for `undo`, until `resumeHistory` was called as often: a drag, for instance. */
  pauseHistory(): void
  /** Ends what `pauseHistory` has begun. */
  resumeHistory(): void
  /** Calls `listener` with the ids of what is shown otherwise now; with none if the room has no records when loaded. */
  subscribe(listener: (ids: readonly string[]) => void): Unsubscribe
  /**
   * Calls `listener` when `selector` gives something else than before. It runs again when a record changes that it has
   * read; arrays and objects of the same things are the same.
   */
  select<R>(selector: (records: RecordsReader<T>) => R, listener: (result: R) => void): Unsubscribe
}

/** Who has records, and hears of them. */
export interface RecordsOwner {
  /** The room's name. */
  readonly id: string
  handleError(error: RoomError): void
  handleStorageStatus(status: StorageStatus): void
  handleHistory(history: History): void
}

/** How deep the fields of an operation lie in the message that submits it. */
const FIELDS_DEPTH = 4

const KINDS = { put: PUT, patch: PATCH, remove: REMOVE, increment: INCREMENT } as const

/** So many earlier edits, or events, are looked up unless it is said. */
export const HISTORY_LIMIT = 50

/** An edit to be made, and the ends of its promise. */
interface Draft extends SubmittedEdit {
  ops: readonly Op[]
  readonly resolve: (value: Edited) => void
  readonly reject: (error: unknown) => void
}

/** The records of a room, over whatever membership it has. */
export class RoomRecords<T extends RoomTypes> implements Records<T>, EditsListener, EditsLaneListener {
  readonly #owner: RecordsOwner
  readonly #editor: Editor
  readonly #edits: Edits
  readonly #emitter = new Emitter<{ changed: [ids: readonly string[]] }>()
  /** Made at the first `select`. */
  #selections: Selections<T> | undefined
  /** Edits without an answer, by their number; those of a page before this one have no promise. */
  readonly #submitted = new Map<number, Draft>()
  /** Those that were made before it was known what a page before this one has left. */
  #early: Draft[] | undefined
  readonly #adopted: Promise<void> | undefined
  /** Keeps edits over the end of the page, if that is wanted. */
  #queue: RoomQueue | undefined
  #drafts = 0
  /** Who waits for earlier edits. */
  readonly #asked: Asked<readonly PastEdit<T>[]>
  #requests = 0
  /** What `batch` gathers. */
  #batch: Draft | undefined
  #lane: EditsLane | undefined
  #wanted = false
  /** What was told last. */
  #status: StorageStatus = 'synchronized'
  #history: History = { canUndo: false, canRedo: false }
  /** Whether there is a membership, or may be. */
  canWait = false
  resolve: Resolve | undefined

  constructor(owner: RecordsOwner, editor: Editor, queue: EditQueue | undefined) {
    this.#owner = owner
    this.#asked = new Asked(owner.id)
    this.#editor = editor
    this.#edits = new Edits(editor, this)
    const entered = queue?.enter(owner.id, editor)
    if (entered) this.#early = []
    this.#adopted = entered?.then((kept) => this.#adopt(kept))
  }

  get isLoaded(): boolean {
    return this.#edits.confirmed !== undefined
  }

  get pendingCount(): number {
    return this.#edits.pendingCount + (this.#early?.length ?? 0)
  }

  get canUndo(): boolean {
    return this.#edits.undo.can('undo')
  }

  get canRedo(): boolean {
    return this.#edits.undo.can('redo')
  }

  get storageStatus(): StorageStatus {
    return this.pendingCount ? 'synchronizing' : 'synchronized'
  }

  get(id: string): Readonly<T['Record']> | undefined {
    return this.#edits.get(id) as T['Record'] | undefined
  }

  forEach(visit: (fields: Readonly<T['Record']>, id: string) => void): void {
    this.#edits.forEach((fields, id) => visit(fields as T['Record'], id))
  }

  version(id: string): number {
    return this.#edits.confirmed?.records.get(id)?.version ?? 0
  }

  put(id: string, fields: T['Record'], options?: PutOptions): Promise<Edited> {
    return this.submit([{ ...options, type: 'put', id, fields }]).applied
  }

  patch(id: string, patch: Patch<T['Record']>, options?: EditOptions): Promise<Edited> {
    return this.submit([{ ...options, type: 'patch', id, fields: patch }]).applied
  }

  increment(id: string, by: Increments<T['Record']>, options?: EditOptions): Promise<Edited> {
    return this.submit([{ ...options, type: 'increment', id, fields: by }]).applied
  }

  remove(id: string, options?: EditOptions): Promise<Edited> {
    return this.submit([{ ...options, type: 'remove', id }]).applied
  }

  submit(said: readonly RecordOp<T>[]): SubmittedEdit {
    const ops = [...(this.#batch?.ops ?? []), ...said.map(op)]
    if (ops.length > EDIT_OPS_MAX || editBytes(ops) > RECORD_BYTES_MAX) throw new RangeError('too large')
    const draft = this.#batch ?? this.#draft()
    draft.ops = ops
    if (this.#batch) this.#edits.preview(ops)
    else this.#commit(draft)
    const { id, applied } = draft
    return { id, applied }
  }

  /** Has edits that are made within `act` go as one. If it throws, none is made. */
  batch<R>(act: () => R): R {
    if (this.#batch) return act()
    const draft = (this.#batch = this.#draft())
    return this.#edits.batch(() => {
      try {
        return act()
      } catch (error) {
        draft.ops = []
        draft.reject(error)
        throw error
      } finally {
        this.#batch = undefined
        this.#edits.preview([])
        if (draft.ops.length) this.#commit(draft)
      }
    })
  }

  /** Looks up edits as they were made. */
  history({ before, limit = HISTORY_LIMIT }: HistoryOptions): Promise<readonly PastEdit<T>[]> {
    this.#want()
    if (!this.#lane) return Promise.reject(notConnected('room', this.#owner.id))
    this.#lane.history(++this.#requests, before, limit)
    return this.#asked.wait(this.#requests)
  }

  undo(): boolean {
    return this.#go('undo')
  }

  redo(): boolean {
    return this.#go('redo')
  }

  pauseHistory(): void {
    this.#edits.undo.beginGroup()
  }

  resumeHistory(): void {
    this.#edits.undo.endGroup()
  }

  subscribe(listener: (ids: readonly string[]) => void): Unsubscribe {
    this.#want()
    return this.#emitter.subscribe('changed', listener)
  }

  select<R>(selector: (records: RecordsReader<T>) => R, listener: (result: R) => void): Unsubscribe {
    const selections = (this.#selections ??= new Selections<T>(this))
    const unsubscribe = selections.add(selector, listener)
    this.#want()
    return unsubscribe
  }

  handleLane(lane: EditsLane | undefined): void {
    this.#lane = lane
    this.#asked.giveUp()
    this.#edits.close()
    this.#open()
  }

  /** Whether nobody hears anything for now. */
  setSilent(isSilent: boolean): void {
    this.#emitter.isSilent = isSilent
  }

  /** There will be no membership: what waits for one is lost, unless it is kept for the next stay. */
  handleOver(): void {
    for (const draft of this.#early?.splice(0) ?? []) draft.reject(notConnected('edit', this.#owner.id))
    for (const { number, sentAt } of this.#edits.abandon()) {
      const isLost = sentAt === undefined && !this.#queue
      this.#fail(number, isLost ? notConnected('edit', this.#owner.id) : this.#unknown())
    }
    this.#tell()
  }

  /** The room is left, for good. */
  async handleLeft(): Promise<void> {
    await this.#adopted
    this.#queue?.release()
  }

  handleMessage(lane: EditsLane, message: EditsToClient): void {
    if (message.type === 'history') return this.#asked.handleAnswer(message, message.edits.map(past<T>))
    this.#edits.handleMessage(Date.now(), lane, message)
    this.#tell()
  }

  handleChanged(ids: readonly string[]): void {
    this.#emitter.emit('changed', ids)
    if (!this.#emitter.isSilent) this.#selections?.handleChanged(ids)
  }

  handlePending(edit: PendingEdit): Promise<void> | void {
    return this.#queue?.keep(edit)
  }

  handleAck(number: number, sequence: number): void {
    this.#queue?.forget(number)
    this.#submitted.get(number)?.resolve({ sequence })
    this.#submitted.delete(number)
  }

  handleReject(number: number, reason: Refusal | undefined): void {
    this.#queue?.forget(number)
    this.#fail(number, reason ? refused('edit', reason, this.#owner.id) : this.#unknown())
  }

  #want(): void {
    this.#wanted = true
    this.#open()
  }

  #open(): void {
    if (this.#lane && this.#wanted && !this.#early) this.#edits.open(Date.now(), this.#lane)
    this.#tell()
  }

  #adopt(queue: RoomQueue): void {
    const early = this.#early ?? []
    this.#early = undefined
    this.#queue = queue
    this.#edits.adopt(queue.editor, queue.edits)
    if (queue.edits.length) this.#wanted = true
    for (const draft of early) this.#commit(draft)
    this.#open()
  }

  #draft(): Draft {
    let ends: Pick<Draft, 'resolve' | 'reject'> | undefined
    const applied = new Promise<Edited>((resolve, reject) => (ends = { resolve, reject }))
    // Who does not look at the promise hears of it by the room's `error`; what a batch threw its caller has.
    applied.catch((error) => error instanceof RoomError && this.#owner.handleError(error))
    return { id: ++this.#drafts, applied, ops: [], ...(ends as unknown as Pick<Draft, 'resolve' | 'reject'>) }
  }

  #commit(draft: Draft): void {
    const { id } = this.#owner
    if (this.#early && this.canWait) this.#early.push(draft)
    else {
      const number = ++this.#editor.last
      this.#submitted.set(number, draft)
      if (!this.canWait || !this.#edits.submit(Date.now(), number, draft.ops))
        this.#fail(number, this.#lane ? refused('edit', { code: 5 }, id) : notConnected('edit', id))
    }
    this.#want()
  }

  #go(way: Way): boolean {
    const isDone = this.canWait && !this.#batch && this.#edits.go(Date.now(), way)
    this.#tell()
    return isDone
  }

  #fail(number: number, error: RoomError): void {
    const draft = this.#submitted.get(number)
    this.#submitted.delete(number)
    if (draft) draft.reject(error)
    else this.#owner.handleError(error)
  }

  #unknown(): RoomError {
    return new RoomError('edit', 'connection_lost', 'it may have had its effect', { room: this.#owner.id }, true)
  }

  /** Tells what is another since it was told last. */
  #tell(): void {
    const { canUndo, canRedo, storageStatus } = this
    const [status, history] = [this.#status, this.#history]
    this.#status = storageStatus
    this.#history = { canUndo, canRedo }
    if (storageStatus !== status) this.#owner.handleStorageStatus(storageStatus)
    if (!isEqual(history, this.#history)) this.#owner.handleHistory(this.#history)
  }
}

/** An edit as the application looks it up. */
function past<T extends RoomTypes>({ sequence, time, user, ops }: EditMessage): PastEdit<T> {
  return { sequence, time, userId: user, ops: ops.map(said<T>) }
}

/** An operation as the application says it. */
function said<T extends RoomTypes>({ kind, record, fields, ifVersion }: Op): RecordOp<T> {
  const type = (['put', 'patch', 'remove', 'increment'] as const)[kind - 1]
  return {
    type,
    id: record,
    ...(type !== 'remove' && { fields }),
    ...(ifVersion !== undefined && { ifVersion }),
  } as RecordOp<T>
}

/** An operation as it is submitted; its fields are a copy. */
function op(said: RecordOp<RoomTypes>): Op {
  const fields = said.type === 'remove' ? {} : (copied(said.fields, FIELDS_DEPTH)[0] as Fields)
  const ifVersion = said.type === 'put' && said.ifAbsent ? 0 : said.ifVersion
  return { kind: KINDS[said.type], record: said.id, fields, ifVersion }
}
