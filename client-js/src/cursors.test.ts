import { beforeEach, describe, expect, it, vi } from 'vitest'
import { type Client, createClient } from './client.ts'
import type { Room } from './room.ts'
import { type PartToPut, putFrame } from './testing/frames.ts'
import { type FakeConnection, FakeServer } from './testing/server.ts'
import { pass, stopTime } from './testing/time.ts'
import { Writer } from './wire/bytes.ts'
import type { MemberMessage } from './wire/control.ts'

const GRACE: MemberMessage = { slot: 1, generation: 259, user: { id: 'g' }, presence: {}, status: 0 }
const GRACE_ID = 259 * 4096 + 1

let connection: FakeConnection
let server: FakeServer
let client: Client
let room: Room
let leave: () => void

stopTime()

beforeEach(async () => {
  server = new FakeServer()
  client = createClient({ connect: server.connect })
  ;({ room, leave } = client.enterRoom('default:lobby'))
  await pass()
  connection = server.newest
  connection.welcome(7, [GRACE])
})

/** Sends a frame of room 7 with one part. */
function show(tick: number, entries: PartToPut['entries'], baseline = 0, at: FakeConnection = connection): void {
  const writer = new Writer()
  putFrame(writer, 7, 1025, tick, [{ index: 0, baseline, entries }])
  at.sendDatagram(writer.take())
}

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('hex')
}

describe("one's own cursor", () => {
  it('M8, M10: goes out at once, then once in a tick, always the newest', async () => {
    room.cursors.set({ x: 1, y: -1 })
    expect(connection.datagrams.map(hex)).toEqual(['0207010201'])
    for (let x = 2; x < 12; x++) {
      room.cursors.set({ x, y: 0 })
      await pass(2)
    }
    expect(connection.datagrams).toHaveLength(1)
    await pass(30)
    expect(hex(connection.datagrams[1])).toBe('0207021600')
  })

  it('M10: is repeated at rest until a frame shows it', async () => {
    room.cursors.set({ x: 5, y: 5 })
    await pass(100)
    const repeats = connection.datagrams.length
    expect(repeats).toBe(5)
    show(11, [{ slot: 0, generation: 3, values: [5, 5] }])
    await pass(1_000)
    expect(connection.datagrams.map(hex).slice(repeats)).toEqual(['03070b01'])
  })

  it('M2: is cut to the range of an axis', () => {
    room.cursors.set({ x: 1e12, y: NaN })
    expect(hex(connection.datagrams[0])).toBe('020701feffffff0700')
  })

  it('set before the room is entered is sent when it is, and again after a reconnect', async () => {
    room.cursors.set({ x: 3, y: 4 })
    connection.die()
    room.cursors.set({ x: 6, y: 4 })
    await pass(250)
    server.newest.welcome(9, [GRACE])
    expect(hex(server.newest.datagrams[0])).toBe('0209010c08')
  })

  it('its age is the time until it comes back', async () => {
    room.cursors.set({ x: 5, y: 5 })
    await pass(40)
    show(11, [{ slot: 0, generation: 3, values: [5, 5] }])
    expect(room.getStats()).toMatchObject({ cursorAgeMs: 40, cursorAges: 1 })
  })
})

