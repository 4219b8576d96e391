// What a room says of the part of it that a page shows, and of whom the page follows.

import { beforeEach, expect, it } from 'vitest'
import { createClient, type Client } from './client.ts'
import type { Room } from './room.ts'
import { OPEN } from './testing/frames.ts'
import { type FakeConnection, FakeServer } from './testing/server.ts'
import { pass, stopTime } from './testing/time.ts'
import type { MemberMessage } from './wire/control.ts'

const GRACE: MemberMessage = { slot: 1, generation: 5, user: { id: 'g' }, presence: {}, status: 0 }
const GRACE_ID = 5 * 4096 + 1

const here = { left: -1.5, top: 0, right: 99.2, bottom: Infinity }
const hereInSteps = { left: -2, top: 0, right: 100, bottom: 2 ** 30 - 1 }

let server: FakeServer
let client: Client
let room: Room
let connection: FakeConnection

stopTime()

beforeEach(async () => {
  server = new FakeServer()
  client = createClient({ connect: server.connect })
  ;({ room } = client.enterRoom('default:lobby'))
  await pass()
  connection = server.newest
  connection.welcome(7, [GRACE])
})

/** Says a diff of the room. */
function diff(changes: object): void {
  const nothing = { leaves: [], joins: [], presence: [], statuses: [], events: [] }
  connection.say({ type: 'diff', room: 7, tick: 11, ...nothing, ...changes })
}

/** What was said of viewports, all taken. */
function viewports(at: FakeConnection = connection): object[] {
  const said = at.control.filter(({ type }) => type === 'viewport')
  return said.map(() => at.take('viewport'))
}

/** The connection dies, and the room is entered anew, maybe in another epoch. */
async function enterAnew(others: MemberMessage[], epoch: number): Promise<FakeConnection> {
  connection.die()
  await pass(500)
  const next = server.newest
  next.say({ type: 'welcome', version: 1, user: { id: 'me' }, time: 1, resumed: false })
  next.admit(9, others, { epoch })
  return next
}

it('M13: is said in whole steps, no smaller than it is', () => {
  room.setViewport(here)
  expect(viewports()).toEqual([{ type: 'viewport', room: 7, viewport: hereInSteps }])
})

it('M13: is in the units of its axes', () => {
  const { room } = client.enterRoom('default:other')
  const axes = [
    { ...OPEN, step: 0.5 },
    { ...OPEN, step: 4 },
  ]
  connection.admit(8, [], { motion: { hz: 20, axes } })
  room.setViewport({ left: 1, top: 1, right: 2, bottom: 9 })
  const inSteps = { left: 2, top: 0, right: 4, bottom: 3 }
  expect(viewports()).toEqual([{ type: 'viewport', room: 8, viewport: inSteps }])
})

it('M13: goes out ten times in a second at most, and ends with the newest', async () => {
  for (let left = 0; left < 50; left++) {
    room.setViewport({ ...here, left })
    await pass(10)
  }
  await pass(100)
  const said = viewports() as { viewport: { left: number } }[]
  expect(said.map(({ viewport }) => viewport.left)).toEqual([0, 9, 19, 29, 39, 49])
})

it('M13: has one more member, until that leaves', async () => {
  room.follow(GRACE_ID)
  room.setViewport(here)
  await pass(100)
  diff({ leaves: [1] })
  await pass(100)
  diff({ joins: [{ ...GRACE, generation: 6 }] })
  await pass(100)
  expect(viewports()).toEqual([
    { type: 'viewport', room: 7, follow: 1 },
    { type: 'viewport', room: 7, viewport: hereInSteps, follow: 1 },
    { type: 'viewport', room: 7, viewport: hereInSteps },
  ])
})

it('M13: without either is everything again', async () => {
  room.setViewport(here)
  room.setViewport(null)
  room.follow(GRACE_ID)
  room.follow(null)
  await pass(100)
  expect(viewports()).toEqual([
    { type: 'viewport', room: 7, viewport: hereInSteps },
    { type: 'viewport', room: 7 },
  ])
})

it('M13: holds over a reconnect, with the member if it is there, as it was when it was said', async () => {
  const mine = { ...here }
  room.setViewport(mine)
  room.follow(GRACE_ID)
  mine.left = 7
  expect(viewports(await enterAnew([GRACE], 1025))).toEqual([
    { type: 'viewport', room: 9, viewport: hereInSteps, follow: 1 },
  ])
})

it('S5: has the same member in another epoch, and nobody if the slot and generation are of another user', async () => {
  room.follow(GRACE_ID)
  connection = await enterAnew([GRACE], 1026)
  expect(viewports(connection)).toMatchObject([{ follow: 1 }])
  expect(viewports(await enterAnew([{ ...GRACE, user: { id: 'e' } }], 1027))).toEqual([])
})

it('M13: has nobody any more when the member has left meanwhile', async () => {
  room.follow(GRACE_ID)
  expect(viewports(await enterAnew([], 1025))).toEqual([])
})

it('M13: set before the room is entered goes after the join, and none says nothing', async () => {
  const { room } = client.enterRoom('default:other')
  room.setViewport(here)
  room.follow(GRACE_ID)
  client.enterRoom('default:third')
  connection.admit(8, [GRACE])
  connection.admit(9, [GRACE])
  expect(viewports()).toEqual([{ type: 'viewport', room: 8, viewport: hereInSteps, follow: 1 }])
})
