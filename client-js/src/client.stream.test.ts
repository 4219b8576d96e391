// A client whose motion goes over the control lane, apart from those with datagrams.

import { beforeEach, expect, it } from 'vitest'
import { type ClientOptions, createClient } from './client.ts'
import type { Room } from './room.ts'
import { putFrame } from './testing/frames.ts'
import { FakeServer } from './testing/server.ts'
import { pass, stopTime } from './testing/time.ts'
import { Writer } from './wire/bytes.ts'

const GRACE = { slot: 1, generation: 3, user: { id: 'g' }, presence: {}, status: 0 }

let server: FakeServer

stopTime()

beforeEach(() => {
  server = new FakeServer()
})

function enter(options: ClientOptions): { room: Room } {
  return createClient({ connect: server.connect, ...options }).enterRoom('default:lobby')
}

function frame(tick: number, x: number): Uint8Array {
  const writer = new Writer()
  putFrame(writer, 7, 1025, tick, [{ index: 0, entries: [{ slot: 1, generation: 3, position: [x, 2] }] }])
  return writer.take()
}

it('M15: is asked for in hello, and comes and goes on the control lane', async () => {
  const { room } = enter({ motion: 'stream' })
  await pass()
  const connection = server.newest
  expect(connection.control[0]).toMatchObject({ type: 'hello', reliableMotion: true })
  connection.welcome(7, [GRACE])
  room.cursors.set({ x: 1, y: -1 })
  connection.say({ type: 'motion', datagram: frame(11, 5) })
  expect(room.cursors.get(3 * 4096 + 1)).toMatchObject({ x: 5, y: 2 })
  await pass(24)
  const said = [connection.take('motion'), connection.take('motion')].map(({ datagram }) => [...datagram])
  expect(said).toEqual([
    [2, 7, 1, 2, 1],
    [3, 7, 11, 1],
  ])
  expect(connection.datagrams).toEqual([])
  expect(room.getStats()).toMatchObject({ datagramsIn: 0, datagramsOut: 0, cursorsIn: 1 })
})

it('M1: that is malformed is dropped and counted, like a datagram', async () => {
  const { room } = enter({ motion: 'stream' })
  await pass()
  server.newest.welcome(7, [GRACE])
  server.newest.say({ type: 'motion', datagram: Uint8Array.of(9) })
  expect([room.getStats().motionUnusable, room.getStatus()]).toEqual([1, 'connected'])
})

it('M15: is not asked for by default', async () => {
  enter({})
  await pass()
  expect(server.newest.control[0]).toMatchObject({ type: 'hello', reliableMotion: false })
})
