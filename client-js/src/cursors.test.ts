import { beforeEach, describe, expect, it, vi } from 'vitest'
import { type Client, createClient } from './client.ts'
import type { Room } from './room.ts'
import { OPEN, openAxes, type PartToPut, putFrame } from './testing/frames.ts'
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
function show(tick: number, entries: PartToPut['entries'], against: Partial<PartToPut> = {}): void {
  const writer = new Writer()
  putFrame(writer, 7, 1025, tick, [{ index: 0, entries, ...against }])
  connection.sendDatagram(writer.take())
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
    show(11, [{ slot: 0, generation: 3, position: [5, 5] }])
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
    show(11, [{ slot: 0, generation: 3, position: [5, 5] }])
    expect(room.getStats()).toMatchObject({ cursorAgeMs: 40, cursorAges: 1 })
  })
})

describe("others' cursors", () => {
  it('M5, M7: follow the frames, and each frame is acked within 24 ms', async () => {
    const seen: number[][] = []
    room.cursors.subscribe(({ connectionId, x, y }) => seen.push([connectionId, x, y]))
    const known = [{ slot: 1, generation: 3, position: [100, 50] }]
    show(11, known)
    show(12, [{ slot: 1, generation: 3, position: [105, 45] }], { baseline: 11, known })
    show(14, [{ slot: 1, generation: 3, position: [106, 46] }], { baseline: 13, known })
    expect(seen).toEqual([
      [GRACE_ID, 100, 50],
      [GRACE_ID, 105, 45],
    ])
    await pass(24)
    expect(connection.datagrams.map(hex)).toEqual(['03070b0103070c01'])
    expect(room.cursors.get(GRACE_ID)).toMatchObject({ x: 105, y: 45 })
    expect(room.getStats()).toMatchObject({ datagramsIn: 3, cursorsIn: 2, motionUnusable: 1 })
  })

  it('M16: are not shown where they were long ago, once a page wakes up', async () => {
    const seen: number[] = []
    room.cursors.subscribe(({ x }) => seen.push(x))
    const at = (x: number): PartToPut['entries'] => [{ slot: 1, generation: 3, position: [x, 0] }]
    show(11, at(1))
    await pass(600)
    for (let tick = 12; tick <= 16; tick++) show(tick, at(tick))
    expect(seen, 'tick 16 is 350 ms old').toEqual([1])
    expect(room.cursors.get(GRACE_ID)?.x).toBe(1)
    show(17, at(17))
    show(18, at(18))
    expect(seen).toEqual([1, 17, 18])
  })

  it('M16: rest where they are, when an older frame was the last to come before they are shown', async () => {
    const at = (x: number): PartToPut['entries'] => [{ slot: 1, generation: 3, position: [x, 0] }]
    show(11, at(1))
    await pass(600)
    show(12, at(12))
    show(11, at(1))
    await pass(499)
    expect(room.cursors.get(GRACE_ID)?.x).toBe(1)
    await pass(1)
    expect([room.cursors.get(GRACE_ID)?.x, room.cursors.sample(GRACE_ID)?.x]).toEqual([12, 12])
  })

  it('M6: of a member that the roster does not have yet are kept until it does', () => {
    show(11, [{ slot: 2, generation: 8, position: [1, 2] }])
    const late = { ...GRACE, slot: 2, generation: 8 }
    const diff = { leaves: [], presence: [], statuses: [], events: [] }
    connection.say({ type: 'diff', room: 7, tick: 11, ...diff, joins: [late] })
    expect(room.cursors.get(8 * 4096 + 2)).toMatchObject({ x: 1, y: 2 })
  })

  it('M6: of an earlier holder of a slot are not shown', () => {
    show(11, [{ slot: 1, generation: 2, position: [1, 2] }])
    expect(room.cursors.get(GRACE_ID)).toBeUndefined()
  })

  it('go with their member', () => {
    const gone: number[] = []
    room.cursors.subscribe(
      () => {},
      (id) => gone.push(id),
    )
    show(11, [{ slot: 1, generation: 3, position: [1, 2] }])
    const diff = { joins: [], presence: [], statuses: [], events: [] }
    connection.say({ type: 'diff', room: 7, tick: 12, ...diff, leaves: [1] })
    let count = 0
    room.cursors.forEach(() => count++)
    expect([count, gone]).toEqual([0, [GRACE_ID]])
    // That it vanishes from the frames, too, is no news.
    show(13, [])
    expect(gone).toEqual([GRACE_ID])
  })

  it('M6, M13: go when they vanish, and come back when they appear', () => {
    const told: unknown[] = []
    const end = room.cursors.subscribe(
      ({ x }) => told.push(x),
      (id) => told.push(`gone ${id}`),
    )
    const known = [{ slot: 1, generation: 3, position: [1, 2] }]
    show(11, known)
    show(12, [{ slot: 1, generation: 3 }], { baseline: 11, known })
    expect(room.cursors.get(GRACE_ID)).toBeUndefined()
    expect(room.getOthers()).toHaveLength(1)
    show(13, [{ slot: 1, generation: 3, position: [3, 4] }], { baseline: 12 })
    expect(room.cursors.get(GRACE_ID)).toMatchObject({ x: 3, y: 4 })
    expect(told).toEqual([1, `gone ${GRACE_ID}`, 3])
    expect(room.getStats().cursorsIn).toBe(2)
    end()
    show(14, [])
    expect(told).toHaveLength(3)
  })

  it("the own slot's end in a frame is nobody's affair", () => {
    show(11, [{ slot: 0, generation: 3, position: [1, 2] }])
    const gone: number[] = []
    room.cursors.subscribe(
      () => {},
      (id) => gone.push(id),
    )
    show(12, [])
    expect(gone).toEqual([])
  })

  it('M1: malformed datagrams are dropped and counted', () => {
    // Nothing, an unknown kind, half a header, another room, and a first part that is beyond the last of a room.
    for (const bytes of [[], [9], [1], [1, 8, 1, 11, 0], [1, 7, 1, 11, 0]]) {
      connection.sendDatagram(new Uint8Array(bytes))
    }
    expect([room.getStats().motionUnusable, connection.datagrams.length, connection.closed]).toEqual([5, 0, undefined])
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
    show(11, [{ slot: 1, generation: 3, position: [1, 2] }])
    vi.unstubAllGlobals()
    await pass(24)
    expect([seen, thrown, connection.datagrams.length]).toEqual([[1], [new Error('mine')], 1])
  })

  it('are visited one by one, and nothing else is handed over', () => {
    show(11, [{ slot: 1, generation: 3, position: [1, 2] }])
    const visits: unknown[][] = []
    room.cursors.forEach((...values: unknown[]) => visits.push(values))
    expect(visits).toEqual([[room.cursors.get(GRACE_ID)]])
  })

  it('S4: stay over a reconnect whose member is there still, until a frame says otherwise', async () => {
    const late = { ...GRACE, slot: 2, generation: 8 }
    const nothing = { leaves: [], presence: [], statuses: [], events: [] }
    connection.say({ type: 'diff', room: 7, tick: 11, ...nothing, joins: [late] })
    show(11, [
      { slot: 1, generation: 3, position: [1, 2] },
      { slot: 2, generation: 8, position: [3, 4] },
    ])
    connection.die()
    expect(room.cursors.get(GRACE_ID)).toMatchObject({ x: 1, y: 2 })
    const gone: number[] = []
    room.cursors.subscribe(
      () => {},
      (id) => gone.push(id),
    )
    await pass(250)
    server.newest.welcome(7, [GRACE])
    expect(gone).toEqual([8 * 4_096 + 2])
    await pass(500)
    for (const cursor of [room.cursors.get(GRACE_ID), room.cursors.sample(GRACE_ID)]) {
      expect(cursor).toMatchObject({ x: 1, y: 2 })
    }
    connection = server.newest
    show(11, [{ slot: 1, generation: 3, position: [7, 8] }])
    await pass(500)
    for (const cursor of [room.cursors.get(GRACE_ID), room.cursors.sample(GRACE_ID)]) {
      expect(cursor).toMatchObject({ x: 7, y: 8 })
    }
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
      { slot: 1, generation: 3, position: [1, 2] },
      { slot: 2, generation: 8, position: [3, 4] },
    ])
    show(12, [{ slot: 1, generation: 3, position: [5, 6] }])
    expect(seen).toEqual([1])
  })

  it('of a room that was left are gone, and nothing is drawn of them any more', async () => {
    const gone: number[] = []
    const pictures: number[] = []
    room.cursors.subscribe(
      () => {},
      (id) => gone.push(id),
    )
    room.cursors.onFrame((time) => pictures.push(time))
    show(11, [{ slot: 1, generation: 3, position: [1, 2] }])
    await pass(16)
    leave()
    await pass()
    let count = 0
    room.cursors.forEach(() => count++)
    expect([gone, count]).toEqual([[GRACE_ID], 0])
    expect([room.cursors.get(GRACE_ID), room.cursors.sample(GRACE_ID)]).toEqual([undefined, undefined])
    await pass(100)
    expect(pictures).toHaveLength(1)
  })

  it('M16: that were held back are the last of what is told of a room that is left then', async () => {
    client.enterRoom('default:keep')
    connection.admit(9, [GRACE])
    show(11, [])
    await pass(600)
    show(12, [{ slot: 1, generation: 3, position: [1, 2] }])
    await pass(450)
    room.updatePresence({ hue: 1 })
    room.updatePresence({ hue: 2 })
    room.cursors.subscribe(() => leave())
    await pass(50)
    const said = connection.control.map(({ type }) => type)
    expect(said.filter((type) => type !== 'ping')).toEqual(['presence', 'presence', 'leave'])
  })
})

