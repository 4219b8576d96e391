// The messages of the control lane: hello, rooms, rosters, presence, events, refusals. docs/PROTOCOL.md tells of each
// field. Times are milliseconds since the Unix epoch, rooms are handles.

import { type Axis, AXIS_LIMIT } from '../motion/axes.ts'
import { DecodeError } from './bytes.ts'
import { type Lane, type Said, unlessEmpty } from './lane.ts'
import { AXES_MAX, TICK_HZ_MAX } from './limits.ts'
import { decodeInteger, type Fields, type Value } from './msgpack.ts'
import { any, binary, type Field, flag, int, integer, list, listOrNone, map, mapOrNone } from './schema.ts'
import { optional, or, pair, positive, slot, struct, text, type Type, u32, u8 } from './schema.ts'

/** The version of the protocol (rule H1). */
const VERSION = 1

/** What a client hears. */
export type ToClient =
  | { type: 'welcome'; version: number; user: UserMessage; time: number; resumeToken?: string; resumed: boolean }
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
      resumed: boolean
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
  | { type: 'motion'; datagram: Uint8Array }
  | { type: 'kept'; request: number; room: number; events: KeptEventMessage[]; code?: number; retryAfterMs?: number }

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

/** How a room's motion is coded and shown: ticks in a second, and 1 to 4 axes. */
export interface MotionFormat {
  hz: number
  axes: Axis[]
}

/**
 * A rectangle on the first two axes, or a stretch of the only one; its borders belong to it. An application gives it in
 * its own unit, a message in steps.
 */
