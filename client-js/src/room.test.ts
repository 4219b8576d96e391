import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createClient, type Client } from './client.ts'
import type { RoomError } from './error.ts'
import type { Room } from './room.ts'
import { type FakeConnection, FakeServer } from './testing/server.ts'
import type { OthersChange } from './types.ts'
import type { EventMessage, MemberMessage } from './wire/control.ts'

const GRACE: MemberMessage = {
  slot: 1,
  generation: 5,
  user: { id: 'g', name: 'Grace' },
  presence: { hue: 9 },
  status: 0,
}
const GRACE_ID = 5 * 4096 + 1

let server: FakeServer
let client: Client
let room: Room
let connection: FakeConnection

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
  server = new FakeServer()
  client = createClient({ connect: server.connect })
  room = client.enterRoom('default:lobby', { initialPresence: { hue: 1 } }).room
  await pass()
  connection = server.newest
  connection.welcome(7, [GRACE])
})

afterEach(() => {
  vi.useRealTimers()
})

async function pass(ms = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
}

/** Says a diff of room 7. */
function diff(changes: object, at: FakeConnection = connection): void {
  const nothing = { leaves: [], joins: [], presence: [], statuses: [], events: [] }
  at.say({ type: 'diff', room: 7, tick: 11, ...nothing, ...changes })
}

function event(number: number, from: Pick<MemberMessage, 'slot' | 'generation'> = GRACE): EventMessage {
  return { number, from: from.slot, generation: from.generation, name: 'wave', data: { number }, time: 5 }
}

/** The connection dies, and the client gets another one. */
async function reconnect(): Promise<FakeConnection> {
  connection.die()
  await pass(250)
  server.newest.take('hello')
  server.newest.say({ type: 'welcome', version: 1, user: { id: 'me' }, time: 1 })
  return server.newest
}

describe('others', () => {
  it('R4: are those of the roster, without oneself', () => {
    const grace = { connectionId: GRACE_ID, id: 'g', info: { name: 'Grace' }, presence: { hue: 9 }, status: 'active' }
    expect(room.getOthers()).toEqual([grace])
    expect(room.getSelf()).toMatchObject({ connectionId: 3 * 4096, info: { name: 'Me' }, canWrite: true })
  })

  it('R5: come, change and go by diffs, and never change in place', () => {
    const changes: [number, OthersChange][] = []
    room.subscribe('others', (others, change) => changes.push([others.length, change]))
    const before = room.getOthers()
    diff({
      joins: [{ ...GRACE, slot: 2, user: { id: 'l' } }],
      presence: [[1, { hue: null, x: 2 }]],
      statuses: [[1, 2]],
    })
    diff({ leaves: [1] })
    expect(changes).toMatchObject([
      [2, { type: 'enter', user: { id: 'l', info: {} } }],
      [2, { type: 'update', user: { id: 'g', presence: { x: 2 }, status: 'lost' } }],
      [1, { type: 'leave', user: { id: 'g' } }],
    ])
    expect(before[0]?.presence).toEqual({ hue: 9 })
  })

  it('R5: a patch of an unknown slot is ignored, and a join of a known member replaces it', () => {
    diff({ presence: [[9, { x: 1 }]], joins: [{ ...GRACE, presence: { hue: 10 } }] })
    expect(room.getOthers()).toMatchObject([{ id: 'g', presence: { hue: 10 } }])
  })

  it('are all new after a reconnect, and shown as before until then', async () => {
    const changes: string[] = []
    room.subscribe('others', (_, change) => changes.push(change.type))
    room.subscribe('lost-connection', (change) => changes.push(change))
    const again = await reconnect()
    expect(room.getOthers()).toHaveLength(1)
    again.admit(8, [])
    expect(room.getOthers()).toHaveLength(0)
    expect(changes).toEqual(['lost', 'reset', 'restored'])
  })
})

