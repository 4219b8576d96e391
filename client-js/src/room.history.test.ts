// A room's events that were before, asked of a server that keeps them, and what can become of the answer.

import { beforeEach, describe, expect, it } from 'vitest'
import { createClient } from './client.ts'
import type { Room } from './room.ts'
import { type FakeConnection, FakeServer } from './testing/server.ts'
import { pass, stopTime } from './testing/time.ts'
import type { EventMessage, KeptEventMessage, MemberMessage } from './wire/control.ts'

const GRACE: MemberMessage = { slot: 1, generation: 5, user: { id: 'g', name: 'Grace' }, presence: {}, status: 0 }
/** That of the room. */
const EPOCH = 1025

let server: FakeServer
let room: Room
let leave: () => void
let connection: FakeConnection

stopTime()

beforeEach(async () => {
  server = new FakeServer()
  const client = createClient({ connect: server.connect })
  ;({ room, leave } = client.enterRoom('default:lobby'))
  await pass()
  connection = server.newest
  connection.welcome(7, [GRACE])
})

const event = (number: number): EventMessage => ({
  number,
  from: GRACE.slot,
  generation: GRACE.generation,
  name: 'wave',
  data: { number },
  time: 5,
})

const kept = (epoch: number, number: number, name?: string): KeptEventMessage => ({
  id: { epoch, number },
  user: { id: 'g', ...(name && { name }) },
  name: 'wave',
  data: { number },
  time: 5,
})

describe('V6: events that the server keeps', () => {
  it('are those before one, or the latest, each with its sender', async () => {
    const before = room.history({ of: 'events', before: { epoch: 9, number: 12 }, limit: 2 })
    const latest = room.history({ of: 'events' })
    const [first, second] = [connection.take('kept'), connection.take('kept')]
    expect([first, second]).toMatchObject([
      { room: 7, before: { epoch: 9, number: 12 }, limit: 2 },
      { room: 7, limit: 50 },
    ])
    expect(second.before).toBeUndefined()
    connection.say({ type: 'kept', request: second.request, room: 7, events: [] })
    expect(await latest).toEqual([])
    const events = [kept(8, 90, 'Grace'), kept(9, 11)]
    connection.say({ type: 'kept', request: first.request, room: 7, events })
    expect(await before).toEqual([
      {
        id: { epoch: 8, number: 90 },
        user: { id: 'g', info: { name: 'Grace' } },
        name: 'wave',
        data: { number: 90 },
        time: 5,
      },
      { id: { epoch: 9, number: 11 }, user: { id: 'g', info: {} }, name: 'wave', data: { number: 11 }, time: 5 },
    ])
  })

  it('have the ids under which they were told', async () => {
    const told: unknown[] = []
    room.subscribe('event', ({ id }) => told.push(id))
    const nothing = { leaves: [], joins: [], presence: [], statuses: [] }
    connection.say({ type: 'diff', room: 7, tick: 11, ...nothing, events: [event(1), event(2)] })
    const { number: _, ...direct } = event(0)
    connection.say({ type: 'direct', room: 7, ...direct })
    const id = (number: number) => ({ epoch: EPOCH, number })
    expect(told).toEqual([id(1), id(2), null])
    const past = room.history({ of: 'events' })
    const { request } = connection.take('kept')
    connection.say({ type: 'kept', request, room: 7, events: [kept(EPOCH, 1), kept(EPOCH, 2)] })
    expect((await past).map(({ id }) => id)).toEqual([id(1), id(2)])
  })

  it('are refused to their asker', async () => {
    const errors: unknown[] = []
    room.subscribe('error', (error) => errors.push(error))
    const past = room.history({ of: 'events' })
    const { request } = connection.take('kept')
    connection.say({ type: 'kept', request, room: 7, events: [], code: 5, retryAfterMs: 40 })
    await expect(past).rejects.toMatchObject({
      type: 'room',
      code: 'rate_limited',
      retryAfterMs: 40,
      context: { room: 'default:lobby' },
    })
    expect(errors).toEqual([])
  })

  it.each([
    ['the connection is lost', () => connection.die()],
    ['the room is left', () => leave()],
    ['the server ends the membership', () => connection.say({ type: 'left', room: 7, reason: 10 })],
  ])('are unavailable when %s', async (_, end) => {
    const past = room.history({ of: 'events' })
    end()
    await expect(past).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    await expect(room.history({ of: 'events' })).rejects.toMatchObject({ code: 'not_connected', retryable: true })
  })

  it('that come too late are those of nobody', async () => {
    const past = room.history({ of: 'events' })
    const { request } = connection.take('kept')
    connection.die()
    await expect(past).rejects.toMatchObject({ code: 'unavailable' })
    await pass(250)
    server.newest.welcome(7)
    const again = room.history({ of: 'events' })
    const asked = server.newest.take('kept').request
    server.newest.say({ type: 'kept', request: request + 100, room: 7, events: [kept(1, 1)] })
    server.newest.say({ type: 'kept', request: asked, room: 9, events: [kept(1, 1)] })
    server.newest.say({ type: 'kept', request: asked, room: 7, events: [] })
    expect(await again).toEqual([])
  })
})
