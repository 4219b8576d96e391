// Random values and messages for property tests: whatever the protocol's tables allow.

import fc, { type Arbitrary } from 'fast-check'
import type { Axis } from '../motion/axes.ts'
import type { EventMessage, KeptEventMessage, MemberMessage, ToClient, UserMessage, Viewport } from '../wire/control.ts'
import type { EditMessage, EditsToClient, Op, RecordMessage } from '../wire/edits.ts'
import type { Fields, Value } from '../wire/msgpack.ts'
import type { EditsToServer, ToServer } from './to-server.ts'

// On the wire -0 is 0.
const number = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc.double().filter((value) => !Object.is(value, -0)),
)
const string = fc.string({ unit: 'binary', maxLength: 40 })
const key = fc.oneof(string, fc.constantFrom('__proto__', 'constructor', 'toString'))

/** A user's value of a depth of at most 8. */
export const values: Arbitrary<Value> = fc.letrec<{ value: Value; fields: Fields }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 8, depthSize: 'small' },
    fc.constantFrom(null, true, false),
    number,
    string,
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 20 }),
    tie('fields'),
  ),
  fields: fc.array(fc.tuple(key, tie('value')), { maxLength: 20 }).map((entries) => Object.fromEntries(entries)),
})).value

/** A user's map. */
export const fields: Arbitrary<Fields> = fc
  .array(fc.tuple(key, values), { maxLength: 5 })
  .map((entries) => Object.fromEntries(entries))

const u32 = fc.nat(2 ** 32 - 1)
const int = fc.maxSafeNat()
const slot = fc.nat(4_095)
const status = fc.nat(2)
// Of at most 64 bytes.
const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 16 })

function type<T extends string>(name: T): Arbitrary<T> {
  return fc.constant(name)
}

function list<T>(items: Arbitrary<T>): Arbitrary<T[]> {
  return fc.array(items, { maxLength: 4 })
}

const onAxis = fc.integer({ min: -(2 ** 30), max: 2 ** 30 - 1 })
const viewport: Arbitrary<Viewport> = fc.record({ left: onAxis, top: onAxis, right: onAxis, bottom: onAxis })
const datagram = fc.uint8Array({ maxLength: 1_000 })
const user: Arbitrary<UserMessage> = fc.record({ id: name, name }, { requiredKeys: ['id'] })
const member: Arbitrary<MemberMessage> = fc.record({ slot, generation: u32, user, presence: fields, status })
const sent = { from: slot, generation: u32, name, data: values, time: int }
const events: Arbitrary<EventMessage[]> = list(fc.record({ number: int, ...sent }))
const refusal = { code: u32, message: string, retryAfterMs: int }

const eventId = fc.record({ epoch: int, number: int })
const keptEvent: Arbitrary<KeptEventMessage> = fc.record({ id: eventId, user, name, data: values, time: int })

/** Any message of the control lane to the server, with all that may be left out but is not when it is empty. */
export const toServer: Arbitrary<ToServer> = fc.oneof(
  fc.record(
    { type: type('hello'), version: u32, token: string, name, reliableMotion: fc.boolean(), resumeToken: string },
    { requiredKeys: ['type', 'version', 'reliableMotion'] },
  ),
  fc.record(
    { type: type('join'), request: u32, room: string, presence: fields, seen: fc.record({ epoch: int, number: int }) },
    { requiredKeys: ['type', 'request', 'room', 'presence'] },
  ),
  fc.record({ type: type('leave'), room: u32 }),
  fc.record({ type: type('presence'), room: u32, patch: fields }),
  fc.record({ type: type('event'), room: u32, name, data: values, to: list(slot) }),
  fc.record({ type: type('status'), status }),
  fc.record({ type: type('ping'), token: int }),
  fc.record({ type: type('bye'), code: u32, reason: string }),
  fc.record({ type: type('viewport'), room: u32, viewport, follow: slot }, { requiredKeys: ['type', 'room'] }),
  fc.record({ type: type('motion'), datagram }),
  fc.record({ type: type('resumable') }),
  fc.record(
    { type: type('kept'), request: u32, room: u32, before: eventId, limit: u32 },
    { requiredKeys: ['type', 'request', 'room', 'limit'] },
  ),
)

