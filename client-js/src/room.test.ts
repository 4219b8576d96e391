import { beforeEach, describe, expect, it } from 'vitest'
import { createClient, type Client } from './client.ts'
import type { RoomError } from './error.ts'
import type { Room } from './room.ts'
import { openAxes } from './testing/frames.ts'
import { type FakeConnection, FakeServer } from './testing/server.ts'
import { pass, stopTime } from './testing/time.ts'
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
let leave: () => void
let connection: FakeConnection

stopTime()

beforeEach(async () => {
  server = new FakeServer()
  client = createClient({ connect: server.connect })
  ;({ room, leave } = client.enterRoom('default:lobby', { initialPresence: { hue: 1 } }))
  await pass()
  connection = server.newest
  connection.welcome(7, [GRACE])
})

/** Says a diff of room 7. */
function diff(changes: object, at: FakeConnection = connection, handle = 7): void {
  const nothing = { leaves: [], joins: [], presence: [], statuses: [], events: [] }
  at.say({ type: 'diff', room: handle, tick: 11, ...nothing, ...changes })
}

/** What of this type came, all taken. */
function taken(type: 'presence' | 'event' | 'join', at: FakeConnection = connection): object[] {
  const found = at.control.filter((message) => message.type === type)
  return found.map(() => at.take(type))
}

function errorsOf(room: Room): RoomError[] {
  const errors: RoomError[] = []
  room.subscribe('error', (error) => errors.push(error))
  return errors
}

function event(number: number, from: Pick<MemberMessage, 'slot' | 'generation'> = GRACE): EventMessage {
  return { number, from: from.slot, generation: from.generation, name: 'wave', data: { number }, time: 5 }
}

