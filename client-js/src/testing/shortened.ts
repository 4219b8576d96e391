// The messages that come to a client with the short keys of docs/PROTOCOL.md: a second look at which field is which.

import type { Value } from '../wire/msgpack.ts'
import { plain } from './plain.ts'

/**
 * A field's key, and the keys inside it. One that ends in `?` is left out where its field is empty, 0 or off, one with
 * an integer behind `=` where it is that.
 */
type Keys = { readonly [field: string]: string | readonly [key: string, inside: Keys] }

const user = { id: 'i', name: 'n' }
const member = { slot: 's', generation: 'g', user: ['u', user], presence: 'p?', status: 'a?' } as const
const direct = { room: 'h', from: 'f', generation: 'g', name: 'k', data: 'd', time: 't' }
const event = { number: 'n', from: 'f', generation: 'g', name: 'k', data: 'd', time: 't' }
const eventId = { epoch: 'e', number: 'n' }
const keptEvent = { id: ['i', eventId], user: ['u', user], name: 'k', data: 'd', time: 't' } as const
const axis = { step: 'st=1', min: `n=${-(2 ** 30)}`, max: `x=${2 ** 30 - 1}`, wraps: 'w?' }
const motion = { hz: 'hz', axes: ['a', axis] } as const
const op = { kind: 'k', record: 'i', fields: 'f?', ifVersion: 'v' }
const edit = { sequence: 'q', time: 't', user: 'u', slot: 's', generation: 'g', number: 'n', ops: ['o', op] } as const

/** The kind and the keys of each message, by lane. */
export const keys: Record<'control' | 'edits', { readonly [type: string]: readonly [kind: number, keys: Keys] }> = {
  control: {
    welcome: [1, { version: 'v', user: ['u', user], time: 't', resumeToken: 'rt', resumed: 'rs?' }],
    joined: [
      2,
      {
        request: 'i',
        room: 'h',
        epoch: 'e',
        slot: 's',
        generation: 'g',
        tick: 'k',
        rights: 'x',
        motion: ['m', motion],
        eventLast: 'ev',
        events: ['er?', event],
        eventsLost: 'eg?',
        resumed: 'rs?',
      },
    ],
    roster: [3, { room: 'h', tick: 'k', members: ['m', member], more: 'c?' }],
    left: [4, { room: 'h', reason: 'c' }],
    diff: [
      5,
      {
        room: 'h',
        tick: 'k',
        leaves: 'l?',
        joins: ['j?', member],
        presence: 'p?',
        statuses: 'a?',
        events: ['e?', event],
      },
    ],
    direct: [6, direct],
    error: [7, { request: 'i', room: 'h', code: 'c', message: 'm', retryAfterMs: 'ra' }],
    pong: [8, { token: 't', time: 's' }],
    bye: [9, { code: 'c', reason: 'm?', retryAfterMs: 'ra' }],
    motion: [10, { datagram: 'd' }],
    kept: [11, { request: 'i', room: 'h', events: ['e?', keptEvent], code: 'c', retryAfterMs: 'ra' }],
  },
  edits: {
    snapshot: [1, { document: 'd', sequence: 'q', records: ['r', { id: 'i', version: 'v', fields: 'f' }], more: 'c?' }],
    edits: [2, { edits: ['e', edit] }],
    ack: [3, { number: 'n', sequence: 'q', time: 't' }],
    reject: [4, { number: 'n', code: 'c', message: 'm', limit: 'l', value: 'w', retryAfterMs: 'ra' }],
    history: [5, { request: 'i', edits: ['e?', edit], code: 'c', retryAfterMs: 'ra' }],
  },
}

/** A message with its kind and the short keys. */
export function shortened(message: object, [kind, inside]: readonly [kind: number, keys: Keys] = [0, {}]): unknown {
  const { type: _, ...body } = message as { type: string }
  return [kind, shorten(body, inside)]
}

function shorten(value: unknown, inside: Keys | undefined): unknown {
  if (!inside) return plain(value as Value)
  if (Array.isArray(value)) return value.map((item) => shorten(item, inside))
  const entries = Object.entries(value as object).flatMap(([field, value]: [string, unknown]) => {
    const named = inside[field]
    if (!named) throw new Error(`the specification has no field ${field}`)
    const [key, deeper] = typeof named === 'string' ? [named] : named
    const [name = '', standard] = key.split('=')
    if (value === undefined || String(value) === standard || (name.endsWith('?') && isEmpty(value))) return []
    return [[name.replace('?', ''), shorten(value, deeper)]]
  })
  return Object.fromEntries(entries)
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null ? Object.keys(value).length === 0 : !value
}
