// The messages of the control lane: hello, rooms, rosters, presence, events, refusals. docs/PROTOCOL.md tells of each
// field. Times are milliseconds since the Unix epoch, rooms are handles.

import type { Lane } from './lane.ts'
import { AXES_MAX, EVENT_NAME_BYTES_MAX, MEMBERS_MAX, USER_ID_BYTES_MAX, USER_NAME_BYTES_MAX } from './limits.ts'
import { decodeInteger, type Fields, type Value } from './msgpack.ts'
import { any, type Field, flag, int, integer, list, listOrNone, map, mapOrNone } from './schema.ts'
import { optional, or, pair, plain, positive, struct, text, u32, u8 } from './schema.ts'

/** What a client sends. */
export type ToServer =
  | { type: 'hello'; version: number; token?: string | undefined; name?: string | undefined }
  | { type: 'join'; request: number; room: string; presence?: Fields | undefined; seen?: Seen | undefined }
  | { type: 'leave'; room: number }
  | { type: 'presence'; room: number; patch: Fields }
  | { type: 'event'; room: number; name: string; data: Value; to?: number[] | undefined }
  | { type: 'status'; status: number }
  | { type: 'ping'; token: number }
  | { type: 'bye'; code: number; reason?: string | undefined }

/** What a client hears. */
export type ToClient =
  | { type: 'welcome'; version: number; user: UserMessage; time: number }
  | {
      type: 'joined'
      request: number
      room: number
      epoch: number
      slot: number
      generation: number
      tick: number
      rights: number
      motion: MotionFormat
      eventLast: number
      events: EventMessage[]
      eventsLost: boolean
    }
  | { type: 'roster'; room: number; tick: number; members: MemberMessage[]; more: boolean }
  | { type: 'left'; room: number; reason?: number }
  | {
      type: 'diff'
      room: number
      tick: number
      leaves: number[]
      joins: MemberMessage[]
      presence: [slot: number, patch: Fields][]
      statuses: [slot: number, status: number][]
      events: EventMessage[]
    }
  | { type: 'direct'; room: number; from: number; generation: number; name: string; data: Value; time: number }
  | { type: 'error'; request?: number; room?: number; code: number; message: string; retryAfterMs?: number }
  | { type: 'pong'; token: number; time: number }
  | { type: 'bye'; code: number; reason: string; retryAfterMs?: number }

/** The last event of an epoch that the client has seen. */
export interface Seen {
  epoch: number
  number: number
}

/** Who somebody is, by the server's word. */
export interface UserMessage {
  id: string
  name?: string
}

/** How a room's motion is coded: ticks in a second, axes, and one step of an axis in the application's unit. */
export interface MotionFormat {
  hz: number
  axes: number
  step: number
}

/** A member as others see it. Its status is 0 active, 1 away, 2 lost. */
export interface MemberMessage {
  slot: number
  generation: number
  user: UserMessage
  presence: Fields
  status: number
}

/** An event with its place in the room's epoch, and its sender's slot. */
export interface EventMessage {
  number: number
  from: number
  generation: number
  name: string
  data: Value
  time: number
}

const request: Field = ['i', u32]
const room: Field = ['h', u32]
const generation: Field = ['g', u32]
const tick: Field = ['k', u32]
const version: Field = ['v', u32]
const time: Field = ['t', int]
const slotNumber = integer(MEMBERS_MAX - 1)
const slot: Field = ['s', slotNumber]
const reason = ['m', or(text(), () => '')] as const
const retryAfterMs = ['ra', optional(int)] as const

const user = struct<UserMessage>({
  id: ['i', text(USER_ID_BYTES_MAX)],
  name: ['n', optional(text(USER_NAME_BYTES_MAX))],
})

const motion = struct<MotionFormat>({
  hz: ['hz', integer(60, 1)],
  axes: ['a', integer(AXES_MAX, 1)],
  step: ['st', positive],
})

/** The status of a later version reads as active. */
const status = plain((reader) => {
  const number = decodeInteger(reader, 0, 255)
  return number > 2 ? 0 : number
})

const member = struct<MemberMessage>({
  slot,
  generation,
  user: ['u', user],
  presence: ['p', mapOrNone],
  status: ['a', or(status, () => 0)],
})

/** The fields that what was sent has in common, to the server and from it. */
const sent = { name: ['k', text(EVENT_NAME_BYTES_MAX)], data: ['d', any] } as const
const received = { from: ['f', slotNumber], generation, ...sent, time } as const
const event = struct<EventMessage>({ number: ['n', int], ...received })

/** The kinds and keys of what goes to the server. */
export const controlToServer: Lane<ToServer> = {
  hello: [1, struct({ version, token: ['t', optional(text())], name: ['n', optional(text())] })],
  join: [
    2,
    struct({
      request,
      room: ['r', text()],
      presence: ['p', mapOrNone],
      seen: ['e', optional(struct<Seen>({ epoch: ['e', int], number: ['n', int] }))],
    }),
  ],
  leave: [3, struct({ room })],
  presence: [4, struct({ room, patch: ['p', map] })],
  event: [5, struct({ room, ...sent, to: ['to', listOrNone(slotNumber)] })],
  status: [6, struct({ status: ['a', status] })],
  ping: [7, struct({ token: ['t', int] })],
  bye: [8, struct({ code: ['c', u32], reason })],
}

/** The kinds and keys of what comes to the client. */
export const controlToClient: Lane<ToClient> = {
  welcome: [1, struct({ version, user: ['u', user], time })],
  joined: [
    2,
    struct({
      request,
      room,
      epoch: ['e', int],
      slot,
      generation,
      tick,
      rights: ['x', u8],
      motion: ['m', motion],
      eventLast: ['ev', int],
      events: ['er', listOrNone(event)],
      eventsLost: ['eg', flag],
    }),
  ],
  roster: [3, struct({ room, tick, members: ['m', list(member)], more: ['c', flag] })],
  left: [4, struct({ room, reason: ['c', optional(u32)] })],
  diff: [
    5,
    struct({
      room,
      tick,
      leaves: ['l', listOrNone(slotNumber)],
      joins: ['j', listOrNone(member)],
      presence: ['p', listOrNone(pair(slotNumber, map))],
      statuses: ['a', listOrNone(pair(slotNumber, status))],
      events: ['e', listOrNone(event)],
    }),
  ],
  direct: [6, struct({ room, ...received })],
  error: [
    7,
    struct({
      request: ['i', optional(u32)],
      room: ['h', optional(u32)],
      code: ['c', u32],
      message: ['m', text()],
      retryAfterMs,
    }),
  ],
  pong: [8, struct({ token: ['t', int], time: ['s', int] })],
  bye: [9, struct({ code: ['c', u32], reason, retryAfterMs })],
}