const axis: Arbitrary<Axis> = fc
  .record({
    step: fc.oneof(fc.constant(1), fc.double({ min: 0, minExcluded: true, max: 1e9, noNaN: true })),
    ends: fc.tuple(onAxis, onAxis),
    wraps: fc.boolean(),
  })
  .map(({ step, ends, wraps }) => ({ step, min: Math.min(...ends), max: Math.max(...ends), wraps }))

/** Any message of the control lane to the client. */
export const toClient: Arbitrary<ToClient> = fc.oneof(
  fc.record(
    { type: type('welcome'), version: u32, user, time: int, resumeToken: string, resumed: fc.boolean() },
    { requiredKeys: ['type', 'version', 'user', 'time', 'resumed'] },
  ),
  fc.record({
    type: type('joined'),
    request: u32,
    room: u32,
    epoch: int,
    slot,
    generation: u32,
    tick: u32,
    rights: fc.nat(255),
    motion: fc.record({
      hz: fc.integer({ min: 1, max: 250 }),
      axes: fc.array(axis, { minLength: 1, maxLength: 4 }),
    }),
    eventLast: int,
    events,
    eventsLost: fc.boolean(),
    resumed: fc.boolean(),
  }),
  fc.record({ type: type('roster'), room: u32, tick: u32, members: list(member), more: fc.boolean() }),
  fc.record({ type: type('left'), room: u32, reason: u32 }, { requiredKeys: ['type', 'room'] }),
  fc.record({
    type: type('diff'),
    room: u32,
    tick: u32,
    leaves: list(slot),
    joins: list(member),
    presence: list(fc.tuple(slot, fields)),
    statuses: list(fc.tuple(slot, status)),
    events,
  }),
  fc.record({ type: type('direct'), room: u32, ...sent }),
  fc.record(
    { type: type('error'), request: u32, room: u32, ...refusal },
    { requiredKeys: ['type', 'code', 'message'] },
  ),
  fc.record({ type: type('pong'), token: int, time: int }),
  fc.record(
    { type: type('bye'), code: u32, reason: string, retryAfterMs: int },
    { requiredKeys: ['type', 'code', 'reason'] },
  ),
  fc.record({ type: type('motion'), datagram }),
  fc.record(
    { type: type('kept'), request: u32, room: u32, events: list(keptEvent), code: u32, retryAfterMs: int },
    { requiredKeys: ['type', 'request', 'room', 'events'] },
  ),
)

const ops: Arbitrary<Op[]> = list(
  fc.record(
    { kind: fc.constantFrom<Op['kind'][]>(1, 2, 3, 4), record: name, fields, ifVersion: int },
    { requiredKeys: ['kind', 'record', 'fields'] },
  ),
)
const record: Arbitrary<RecordMessage> = fc.record({ id: name, version: int, fields })
const edit: Arbitrary<EditMessage> = fc.record({
  sequence: int,
  time: int,
  user: name,
  slot,
  generation: u32,
  number: int,
  ops,
})

/** Any message of an edits lane to the server. */
export const editsToServer: Arbitrary<EditsToServer> = fc.oneof(
  fc.record(
    {
      type: type('open'),
      room: u32,
      slot,
      editor: fc.uint8Array({ minLength: 16, maxLength: 16 }),
      after: fc.record({ document: int, sequence: int }),
      unanswered: list(int),
    },
    { requiredKeys: ['type', 'room', 'slot', 'editor', 'unanswered'] },
  ),
  fc.record({ type: type('submit'), number: int, ops }),
  fc.record(
    { type: type('history'), request: u32, before: int, limit: u32 },
    { requiredKeys: ['type', 'request', 'limit'] },
  ),
)

/** Any message of an edits lane to the client. */
export const editsToClient: Arbitrary<EditsToClient> = fc.oneof(
  fc.record({ type: type('snapshot'), document: int, sequence: int, records: list(record), more: fc.boolean() }),
  fc.record({ type: type('edits'), edits: list(edit) }),
  fc.record({ type: type('ack'), number: int, sequence: int, time: int }),
  fc.record(
    { type: type('reject'), number: int, limit: int, value: int, ...refusal },
    { requiredKeys: ['type', 'number', 'code', 'message'] },
  ),
  fc.record(
    { type: type('history'), request: u32, edits: list(edit), code: u32, retryAfterMs: int },
    { requiredKeys: ['type', 'request', 'edits'] },
  ),
)