export interface Viewport {
  /** The lowest value on the first axis. */
  readonly left: number
  /** The lowest value on the second axis. */
  readonly top: number
  /** The highest value on the first axis. */
  readonly right: number
  /** The highest value on the second axis. */
  readonly bottom: number
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

/** Which event it is, among all that a room ever had. */
export interface EventIdMessage {
  epoch: number
  number: number
}

/** An event as the server keeps it (rule V6). */
export interface KeptEventMessage {
  id: EventIdMessage
  user: UserMessage
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
const reason = ['m', or(text, () => '')] as const
const retryAfterMs = ['ra', optional(int)] as const
const resumed = ['rs', flag] as const

const user = struct<UserMessage>({
  id: ['i', text],
  name: ['n', optional(text)],
})

const onAxis = integer(AXIS_LIMIT - 1, -AXIS_LIMIT)

const axis = struct<Axis>({
  step: ['st', or(positive, () => 1)],
  min: ['n', or(onAxis, () => -AXIS_LIMIT)],
  max: ['x', or(onAxis, () => AXIS_LIMIT - 1)],
  wraps: ['w', flag],
})

/** 1 to 4 axes, each with something in its range. */
const axes: Type<Axis[]> = {
  of: axis,
  read(reader, depth) {
    const axes = list(axis).read(reader, depth)
    if (!axes.length || axes.length > AXES_MAX || axes.some(({ min, max }) => min > max)) throw new DecodeError()
    return axes
  },
}

const motion = struct<MotionFormat>({ hz: ['hz', integer(TICK_HZ_MAX, 1)], axes: ['a', axes] })

/** The status of a later version reads as active. */
export const status: Type<number> = {
  read(reader) {
    const number = decodeInteger(reader, 0, 255)
    return number > 2 ? 0 : number
  },
}

const member = struct<MemberMessage>({
  slot: ['s', slot],
  generation,
  user: ['u', user],
  presence: ['p', mapOrNone],
  status: ['a', or(status, () => 0)],
})

/** What an event and a direct one have in common. */
const received = {
  from: ['f', slot],
  generation,
  name: ['k', text],
  data: ['d', any],
  time,
} as const
const event = struct<EventMessage>({ number: ['n', int], ...received })

const keptEvent = struct<KeptEventMessage>({
  id: ['i', struct<EventIdMessage>({ epoch: ['e', int], number: ['n', int] })],
  user: ['u', user],
  name: ['k', text],
  data: ['d', any],
  time,
})

/** The kinds and keys of what comes to the client. */
export const controlToClient: Lane<ToClient> = {
  welcome: [1, struct({ version, user: ['u', user], time, resumeToken: ['rt', optional(text)], resumed })],
  joined: [
    2,
    struct({
      request,
      room,
      epoch: ['e', int],
      slot: ['s', slot],
      generation,
      tick,
      rights: ['x', u8],
      motion: ['m', motion],
      eventLast: ['ev', int],
      events: ['er', listOrNone(event)],
      eventsLost: ['eg', flag],
      resumed,
    }),
  ],
  roster: [3, struct({ room, tick, members: ['m', list(member)], more: ['c', flag] })],
  left: [4, struct({ room, reason: ['c', optional(u32)] })],
  diff: [
    5,
    struct({
      room,
      tick,
      leaves: ['l', listOrNone(slot)],
      joins: ['j', listOrNone(member)],
      presence: ['p', listOrNone(pair(slot, map))],
      statuses: ['a', listOrNone(pair(slot, status))],
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
      message: ['m', text],
      retryAfterMs,
    }),
  ],
  pong: [8, struct({ token: ['t', int], time: ['s', int] })],
  bye: [9, struct({ code: ['c', u32], reason, retryAfterMs })],
  motion: [10, struct({ datagram: ['d', binary] })],
  kept: [11, struct({ request, room, events: ['e', listOrNone(keptEvent)], code: ['c', optional(u32)], retryAfterMs })],
}

/**
 * The first message: who the client would like to be, whether its motion goes over the control lane, and with which
 * session it goes on.
 */
export function sayHello(
  token: string | undefined,
  name: string | undefined,
  reliableMotion: boolean,
  resumeToken: string | undefined,
): Said {
  return [1, { v: VERSION, t: token, n: name, m: reliableMotion || undefined, rt: resumeToken }]
}

/** Asks to enter a room. */
export function sayJoin(request: number, room: string, presence: Fields, seen: Seen | undefined): Said {
  return [2, { i: request, r: room, p: unlessEmpty(presence), e: seen && { e: seen.epoch, n: seen.number } }]
}

/** Leaves a room. */
export function sayLeave(room: number): Said {
  return [3, { h: room }]
}

/** Patches the own presence. */
export function sayPresence(room: number, patch: Fields): Said {
  return [4, { h: room, p: patch }]
}

/** Sends an event to all, or to these slots. */
export function sayEvent(room: number, name: string, data: unknown, to: readonly number[] | undefined): Said {
  return [5, { h: room, k: name, d: data ?? null, to: to?.length ? to : undefined }]
}

/** Says whether the user looks: 0 is active, 1 away. */
export function sayStatus(status: 0 | 1): Said {
  return [6, { a: status }]
}

/** Asks for a pong with this token. */
export function sayPing(token: number): Said {
  return [7, { t: token }]
}

/** Ends the session. */
export function sayBye(code: number): Said {
  return [8, { c: code }]
}

/** Asks for the motion within a viewport and of the member in the slot `follow`; without either, for all. */
export function sayViewport(room: number, viewport: Viewport | undefined, follow: number | undefined): Said {
  const { left: l, top: t, right: r, bottom: b } = viewport ?? {}
  return [9, { h: room, v: viewport && { l, t, r, b }, f: follow }]
}

/** Sends what a datagram would carry. */
export function sayMotion(datagram: Uint8Array): Said {
  return [10, { d: datagram }]
}

/** Says that the resume token of the welcome has come (rule S2). */
export function sayResumable(): Said {
  return [11, {}]
}

/** Asks for events that the server keeps: those before one, or the latest (rule V6). */
export function sayKept(request: number, room: number, before: EventIdMessage | undefined, limit: number): Said {
  return [12, { i: request, h: room, b: before && { e: before.epoch, n: before.number }, l: limit }]
}
