import { describe, expect, it } from 'vitest'
import { OPEN } from '../testing/frames.ts'
import { encodeAs } from '../testing/to-server.ts'
import { fromHex, toHex, vectors } from '../testing/vectors.ts'
import {
  controlToClient,
  sayBye,
  sayEvent,
  sayHello,
  sayJoin,
  sayKept,
  sayLeave,
  sayMotion,
  sayPing,
  sayPresence,
  sayResumable,
  sayStatus,
  sayViewport,
  type ToClient,
} from './control.ts'
import { frame } from './framing.ts'
import { decodeMessage, encodeMessage, type Said } from './lane.ts'

interface Vector {
  name: string
  hex: string
}

const file = vectors<{ to_server: Vector[]; to_client: Vector[] }>('control.json')
const time = 1_760_000_000_123
const epoch = 5_124_095_576_030_430
const wave = { from: 3, generation: 1, name: 'wave', data: { hand: 'left', strength: 0.5 }, time }
const ada = {
  slot: 4_095,
  generation: 70_000,
  user: { id: 'auth|4711', name: 'Ada Lövelace' },
  presence: { color: '#0af', selection: [3] },
  status: 1,
}
const HALF = { ...OPEN, step: 0.5 }
const joined = {
  type: 'joined',
  request: 1,
  room: 7,
  epoch,
  slot: 3,
  generation: 1,
  tick: 90_000,
  rights: 31,
  motion: { hz: 30, axes: [HALF, HALF] },
  eventLast: 12,
  events: [],
  eventsLost: false,
  resumed: false,
} satisfies ToClient
const diff = {
  type: 'diff',
  room: 7,
  tick: 90_001,
  leaves: [],
  joins: [],
  presence: [],
  statuses: [],
  events: [],
} satisfies ToClient

const kept = { type: 'kept', request: 3, room: 7, events: [] } satisfies ToClient

const viewport = { left: -300, top: 0, right: 70_000, bottom: 2 ** 30 - 1 }

/** How each vector to the server is said, with the keys of users' maps in their order. */
const toServer: Record<string, Said> = {
  'hello, anonymous': sayHello(undefined, undefined, false, undefined),
  'hello with a name': sayHello(undefined, 'Ada', false, undefined),
  'hello with a token': sayHello('a.b.c', undefined, false, undefined),
  'hello that wants no datagrams': sayHello(undefined, undefined, true, undefined),
  'hello that resumes a session': sayHello(undefined, undefined, false, 'd.e.f'),
  resumable: sayResumable(),
  join: sayJoin(1, 'default:lobby', {}, undefined),
  'join with a presence, going on after event 9': sayJoin(
    2,
    'board:Straße 7',
    { color: '#0af', thumbnail: Uint8Array.of(0, 255, 1), zoom: 1.25 },
    { epoch, number: 9 },
  ),
  leave: sayLeave(7),
  'leave of a large handle': sayLeave(2 ** 32 - 1),
  'presence: one field set, one removed': sayPresence(7, { color: '#f00', selection: null }),
  'event to all': sayEvent(7, 'wave', null, undefined),
  'event to two members': sayEvent(7, 'wave', [true, -1], [0, 300]),
  'status away': sayStatus(1),
  'status active': sayStatus(0),
  ping: sayPing(Number.MAX_SAFE_INTEGER),
  bye: sayBye(4000),
  'viewport: everything': sayViewport(7, undefined, undefined),
  'viewport: a rectangle': sayViewport(7, viewport, undefined),
  'viewport: a rectangle, and a member to follow': sayViewport(7, viewport, 4_095),
  'motion over the control lane: an ack and a sample': sayMotion(fromHex('030764010207011413')),
  'kept, the latest': sayKept(3, 7, undefined, 50),
  'kept, before event 12': sayKept(4, 7, { epoch, number: 12 }, 100),
}

