// The other direction of the lanes, as a server has it: it reads what a client says, and writes what a client reads.

import { AXIS_LIMIT } from '../motion/axes.ts'
import { type EventIdMessage, type Seen, status, type Viewport } from '../wire/control.ts'
import type { Op, Place } from '../wire/edits.ts'
import { encodeMessage, type Lane } from '../wire/lane.ts'
import type { Fields, Value } from '../wire/msgpack.ts'
import { any, binary, flag, int, integer, list, listOrNone, map, mapOrNone } from '../wire/schema.ts'
import { optional, or, slot, struct, text, type Type, u32 } from '../wire/schema.ts'

/** What a client says on the control lane. */
export type ToServer =
  | { type: 'hello'; version: number; token?: string; name?: string; reliableMotion: boolean; resumeToken?: string }
  | { type: 'join'; request: number; room: string; presence: Fields; seen?: Seen }
  | { type: 'leave'; room: number }
  | { type: 'presence'; room: number; patch: Fields }
  | { type: 'event'; room: number; name: string; data: Value; to: number[] }
  | { type: 'status'; status: number }
  | { type: 'ping'; token: number }
  | { type: 'bye'; code: number; reason: string }
  | { type: 'viewport'; room: number; viewport?: Viewport; follow?: number }
  | { type: 'motion'; datagram: Uint8Array }
  | { type: 'resumable' }
  | { type: 'kept'; request: number; room: number; before?: EventIdMessage; limit: number }

/** What a client says on an edits lane. */
export type EditsToServer =
  | { type: 'open'; room: number; slot: number; editor: Uint8Array; after?: Place; unanswered: number[] }
  | { type: 'submit'; number: number; ops: Op[] }
  | { type: 'history'; request: number; before?: number; limit: number }

const seen = struct<Seen>({ epoch: ['e', int], number: ['n', int] })
const eventId = struct<EventIdMessage>({ epoch: ['e', int], number: ['n', int] })
const onAxis = integer(AXIS_LIMIT - 1, -AXIS_LIMIT)
const viewport = struct<Viewport>({
  left: ['l', onAxis],
  top: ['t', onAxis],
  right: ['r', onAxis],
  bottom: ['b', onAxis],
})
const op = struct<Op>({
  kind: ['k', integer(4, 1) as Type<Op['kind']>],
  record: ['i', text],
  fields: ['f', mapOrNone],
  ifVersion: ['v', optional(int)],
})
const place = struct<Place>({ document: ['d', int], sequence: ['q', int] })

/** The kinds and keys of the control lane to the server. */
export const controlToServer: Lane<ToServer> = {
  hello: [
    1,
    struct({
      version: ['v', u32],
      token: ['t', optional(text)],
      name: ['n', optional(text)],
      reliableMotion: ['m', flag],
      resumeToken: ['rt', optional(text)],
    }),
  ],
  join: [
    2,
    struct({ request: ['i', u32], room: ['r', text], presence: ['p', mapOrNone], seen: ['e', optional(seen)] }),
  ],
  leave: [3, struct({ room: ['h', u32] })],
  presence: [4, struct({ room: ['h', u32], patch: ['p', map] })],
  event: [5, struct({ room: ['h', u32], name: ['k', text], data: ['d', any], to: ['to', listOrNone(slot)] })],
  status: [6, struct({ status: ['a', status] })],
  ping: [7, struct({ token: ['t', int] })],
  bye: [8, struct({ code: ['c', u32], reason: ['m', or(text, () => '')] })],
  viewport: [9, struct({ room: ['h', u32], viewport: ['v', optional(viewport)], follow: ['f', optional(slot)] })],
  motion: [10, struct({ datagram: ['d', binary] })],
  resumable: [11, struct<object>({})],
  kept: [12, struct({ request: ['i', u32], room: ['h', u32], before: ['b', optional(eventId)], limit: ['l', u32] })],
}

/** The kinds and keys of an edits lane to the server. */
export const editsToServer: Lane<EditsToServer> = {
  open: [
    1,
    struct({
      room: ['h', u32],
      slot: ['s', slot],
      editor: ['e', binary],
      after: ['a', optional(place)],
      unanswered: ['u', listOrNone(int)],
    }),
  ],
  submit: [2, struct({ number: ['n', int], ops: ['o', list(op)] })],
  history: [3, struct({ request: ['i', u32], before: ['b', optional(int)], limit: ['l', u32] })],
}

/** The bytes of a message of any lane, with its length before them. */
export function encodeAs<M extends { readonly type: string }>(lane: Lane<M>, message: M): Uint8Array<ArrayBuffer> {
  const [kind, body] = lane[message.type as M['type']]
  return encodeMessage([kind, pack(body as Type<unknown>, message) as object])
}

/** What is encoded for a value of a type. */
function pack({ of }: Type<unknown>, value: unknown): unknown {
  if (!of || value === undefined) return value
  if (Array.isArray(of)) return of.map((type, index) => pack(type, (value as unknown[])[index]))
  if (isType(of)) return (value as unknown[]).map((item) => pack(of, item))
  const fields = Object.entries(of as Record<string, readonly [string, Type<unknown>]>)
  const written = fields.filter(([name, [, type]]) => !isMissing((value as Record<string, unknown>)[name], type))
  return Object.fromEntries(written.map(([name, [key, type]]) => [key, pack(type, (value as never)[name])]))
}

function isType(of: unknown): of is Type<unknown> {
  return typeof (of as Type<unknown>).read === 'function'
}

function isMissing(value: unknown, type: Type<unknown>): boolean {
  if (!type.missing) return false
  const missing = type.missing()
  // Of arrays and maps only the empty ones are ever what a missing key stands for.
  if (typeof missing === 'object') return Object.keys(value ?? {}).length === 0
  return value === missing
}