describe("others' cursors", () => {
  it('M5, M7: follow the frames, and each frame is acked at once', () => {
    const seen: number[][] = []
    room.cursors.subscribe(({ connectionId, x, y }) => seen.push([connectionId, x, y]))
    show(11, [{ slot: 1, generation: 3, values: [100, 50] }])
    show(12, [{ slot: 1, values: [5, -5] }], 11)
    show(14, [{ slot: 1, values: [1, 1] }], 13)
    expect(seen).toEqual([
      [GRACE_ID, 100, 50],
      [GRACE_ID, 105, 45],
    ])
    expect(connection.datagrams.map(hex)).toEqual(['03070b01', '03070c01'])
    expect(room.cursors.get(GRACE_ID)).toMatchObject({ x: 105, y: 45 })
    expect(room.getStats()).toMatchObject({ datagramsIn: 3, cursorsIn: 2, motionUnusable: 1 })
  })

  it('M6: of a member that the roster does not have yet are kept until it does', () => {
    show(11, [{ slot: 2, generation: 8, values: [1, 2] }])
    const late = { ...GRACE, slot: 2, generation: 8 }
    const diff = { leaves: [], presence: [], statuses: [], events: [] }
    connection.say({ type: 'diff', room: 7, tick: 11, ...diff, joins: [late] })
    expect(room.cursors.get(8 * 4096 + 2)).toMatchObject({ x: 1, y: 2 })
  })

  it('M6: of an earlier holder of a slot are not shown', () => {
    show(11, [{ slot: 1, generation: 2, values: [1, 2] }])
    expect(room.cursors.get(GRACE_ID)).toBeUndefined()
  })

  it('go with their member', () => {
    show(11, [{ slot: 1, generation: 3, values: [1, 2] }])
    const diff = { joins: [], presence: [], statuses: [], events: [] }
    connection.say({ type: 'diff', room: 7, tick: 12, ...diff, leaves: [1] })
    let count = 0
    room.cursors.forEach(() => count++)
    expect(count).toBe(0)
  })

  it('M1: malformed datagrams are dropped and counted', () => {
    for (const bytes of [[9], [1], [1, 8, 1, 11, 0], [1, 7, 1, 11, 1, 0, 0]]) {
      connection.sendDatagram(new Uint8Array(bytes))
    }
    expect([room.getStats().motionUnusable, connection.datagrams.length, connection.closed]).toEqual([4, 0, undefined])
  })

  it('a listener that throws stops neither the others nor the frame', async () => {
    const thrown: unknown[] = []
    const seen: number[] = []
    vi.stubGlobal('queueMicrotask', (task: () => void) => {
      try {
        task()
      } catch (error) {
        thrown.push(error)
      }
    })
    room.cursors.subscribe(() => {
      throw new Error('mine')
    })
    room.cursors.subscribe(({ x }) => seen.push(x))
    show(11, [{ slot: 1, generation: 3, values: [1, 2] }])
    vi.unstubAllGlobals()
    expect([seen, thrown, connection.datagrams.length]).toEqual([[1], [new Error('mine')], 1])
  })

  it('are visited one by one, and nothing else is handed over', () => {
    show(11, [{ slot: 1, generation: 3, values: [1, 2] }])
    const visits: unknown[][] = []
    room.cursors.forEach((...values: unknown[]) => visits.push(values))
    expect(visits).toEqual([[room.cursors.get(GRACE_ID)]])
  })

  it('are all new after a reconnect', async () => {
    show(11, [{ slot: 1, generation: 3, values: [1, 2] }])
    connection.die()
    expect(room.cursors.get(GRACE_ID)).toMatchObject({ x: 1, y: 2 })
    await pass(250)
    server.newest.welcome(7, [GRACE])
    expect(room.cursors.get(GRACE_ID)).toBeUndefined()
  })

  it('of a room that was left are told no more, within a frame, too', () => {
    client.enterRoom('default:keep')
    connection.admit(9, [GRACE])
    const late = { ...GRACE, slot: 2, generation: 8 }
    const nothing = { leaves: [], presence: [], statuses: [], events: [] }
    connection.say({ type: 'diff', room: 7, tick: 11, ...nothing, joins: [late] })
    const seen: number[] = []
    room.cursors.subscribe(({ x }) => {
      seen.push(x)
      leave()
    })
    show(11, [
      { slot: 1, generation: 3, values: [1, 2] },
      { slot: 2, generation: 8, values: [3, 4] },
    ])
    show(12, [{ slot: 1, generation: 3, values: [5, 6] }])
    expect(seen).toEqual([1])
  })
})

describe('the axes of a room', () => {
  /** Enters another room, with this motion; the cursor there goes out, and Grace's comes in. */
  function axes(count: number, step: number, values: number[]): { sent: string; cursor: object | undefined } {
    const { room } = client.enterRoom('default:other')
    connection.admit(8, [GRACE], { motion: { hz: 20, axes: count, step } })
    room.cursors.set({ x: 3, y: -2, z: 1.5, w: 1 })
    const sent = hex(connection.datagrams.at(-1))
    const writer = new Writer()
    putFrame(writer, 8, 1025, 11, [{ index: 0, baseline: 0, entries: [{ slot: 1, generation: 3, values }] }])
    connection.sendDatagram(writer.take())
    return { sent, cursor: room.cursors.get(GRACE_ID) }
  }

  it.each([
    [1, { x: 2.5, y: 0, z: 0, w: 0 }],
    [2, { x: 2.5, y: 3.5, z: 0, w: 0 }],
    [3, { x: 2.5, y: 3.5, z: -4.5, w: 0 }],
    [4, { x: 2.5, y: 3.5, z: -4.5, w: 0.5 }],
  ])('M2, M8: are %i, and the others count for nothing and are 0', (count, shown) => {
    const { sent, cursor } = axes(count, 0.5, [5, 7, -9, 1].slice(0, count))
    // x 6, y -4, z 3 and w 2 in steps of 0.5.
    expect(sent).toBe(`020801${['0c', '07', '06', '04'].slice(0, count).join('')}`)
    expect(cursor).toMatchObject(shown)
  })

  it('M2: of a coarse step round what goes out to it', () => {
    const { sent, cursor } = axes(2, 4, [5, 7])
    expect([sent, cursor]).toMatchObject(['0208010200', { x: 20, y: 28 }])
  })

  it('M6: that it does not have are 0 for a member whose frame came before it, though the own cursor has them', () => {
    show(11, [{ slot: 2, generation: 8, values: [1, 2] }])
    room.cursors.set({ x: 5, y: 5, z: 77, w: 78 })
    const nothing = { leaves: [], presence: [], statuses: [], events: [] }
    const late = { ...GRACE, slot: 2, generation: 8 }
    connection.say({ type: 'diff', room: 7, tick: 11, ...nothing, joins: [late] })
    expect(room.cursors.get(8 * 4096 + 2)).toMatchObject({ x: 1, y: 2, z: 0, w: 0 })
  })
})