/** What each vector to the client says. */
const toClient: Record<string, ToClient> = {
  welcome: { type: 'welcome', version: 1, user: { id: 'auth|4711', name: 'Ada' }, time, resumed: false },
  'welcome, resumed': {
    type: 'welcome',
    version: 1,
    user: { id: 'auth|4711', name: 'Ada' },
    time,
    resumeToken: 'g.h.i',
    resumed: true,
  },
  joined,
  'joined where motion is a pose': {
    ...joined,
    motion: {
      hz: 60,
      axes: [
        { ...OPEN, step: 0.01, min: -100_000, max: 100_000 },
        { ...OPEN, step: 0.5, min: 0 },
        { ...OPEN, step: 0.01, min: -100_000, max: 100_000 },
        { step: 0.1, min: 0, max: 3_599, wraps: true },
      ],
    },
  },
  'joined where motion is all that it is by default': { ...joined, motion: { hz: 30, axes: [OPEN, OPEN] } },
  'joined with a missed event': { ...joined, events: [{ number: 12, ...wave }] },
  'joined, missed events lost': { ...joined, eventsLost: true },
  'joined, resumed': { ...joined, resumed: true },
  'roster, a page of more': {
    type: 'roster',
    room: 7,
    tick: 90_000,
    members: [{ slot: 0, generation: 0, user: { id: 'user-0' }, presence: {}, status: 0 }],
    more: true,
  },
  'roster, the last page': {
    type: 'roster',
    room: 7,
    tick: 90_000,
    members: [{ slot: 3, generation: 0, user: { id: 'user-3' }, presence: {}, status: 0 }, ada],
    more: false,
  },
  'left as asked': { type: 'left', room: 7 },
  'left by the server': { type: 'left', room: 7, reason: 10 },
  'diff, one status': { ...diff, statuses: [[3, 1]] },
  'diff with everything': {
    ...diff,
    leaves: [2, 9],
    joins: [ada],
    presence: [[3, { color: null, zoom: 2 }]],
    statuses: [
      [0, 2],
      [3, 0],
    ],
    events: [{ number: 12, ...wave }],
  },
  direct: { type: 'direct', room: 7, ...wave },
  'error about a join': { type: 'error', request: 2, code: 3, message: 'there is no namespace of this name' },
  'error about a rate': { type: 'error', room: 7, code: 5, message: 'too many events', retryAfterMs: 20 },
  pong: { type: 'pong', token: Number.MAX_SAFE_INTEGER, time },
  'bye, come back': { type: 'bye', code: 4200, reason: 'restarting', retryAfterMs: 1_500 },
  'bye, expired': { type: 'bye', code: 4101, reason: 'the token has expired' },
  'motion over the control lane': {
    type: 'motion',
    datagram: fromHex('010701e807c15fd532a98f6572e2be3359f9816f'),
  },
  kept: {
    ...kept,
    events: [
      { id: { epoch: 7, number: 1 }, user: { id: 'user-0' }, name: 'join', data: null, time: 0 },
      {
        id: { epoch, number: 12 },
        user: { id: 'auth|4711', name: 'Ada' },
        name: wave.name,
        data: wave.data,
        time,
      },
    ],
  },
  'kept, none': kept,
  'kept, refused': { ...kept, code: 9, retryAfterMs: 1_000 },
}

it('knows every vector', () => {
  expect(Object.keys(toServer)).toEqual(file.to_server.map(({ name }) => name))
  expect(Object.keys(toClient)).toEqual(file.to_client.map(({ name }) => name))
})

describe('to the server', () => {
  it.each(file.to_server)('F6: $name', ({ name, hex }) => {
    expect(toHex(encodeMessage(toServer[name] as Said))).toBe(toHex(frame(fromHex(hex))))
  })

  it('F6: a field that is given as its default is left out', () => {
    const join = toHex(encodeMessage(toServer['join'] as Said))
    expect(toHex(encodeMessage(sayJoin(1, 'default:lobby', {}, undefined)))).toBe(join)
    const event = toHex(encodeMessage(toServer['event to all'] as Said))
    expect(toHex(encodeMessage(sayEvent(7, 'wave', undefined, [])))).toBe(event)
  })
})

describe('to the client', () => {
  it.each(file.to_client)('F6: $name', ({ name, hex }) => {
    const message = decodeMessage(controlToClient, fromHex(hex))
    expect(message).toEqual(toClient[name])
    expect(toHex(encodeAs(controlToClient, message as ToClient))).toBe(toHex(frame(fromHex(hex))))
  })

  it("what a missing key stands for is nobody else's", () => {
    const bytes = encodeAs(controlToClient, diff).subarray(1)
    const [one, other] = [decodeMessage(controlToClient, bytes), decodeMessage(controlToClient, bytes)] as [
      typeof diff,
      typeof diff,
    ]
    expect(one.events).toEqual([])
    expect(one.events).not.toBe(other.events)
  })
})