/** The connection dies, and the client gets another one. */
async function reconnect(): Promise<FakeConnection> {
  connection.die()
  await pass(250)
  server.newest.take('hello')
  server.newest.say({ type: 'welcome', version: 1, user: { id: 'me' }, time: 1, resumed: false })
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

  it('R5: that join but are known have changed; with another generation, entered', () => {
    const changes: [string, number | undefined][] = []
    room.subscribe('others', (_, change) => {
      changes.push([change.type, change.type === 'reset' ? undefined : change.user.connectionId])
    })
    diff({ joins: [GRACE] })
    diff({ leaves: [1], joins: [{ ...GRACE, generation: 6 }] })
    expect(changes).toEqual([
      ['update', GRACE_ID],
      ['leave', GRACE_ID],
      ['enter', 6 * 4096 + 1],
    ])
  })

  it('R5: and oneself is the same object until oneself changes', () => {
    const self = room.getSelf()
    diff({ presence: [[1, { hue: 3 }]], joins: [{ ...GRACE, slot: 2, user: { id: 'l' } }] })
    expect(room.getSelf()).toBe(self)
    diff({ statuses: [[0, 1]] })
    expect(room.getSelf()).toMatchObject({ status: 'away', presence: { hue: 1 } })
    expect(room.getOthers()).toHaveLength(2)
  })

  it('are all new after a reconnect, and shown as before until then', async () => {
    const changes: string[] = []
    room.subscribe('others', (_, change) => changes.push(change.type))
    room.subscribe('status', (status, resumed) => changes.push(`${status} ${resumed}`))
    const again = await reconnect()
    expect(room.getOthers()).toHaveLength(1)
    again.admit(8, [])
    expect(room.getOthers()).toHaveLength(0)
    expect(changes).toEqual(['reconnecting false', 'connected false', 'reset'])
  })

  it('C3: are lost after 5 s, and restored once', async () => {
    const changes: string[] = []
    room.subscribe('lost-connection', (change) => changes.push(change))
    server.refusal = 'nobody listens'
    connection.die()
    await pass(4_999)
    expect(changes).toEqual([])
    await pass(1)
    expect(changes).toEqual(['lost'])
    server.refusal = undefined
    while (server.newest === connection) await pass(100)
    server.newest.welcome()
    expect(changes).toEqual(['lost', 'restored'])
  })

  it('C3: are lost for good when the server wants no reconnect, and failed says so', () => {
    const changes: string[] = []
    room.subscribe('lost-connection', (change) => changes.push(change))
    connection.say({ type: 'bye', code: 4000, reason: '' })
    expect(changes).toEqual(['failed'])
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
    expect(server.newest.control.find(({ type }) => type === 'join')).toMatchObject({ presence: { hue: 3 } })
    server.newest.welcome(7)
    await pass(100)
    expect(taken('presence', server.newest)).toEqual([])
  })

  it('P2: goes out once in a tick, merged, and ends with the newest', async () => {
    room.updatePresence({ hue: 2 })
    for (let hue = 3; hue < 10; hue++) room.updatePresence({ hue, [`f${hue}`]: hue })
    room.updatePresence({ f3: null })
    expect(taken('presence')).toMatchObject([{ patch: { hue: 2 } }])
    await pass(49)
    expect(taken('presence')).toEqual([])
    await pass(1)
    expect(taken('presence')).toEqual([
      { type: 'presence', room: 7, patch: { hue: 9, f3: null, f4: 4, f5: 5, f6: 6, f7: 7, f8: 8, f9: 9 } },
    ])
    await pass(500)
    expect(taken('presence')).toEqual([])
    room.updatePresence({ hue: 10 })
    expect(taken('presence')).toMatchObject([{ patch: { hue: 10 } }])
  })

  it('E2: goes out 50 times a second at most in a fast room, so that viewports have their place', async () => {
    const { room: fast } = client.enterRoom('default:fast')
    connection.admit(9, [], { motion: { hz: 250, axes: openAxes(2) } })
    for (let ms = 0; ms < 1_000; ms += 2) {
      fast.updatePresence({ hue: ms })
      fast.setViewport({ left: ms, top: 0, right: ms + 9, bottom: 9 })
      await pass(2)
    }
    expect(connection.control.filter(({ type }) => type === 'viewport')).toHaveLength(10 + 1)
    const patches = taken('presence')
    expect(patches).toHaveLength(50 + 1)
    expect(patches.at(-1), 'at 1,000 ms').toMatchObject({ patch: { hue: 998 } })
  })

  it('P1: a field that is undefined changes nothing, here as at the others', () => {
    room.updatePresence({ hue: undefined as never, name: 'Ada' })
    expect(room.getPresence()).toEqual({ hue: 1, name: 'Ada' })
    expect(Object.keys(room.getPresence())).toEqual(['hue', 'name'])
    expect(connection.take('presence').patch).toEqual({ name: 'Ada' })
  })

  it('is a copy: what the application does to its own objects later does not count', async () => {
    const initial = { tags: ['a'] }
    const { room: other } = client.enterRoom('default:other', { initialPresence: initial })
    const tags = ['b']
    room.updatePresence({ tags })
    room.updatePresence({ tags })
    initial.tags.push('later')
    tags.push('later')
    expect([other.getPresence(), room.getPresence()]).toEqual([{ tags: ['a'] }, { hue: 1, tags: ['b'] }])
    await pass(50)
    expect(taken('presence')).toMatchObject([{ patch: { tags: ['b'] } }, { patch: { tags: ['b'] } }])
  })

  it('that has no form in MessagePack, or nests too deep, is refused where it is said', () => {
    let deep: object = {}
    for (let depth = 0; depth < 9; depth++) deep = [deep]
    for (const value of [new Date(), [deep]]) {
      expect(() => room.updatePresence({ value: value as never })).toThrow(TypeError)
    }
    expect([room.getPresence(), taken('presence')]).toEqual([{ hue: 1 }, []])
  })

  it('P3: of more than 4 KiB is refused where it is said, and nothing of it applied', () => {
    room.updatePresence({ first: 'x'.repeat(2_000) })
    taken('presence')
    expect(() => room.updatePresence({ hue: 2, second: 'x'.repeat(2_100) })).toThrow(RangeError)
    expect(Object.keys(room.getPresence())).toEqual(['hue', 'first'])
    expect(room.getPresence()['hue']).toBe(1)
    expect(taken('presence')).toEqual([])
  })

  it('P3: of more than 4 KiB can not be entered with, and leaves nothing behind', async () => {
    const alone = createClient({ connect: server.connect })
    const initialPresence = { blob: 'x'.repeat(4_096) }
    expect(() => alone.enterRoom('default:big', { initialPresence })).toThrow(RangeError)
    await pass(10_000)
    expect([alone.getRoom('default:big'), alone.getStatus()]).toEqual([null, 'initial'])
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

  it.each([
    ['nobody', () => []],
    ['a member who has gone', () => [GRACE_ID]],
    ['oneself', () => [room.getSelf()?.connectionId ?? 0]],
    ['what is no member', () => [NaN, -1, 1.5]],
    ['a member and another who has gone', () => [6 * 4096 + 1, GRACE_ID]],
  ])('V3: for %s reach nobody, and error says so', (_, to) => {
    diff({ leaves: [1] })
    diff({ joins: [{ ...GRACE, generation: 6, user: { id: 'eve' } }] })
    const errors = errorsOf(room)
    room.broadcast('secret', {}, { to: to() })
    expect(taken('event')).toEqual([])
    expect(errors).toMatchObject([{ type: 'room', code: 'not_found', context: { room: 'default:lobby' } }])
  })

  it('V3: reach a member of any generation that a server may have', () => {
    diff({ joins: [{ ...GRACE, slot: 4_095, generation: 4_294_967_295, user: { id: 'l' } }] })
    const late = room.getOthers().find(({ id }) => id === 'l')
    expect(late?.connectionId).toBe(4_294_967_295 * 4_096 + 4_095)
    room.broadcast('wave', {}, { to: [late?.connectionId as number] })
    expect(connection.take('event').to).toEqual([4_095])
  })
})

describe('refusals', () => {
  it('E1: are errors of the room, with their name and when to try again', () => {
    const errors = errorsOf(room)
    connection.say({ type: 'error', room: 7, code: 5, message: 'slow down', retryAfterMs: 40 })
    connection.say({ type: 'error', room: 7, code: 777, message: '' })
    expect(errors).toMatchObject([
      { type: 'room', code: 'rate_limited', message: 'slow down', retryable: true, retryAfterMs: 40 },
      { type: 'room', code: 'bad_request', retryable: false },
    ])
  })

  it('E1: by a server that can not for now, or is at fault, may be tried again', () => {
    const errors = errorsOf(room)
    for (const code of [9, 10, 11]) connection.say({ type: 'error', room: 7, code, message: '' })
    expect(errors.map(({ code, retryable }) => [code, retryable])).toEqual([
      ['unavailable', true],
      ['room_closed', true],
      ['no_record', false],
    ])
  })

  it('R2: of an entry leave the room disconnected, and the others as they are', () => {
    const other = client.enterRoom('default:full').room
    const errors = errorsOf(other)
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

describe('a room that was left', () => {
  beforeEach(() => {
    client.enterRoom('default:keep')
    connection.admit(9)
  })

  it('R2: and entered again at once, before the server answers, is entered', async () => {
    client.enterRoom('default:other').leave()
    await pass()
    const { room: again } = client.enterRoom('default:other')
    connection.admit(8)
    expect([connection.take('leave').room, again.getStatus()]).toEqual([8, 'connecting'])
    connection.say({ type: 'left', room: 8 })
    connection.admit(8, [GRACE])
    expect([again.getStatus(), again.getOthers().length]).toEqual(['connected', 1])
    expect(taken('join')).toEqual([])
  })

  it('R2: and entered again at once, after the server has answered, is entered', async () => {
    leave()
    await pass()
    const { room: again } = client.enterRoom('default:lobby')
    const order = connection.control.filter(({ type }) => type === 'leave' || type === 'join')
    expect(order.map(({ type }) => type)).toEqual(['leave', 'join'])
    connection.say({ type: 'left', room: 7 })
    connection.admit(7, [GRACE])
    expect([again === room, again.getStatus(), again.getOthers().length]).toEqual([false, 'connected', 1])
    diff({ presence: [[1, { hue: 3 }]] })
    expect(again.getOthers()).toMatchObject([{ presence: { hue: 3 } }])
  })

  it('R6: says nothing more of what was under way, and shows nobody', async () => {
    const told: string[] = []
    room.subscribe('others', () => told.push('others'))
    room.subscribe('event', () => told.push('event'))
    room.subscribe('my-presence', () => told.push('my-presence'))
    room.subscribe('error', () => told.push('error'))
    leave()
    diff({ presence: [[1, { hue: 3 }]], events: [event(1)] })
    await pass()
    diff({ presence: [[1, { hue: 4 }]], events: [event(2)] })
    connection.say({ type: 'error', room: 7, code: 5, message: '' })
    connection.say({ type: 'left', room: 7 })
    room.updatePresence({ hue: 4 })
    room.broadcast('wave', {})
    expect([told, room.getSelf(), room.getOthers(), room.getStatus()]).toEqual([[], null, [], 'initial'])
  })

  it('says so by its status, before it says nothing more', async () => {
    const statuses: string[] = []
    room.subscribe('status', (status) => statuses.push(status))
    leave()
    await pass()
    expect(statuses).toEqual(['initial'])
  })

  it.each(['others', 'event'] as const)('within a listener of %s tells nobody of the rest', (type) => {
    const told: string[] = []
    room.subscribe(type, () => leave())
    for (const later of ['others', 'event'] as const) room.subscribe(later, () => told.push(later))
    diff({ presence: [[1, { hue: 3 }]], events: [event(1), event(2)] })
    expect(told).toEqual(type === 'event' ? ['others'] : [])
  })

  it('within a listener of its status, as soon as it is entered, shows nobody', async () => {
    const other = client.enterRoom('default:other')
    const told: string[] = []
    other.room.subscribe('others', () => told.push('others'))
    other.room.subscribe('status', () => other.leave())
    connection.admit(10, [GRACE])
    await pass()
    expect([told, other.room.getOthers(), other.room.getStatus()]).toEqual([[], [], 'initial'])
    expect(connection.take('leave').room).toBe(10)
  })

  it.each(['lost-connection', 'status'] as const)('within a listener of %s stays left', async (type) => {
    room.subscribe(type, () => leave())
    server.refusal = 'nobody listens'
    connection.die()
    await pass(5_000)
    expect(room.getStatus()).toBe('initial')
  })

  it('within a listener of the client stays left', async () => {
    client.subscribe('status', () => leave())
    connection.die()
    await pass()
    expect(room.getStatus()).toBe('initial')
  })

  it('sends nothing of the presence that waited for its tick', async () => {
    room.updatePresence({ hue: 2 })
    room.updatePresence({ hue: 3 })
    taken('presence')
    leave()
    await pass(100)
    expect(taken('presence')).toEqual([])
  })
})
