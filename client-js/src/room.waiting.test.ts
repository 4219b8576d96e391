// What is said in a room while there is no connection.

import { beforeEach, describe, expect, it } from 'vitest'
import { createClient } from './client.ts'
import type { RoomError } from './error.ts'
import type { Room } from './room.ts'
import { type FakeConnection, FakeServer } from './testing/server.ts'
import { pass, stopTime } from './testing/time.ts'
import type { MemberMessage } from './wire/control.ts'
import type { Value } from './wire/msgpack.ts'

const GRACE: MemberMessage = { slot: 1, generation: 5, user: { id: 'g' }, presence: {}, status: 0 }
const GRACE_ID = 5 * 4096 + 1

let server: FakeServer
let room: Room
let connection: FakeConnection
let errors: RoomError[]

stopTime()

beforeEach(async () => {
  server = new FakeServer()
  ;({ room } = createClient({ connect: server.connect }).enterRoom('default:lobby'))
  await pass()
  connection = server.newest
  connection.welcome(7, [GRACE])
  errors = []
  room.subscribe('error', (error) => errors.push(error))
})

/** The events that came, all taken. */
function events(): object[] {
  const found = server.newest.control.filter(({ type }) => type === 'event')
  return found.map(() => server.newest.take('event'))
}

/** Own events come back, the first with this number. */
function comeBack(data: Value[], first = 1): void {
  const events = data.map((data, index) => {
    return { number: first + index, from: 0, generation: 3, name: 'wave', data, time: 1 }
  })
  const nothing = { joins: [], leaves: [], presence: [], statuses: [] }
  server.newest.say({ type: 'diff', room: 7, tick: 11, ...nothing, events })
}

describe('events', () => {
  it('while the connection is gone wait for it, as they were said, and go out in their order', async () => {
    const data = { number: 1 }
    connection.die()
    room.broadcast('wave', data)
    data.number = 2
    room.broadcast('wave', data)
    room.broadcast('wave', null, { to: [GRACE_ID] })
    room.subscribe('status', (status) => status === 'connected' && room.broadcast('wave', { number: 3 }))
    await pass(250)
    server.newest.welcome(9, [GRACE])
    expect(events()).toMatchObject([
      { room: 9, name: 'wave', data: { number: 1 }, to: [] },
      { room: 9, data: { number: 2 } },
      { room: 9, data: null, to: [1] },
      { room: 9, data: { number: 3 } },
    ])
    expect(errors).toEqual([])
  })

  it('V3: that waited for who has left meanwhile are not found', async () => {
    connection.die()
    room.broadcast('wave', {}, { to: [GRACE_ID] })
    await pass(250)
    server.newest.welcome()
    expect([errors.map(({ code }) => code), events()]).toEqual([['not_found'], []])
  })

  it.each([
    ['64 KiB', 'a'.repeat(16_000), 4],
    ['100', null, 100],
  ])('of more than %s that wait are not sent, and error says so', async (_, data, kept) => {
    connection.die()
    for (let index = 0; index <= kept; index++) room.broadcast('wave', data)
    expect(errors).toMatchObject([{ type: 'room', code: 'not_connected', context: { room: 'default:lobby' } }])
    await pass(250)
    server.newest.welcome()
    expect(events()).toHaveLength(kept)
    comeBack(Array(kept).fill(data))
    server.newest.die()
    for (let index = 0; index < kept; index++) room.broadcast('wave', data)
    expect(errors).toHaveLength(1)
  })

  it('V5: that were sent and did not come back count among those that wait, up to 100 of them', async () => {
    for (let index = 0; index < 120; index++) room.broadcast('wave', { index, list: [index] })
    room.broadcast('wave', 'to one', { to: [GRACE_ID] })
    expect(events()).toHaveLength(121)
    // As another implementation may write them: the keys in their order, or not.
    comeBack([0, 1, 2].map((index) => ({ list: [index], index })))
    comeBack([{ index: 9, list: [9], more: null }, { index: 9, list: [8] }, { index: 9 }, null, 'to one'], 4)
    connection.die()
    for (let index = 0; index < 4; index++) room.broadcast('late', null)
    expect(errors).toMatchObject([{ code: 'not_connected' }])
    await pass(250)
    server.newest.welcome(9, [GRACE])
    const again = Array.from({ length: 97 }, (_, index) => ({ name: 'wave', data: { index: index + 3 } }))
    expect(events()).toMatchObject([...again, ...Array(3).fill({ name: 'late' })])
  })

  it('V5: are not sent again once something was refused in the room, as it may have been one of them', async () => {
    room.broadcast('wave', 1)
    connection.say({ type: 'error', room: 7, code: 5, message: '' })
    room.broadcast('wave', 2)
    connection.die()
    room.broadcast('wave', 1)
    await pass(250)
    server.newest.take('hello')
    // What waits has not been sent, however much it is like what comes back.
    const back = { number: 1, from: 0, generation: 3, name: 'wave', data: 1, time: 1 }
    server.newest.admit(7, [], { events: [back], eventLast: 1 })
    expect(events()).toMatchObject([{ data: 2 }, { data: 1 }])
  })

  it('V5: that were sent are no error when no connection is tried for', () => {
    room.broadcast('wave', 1)
    connection.say({ type: 'bye', code: 4005, reason: '' })
    expect(errors).toEqual([])
  })

  it('that have no form in MessagePack, or nest too deep, are refused where they are said, waiting or not', () => {
    const deep = [[[[[[[[1]]]]]]]]
    let deeper: unknown = 1
    for (let depth = 0; depth < 15; depth++) deeper = [deeper]
    for (const say of [() => {}, () => connection.die()]) {
      say()
      expect(() => room.broadcast('wave', { at: new Date() } as never)).toThrow(TypeError)
      expect(() => room.broadcast('wave', deeper as never)).toThrow(TypeError)
      room.broadcast('wave', deep as never)
    }
  })

  it('are not sent when no connection is tried for, nor those that waited, and error says so', async () => {
    connection.die()
    room.broadcast('wave', {})
    await pass(250)
    server.newest.say({ type: 'bye', code: 4005, reason: '' })
    room.broadcast('wave', {})
    expect(errors.map(({ code }) => code)).toEqual(['not_connected', 'not_connected'])
  })
})