describe('presence', () => {
  it('P1: is patched here at once, and the patch is sent', () => {
    room.updatePresence({ hue: null, name: 'Ada' })
    expect(room.getPresence()).toEqual({ name: 'Ada' })
    expect(room.getSelf()?.presence).toEqual({ name: 'Ada' })
    expect(connection.take('presence').patch).toEqual({ hue: null, name: 'Ada' })
  })

  it("P2: one's own patch that comes back changes nothing", () => {
    room.updatePresence({ hue: 2 })
    diff({ presence: [[0, { hue: 1 }]] })
    expect(room.getPresence()).toEqual({ hue: 2 })
  })

  it('patched before the room is entered goes after the join', async () => {
    const late = client.enterRoom('default:late', { initialPresence: { a: 1 } }).room
    late.updatePresence({ b: 2 })
    connection.admit(9)
    expect(connection.take('presence')).toEqual({ type: 'presence', room: 9, patch: { b: 2 } })
  })

  it('is sent whole when the room is entered again', async () => {
    connection.die()
    room.updatePresence({ hue: 3 })
    await pass(250)
    expect(server.newest.take('join').presence).toEqual({ hue: 3 })
  })

  it('that has no form in MessagePack is refused where it is said', () => {
    expect(() => room.updatePresence({ at: new Date() as never })).toThrow(TypeError)
    expect(room.getPresence()).toEqual({ hue: 1 })
  })
})

describe('events', () => {
  it("V1: come in order, with their sender, and one's own do not come back", () => {
    const events: unknown[] = []
    room.subscribe('event', ({ name, data, user, time }) => events.push([name, data, user?.id, time]))
    diff({ events: [event(1), event(2, { slot: 0, generation: 3 }), event(3, { slot: 4, generation: 1 })] })
    expect(events).toEqual([
      ['wave', { number: 1 }, 'g', 5],
      ['wave', { number: 3 }, undefined, 5],
    ])
  })

  it('V2, V4: go on after a reconnect from the last one seen, or say that some are lost', async () => {
    diff({ events: [event(1)] })
    const again = await reconnect()
    const events: unknown[] = []
    room.subscribe('event', ({ data }) => events.push(data))
    room.subscribe('resync', () => events.push('resync'))
    expect(again.control.find(({ type }) => type === 'join')).toMatchObject({ seen: { epoch: 1025, number: 1 } })
    again.admit(7, [GRACE], { events: [event(2)], eventLast: 2, eventsLost: true })
    diff({ events: [event(2), event(4)] }, again)
    expect(events).toEqual(['resync', { number: 2 }, 'resync', { number: 4 }])
  })

  it('V3: for some members name their slots', () => {
    room.broadcast('wave', { hi: 1 }, { to: [GRACE_ID] })
    expect(connection.take('event')).toEqual({ type: 'event', room: 7, name: 'wave', data: { hi: 1 }, to: [1] })
  })

  it('without a connection are not sent, and error says so', () => {
    const errors: RoomError[] = []
    room.subscribe('error', (error) => errors.push(error))
    connection.die()
    room.broadcast('wave', {})
    expect(errors).toMatchObject([{ type: 'room', code: 'not_connected', context: { room: 'default:lobby' } }])
  })
})

describe('refusals', () => {
  it('E1: are errors of the room, with their name and when to try again', () => {
    const errors: RoomError[] = []
    room.subscribe('error', (error) => errors.push(error))
    connection.say({ type: 'error', room: 7, code: 5, message: 'slow down', retryAfterMs: 40 })
    connection.say({ type: 'error', room: 7, code: 777, message: '' })
    expect(errors).toMatchObject([
      { type: 'room', code: 'rate_limited', message: 'slow down', retryable: true, retryAfterMs: 40 },
      { type: 'room', code: 'bad_request', retryable: false },
    ])
  })

  it('R2: of an entry leave the room disconnected, and the others as they are', () => {
    const other = client.enterRoom('default:full').room
    const errors: RoomError[] = []
    other.subscribe('error', (error) => errors.push(error))
    const { request } = connection.take('join')
    connection.say({ type: 'error', request, code: 4, message: 'full' })
    expect(errors).toMatchObject([{ type: 'entry', code: 'room_full' }])
    expect([other.getStatus(), room.getStatus()]).toEqual(['disconnected', 'connected'])
  })

  it('R6: the server may end a membership', () => {
    connection.say({ type: 'left', room: 7, reason: 10 })
    expect(room.getStatus()).toBe('disconnected')
  })
})
