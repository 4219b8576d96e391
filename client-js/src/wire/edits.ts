// The messages of an edits lane: a room's document, its edits in one order, acks and rejects. docs/PROTOCOL.md tells of
// each field. Times are milliseconds since the Unix epoch, rooms are handles.

import { type Lane, type Said, unlessEmpty } from './lane.ts'
import type { Fields } from './msgpack.ts'
import { flag, int, integer, list, map, mapOrNone, optional, slot, struct, text, type Type, u32 } from './schema.ts'

/** What a client hears. */
export type EditsToClient =
  | { type: 'snapshot'; sequence: number; records: RecordMessage[]; more: boolean }
  | { type: 'edits'; edits: EditMessage[] }
  | { type: 'ack'; number: number; sequence: number; time: number }
  | { type: 'reject'; number: number; code: number; message: string; retryAfterMs?: number }

/** An operation on one record: 1 puts these fields, 2 patches them, 3 removes the record. */
export interface Op {
  kind: 1 | 2 | 3
  record: string
  fields: Fields
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
  kind: ['k', integer(3, 1) as Type<Op['kind']>],
  record: ['i', recordId],
  fields: ['f', mapOrNone],
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
  snapshot: [1, struct({ sequence: ['q', int], records: ['r', list(record)], more: ['c', flag] })],
  edits: [2, struct({ edits: ['e', list(edit)] })],
  ack: [3, struct({ number: ['n', int], sequence: ['q', int], time: ['t', int] })],
  reject: [
    4,
    struct({ number: ['n', int], code: ['c', u32], message: ['m', text], retryAfterMs: ['ra', optional(int)] }),
  ],
}

/** Opens a room's document, as the member of this slot, for the edits after `after` if these are known still. */
export function sayOpen(room: number, slot: number, after: number | undefined): Said {
  return [1, { h: room, s: slot, q: after }]
}

/** Submits an edit, with the member's number for it. */
export function saySubmit(number: number, ops: readonly Op[]): Said {
  return [2, { n: number, o: ops.map(({ kind, record, fields }) => ({ k: kind, i: record, f: unlessEmpty(fields) })) }]
}