describe('the axes of a room', () => {
  /** Enters another room, with this motion; the cursor there goes out, and Grace's comes in. */
  function axes(count: number, step: number, values: number[]): { sent: string; cursor: object | undefined } {
    const { room } = client.enterRoom('default:other')
    connection.admit(8, [GRACE], { motion: { hz: 20, axes: openAxes(count).map((axis) => ({ ...axis, step })) } })
    room.cursors.set({ x: 3, y: -2, z: 1.5, w: 1 })
    const sent = hex(connection.datagrams.at(-1))
    const writer = new Writer()
    const entries = [{ slot: 1, generation: 3, position: values }]
    putFrame(writer, 8, 1025, 11, [{ index: 0, entries }], openAxes(count))
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

  it('M2: have ranges, into which the own cursor is brought, and each its own step', () => {
    const { room } = client.enterRoom('default:other')
    const yaw = { step: 0.5, min: 0, max: 719, wraps: true }
    connection.admit(8, [GRACE], { motion: { hz: 20, axes: [{ ...OPEN, min: -3, max: 3 }, yaw] } })
    room.cursors.set({ x: 9, y: -1 })
    // x 3, and y 718 half degrees.
    expect(hex(connection.datagrams.at(-1))).toBe('020801069c0b')
  })

  it('M6: that it does not have are 0 for a member whose frame came before it, though the own cursor has them', () => {
    show(11, [{ slot: 2, generation: 8, position: [1, 2] }])
    room.cursors.set({ x: 5, y: 5, z: 77, w: 78 })
    const nothing = { leaves: [], presence: [], statuses: [], events: [] }
    const late = { ...GRACE, slot: 2, generation: 8 }
    connection.say({ type: 'diff', room: 7, tick: 11, ...nothing, joins: [late] })
    expect(room.cursors.get(8 * 4096 + 2)).toMatchObject({ x: 1, y: 2, z: 0, w: 0 })
  })
})
