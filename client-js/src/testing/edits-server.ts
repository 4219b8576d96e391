// A server's end of edits lanes for tests of documents: one document, in its own few lines, and each client's lane as
// two queues, whose messages go when the test says so.

import type { EditsLane } from '../session/edits-lane.ts'
import type { EditMessage, EditsToClient, Op, Place } from '../wire/edits.ts'
import type { Fields } from '../wire/msgpack.ts'

const DOCUMENT = 1
/** Refusals that it says. */
const NO_RECORD = 11
const CONFLICT = 12
const INVALID = 13

interface Stored {
  version: number
  fields: Record<string, unknown>
}

type Said =
  | { type: 'open'; after: Place | undefined; unanswered: readonly number[] }
  | { type: 'submit'; number: number; ops: readonly Op[] }

/** What is not told yet of a snapshot: the records after this one. */
interface Rest {
  readonly sequence: number
  readonly after: string
}

/** A lane as both ends have it. */
export class ServedLane {
  readonly up: Said[] = []
  readonly down: EditsToClient[] = []
  editor = ''
  isOpen = false
  rest: Rest | undefined

  /** As the client has it. */
  readonly lane: EditsLane = {
    open: (editor: Uint8Array, after: Place | undefined, unanswered: readonly number[]) => {
      this.editor = editor.join()
      this.up.push({ type: 'open', after, unanswered })
    },
    submit: (number: number, ops: readonly Op[]) =>
      void this.up.push({ type: 'submit', number, ops: structuredClone(ops) }),
  } as unknown as EditsLane
}

/** A document and its log. */
export class EditsServer {
  records: Map<string, Stored> = new Map()
  readonly log: EditMessage[] = []
  readonly lanes: Set<ServedLane> = new Set()
  /** The answers to each editor's edits, by number. */
  readonly answers: Map<string, Map<number, EditsToClient>> = new Map()
  /** What is in the order and not told yet. */
  #untold: EditMessage[] = []

  /** Reads the oldest message of a lane; `isInvalid`: an edit is refused by the server's own rules. */
  read(lane: ServedLane, isInvalid: boolean, isForgetful: boolean): void {
    const said = lane.up.shift()
    if (!said) return
    const answers = this.answers.get(lane.editor) ?? new Map<number, EditsToClient>()
    this.answers.set(lane.editor, answers)
    if (said.type === 'open') {
      lane.isOpen = true
      for (const number of said.unanswered) lane.down.push(...[answers.get(number) ?? []].flat())
      return this.#catchUp(lane, said.after, isForgetful)
    }
    const { number, ops } = said
    if (!answers.has(number)) {
      if (number < Math.max(0, ...answers.keys())) throw new Error(`${number} comes after a higher one`)
      answers.set(number, this.#submit(lane, number, ops, isInvalid))
    }
    lane.down.push(answers.get(number) as EditsToClient)
  }

  /** The tick: all lanes are told what is new, and get the rest of their snapshot. */
  tick(): void {
    const edits = this.#untold.splice(0)
    for (const lane of this.lanes) {
      if (lane.rest) lane.down.push(this.#page(lane.rest, Infinity))
      lane.rest = undefined
      if (lane.isOpen && edits.length) lane.down.push({ type: 'edits', edits })
    }
  }

  get contents(): Record<string, unknown> {
    return Object.fromEntries([...this.records].map(([id, { fields }]) => [id, fields]))
  }

  #submit(lane: ServedLane, number: number, ops: readonly Op[], isInvalid: boolean): EditsToClient {
    const sequence = this.log.length + 1
    const code = isInvalid ? INVALID : this.#commit(ops, sequence)
    if (code) return { type: 'reject', number, code, message: '' }
    const edit = {
      sequence,
      time: 1,
      user: lane.editor,
      slot: 0,
      generation: 1,
      number,
      ops: structuredClone([...ops]),
    }
    this.log.push(edit)
    this.#untold.push(edit)
    return { type: 'ack', number, sequence, time: 1 }
  }

  /** The refusal of an edit that can't be done; 0 if it is done. */
  #commit(ops: readonly Op[], sequence: number): number {
    const records = structuredClone(this.records)
    const made = new Set<string>()
    for (const { kind, record, fields, ifVersion } of ops) {
      const old = records.get(record)
      if (ifVersion !== undefined && (made.has(record) && old ? true : (old?.version ?? 0) !== ifVersion))
        return CONFLICT
      if ((kind === 2 || kind === 4) && !old) return NO_RECORD
      if (!old) made.add(record)
      if (kind === 3) records.delete(record)
      else if (kind === 1) records.set(record, { version: old?.version ?? 0, fields: { ...fields } })
      else for (const [name, value] of Object.entries(fields)) change(old as Stored, name, value, kind)
    }
    for (const { record } of ops) {
      const stored = records.get(record)
      if (stored) stored.version = sequence
    }
    this.records = records
    return 0
  }

  /** Edits if they are known, or else pages; this server always knows them, but when it is `isForgetful`. */
  #catchUp(lane: ServedLane, after: Place | undefined, isForgetful: boolean): void {
    const edits = this.log.slice(after?.sequence)
    const sequence = this.log.length
    if (!after || isForgetful) {
      const page = this.#page({ sequence, after: '' }, 1)
      const last = page.records.at(-1)?.id
      lane.down.push({ ...page, more: last !== undefined })
      lane.rest = last === undefined ? undefined : { sequence, after: last }
    } else if (edits.length) lane.down.push({ type: 'edits', edits })
  }

  /** A page with the records as they are now, from a place on. */
  #page({ sequence, after }: Rest, count: number): Extract<EditsToClient, { type: 'snapshot' }> {
    const ids = [...this.records.keys()].sort().filter((id) => id > after)
    const records = ids.slice(0, count).map((id) => {
      const { version, fields } = structuredClone(this.records.get(id) as Stored)
      return { id, version, fields: fields as Fields }
    })
    return { type: 'snapshot', document: DOCUMENT, sequence, records, more: false }
  }
}

function change({ fields }: Stored, name: string, value: unknown, kind: number): void {
  if (kind === 4) fields[name] = ((fields[name] as number | undefined) ?? 0) + (value as number)
  else if (value === null) delete fields[name]
  else fields[name] = value
}
