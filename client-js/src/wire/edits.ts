// The messages of an edits lane: a room's document, its edits in one order, acks and rejects. docs/PROTOCOL.md tells of
// each field. Times are milliseconds since the Unix epoch, rooms are handles.

import { Writer } from './bytes.ts'
import { type Lane, type Said, unlessEmpty } from './lane.ts'
import { encodeValue, type Fields } from './msgpack.ts'
import {
  flag,
  int,
  integer,
  list,
  listOrNone,
  map,
  mapOrNone,
  optional,
  slot,
  struct,
  text,
  type Type,
  u32,
} from './schema.ts'

/** What a client hears. */
export type EditsToClient =
  | { type: 'snapshot'; document: number; sequence: number; records: RecordMessage[]; more: boolean }
  | { type: 'edits'; edits: EditMessage[] }
  | { type: 'ack'; number: number; sequence: number; time: number }
  | {
      type: 'reject'
      number: number
      code: number
      message: string
      limit?: number
      value?: number
      retryAfterMs?: number
    }
  | { type: 'history'; request: number; edits: EditMessage[]; code?: number; retryAfterMs?: number }

/** An operation on one record. */
export interface Op {
  /** 1 puts these fields, 2 patches them, 3 removes the record, 4 adds these numbers. */
  kind: 1 | 2 | 3 | 4
  /** The record's id. */
  record: string
  /** The fields of put and patch, the numbers of increment. */
  fields: Fields
  /** The condition: the version that the record has, 0 for no record. */
  ifVersion?: number | undefined
}

/** A place in the order of a document's edits. */
export interface Place {
  document: number
  sequence: number
}

/** A record as it is; its version is the number of the edit that changed it last. */
export interface RecordMessage {
  id: string
  version: number
  fields: Fields
}

/** An edit with its place in the room's order, and the member who made it. */
export interface EditMessage {
  sequence: number
  time: number
  user: string
  slot: number
  generation: number
  number: number
  ops: Op[]
}

const recordId = text

const op = struct<Op>({
  kind: ['k', integer(4, 1) as Type<Op['kind']>],
  record: ['i', recordId],
  fields: ['f', mapOrNone],
  ifVersion: ['v', optional(int)],
})

const record = struct<RecordMessage>({ id: ['i', recordId], version: ['v', int], fields: ['f', map] })

const edit = struct<EditMessage>({
  sequence: ['q', int],
  time: ['t', int],
  user: ['u', text],
  slot: ['s', slot],
  generation: ['g', u32],
  number: ['n', int],
  ops: ['o', list(op)],
})

/** The kinds and keys of what comes to the client. */
export const editsToClient: Lane<EditsToClient> = {
  snapshot: [
    1,
    struct({ document: ['d', int], sequence: ['q', int], records: ['r', list(record)], more: ['c', flag] }),
  ],
  edits: [2, struct({ edits: ['e', list(edit)] })],
  ack: [3, struct({ number: ['n', int], sequence: ['q', int], time: ['t', int] })],
  reject: [
    4,
    struct({
      number: ['n', int],
      code: ['c', u32],
      message: ['m', text],
      limit: ['l', optional(int)],
      value: ['w', optional(int)],
      retryAfterMs: ['ra', optional(int)],
    }),
  ],
  history: [
    5,
    struct({
      request: ['i', u32],
      edits: ['e', listOrNone(edit)],
      code: ['c', optional(u32)],
      retryAfterMs: ['ra', optional(int)],
    }),
  ],
}

/**
 * Opens a room's document, as the member of this slot, with the numbers of this editor: for the edits after `after` if
 * these are known still, and the answers to those that are `unanswered`.
 */
export function sayOpen(
  room: number,
  slot: number,
  editor: Uint8Array,
  after: Place | undefined,
  unanswered: readonly number[],
): Said {
  const place = after && { d: after.document, q: after.sequence }
  return [1, { h: room, s: slot, e: editor, a: place, u: unanswered.length ? unanswered : undefined }]
}

/** Submits an edit, with the editor's number for it. */
export function saySubmit(number: number, ops: readonly Op[]): Said {
  return [2, { n: number, o: ops.map(packed) }]
}

/** Asks for edits as they were made: those before a place, or the latest, so many at most. */
export function sayHistory(request: number, before: number | undefined, limit: number): Said {
  return [3, { i: request, b: before, l: limit }]
}

/** The bytes that count for an edit (rule D2). */
export function editBytes(ops: readonly Op[]): number {
  const writer = new Writer()
  encodeValue(writer, ops.map(packed))
  return writer.length
}

function packed({ kind, record, fields, ifVersion }: Op): object {
  return { k: kind, i: record, f: unlessEmpty(fields), v: ifVersion }
}
