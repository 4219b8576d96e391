// What a page draws of the others' cursors, and when it is asked to.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { RoomCursors } from './cursors.ts'
import type { Axis } from './motion/axes.ts'
import { PlayClock } from './motion/playback.ts'
import type { Membership } from './session/membership.ts'
import { pass, stopTime } from './testing/time.ts'

const AXIS: Axis = { step: 0.5, min: -(2 ** 30), max: 2 ** 30 - 1, wraps: false }
const AXES = [AXIS, AXIS]
const HZ = 20
const TICK = 50
const ADA = 1
const GRACE = 2

stopTime()

function membership(clock: PlayClock): Membership {
  return { clock, view: { axes: AXES } } as unknown as Membership
}

/** A room of 20 ticks a second, over a network that takes no time. */
class Room {
  readonly cursors = new RoomCursors(() => {})
  readonly #clock = new PlayClock(HZ)

  constructor() {
    this.cursors.handleMembership(membership(this.#clock))
  }

  /** A frame of a tick shows where members are, in steps. */
  show(tick: number, places: Record<number, [x: number, y: number]>): void {
    this.#clock.handleFrame(performance.now(), tick)
    for (const [slot, place] of Object.entries(places)) {
      this.cursors.handleMotion({ slot: Number(slot), generation: 0 }, tick, Int32Array.from(place), AXES)
    }
  }
}

describe('sample', () => {
  it('is on the way between the positions that have come, in units, and comes to rest at the last', async () => {
    const room = new Room()
    const seen: number[] = []
    for (const x of [0, 20, 40, 60]) {
      room.show(100 + x / 20, { [ADA]: [x, -x] })
      for (let i = 0; i < 2; i++) {
        const { connectionId, x, y, z, w } = room.cursors.sample(ADA)!
        expect([connectionId, x + y, z, w]).toEqual([ADA, 0, 0, 0])
        seen.push(x)
        await pass(TICK / 2)
      }
    }
    expect(seen).toEqual([0, 0, 0, 0, 3.75, 10, 15, 20])
    await pass(4 * TICK)
    expect(room.cursors.sample(ADA)).toMatchObject({ x: 30, y: -30, time: performance.now() })
  })

  it('is one object for each member, apart from the newest position', () => {
    const room = new Room()
    room.show(100, { [ADA]: [0, 0], [GRACE]: [8, 8] })
    const sampled = room.cursors.sample(ADA)
    expect(room.cursors.sample(GRACE)).not.toBe(sampled)
    room.show(101, { [ADA]: [10, 10] })
    expect(room.cursors.sample(ADA, performance.now())).toBe(sampled)
    expect(sampled).toMatchObject({ x: 0, y: 0 })
    expect(room.cursors.get(ADA)).toMatchObject({ x: 5, y: 5 })
  })

  it('is nothing for who has not moved, or is gone, and stays over another membership', () => {
    const room = new Room()
    expect(room.cursors.sample(ADA)).toBeUndefined()
    room.show(100, { [ADA]: [0, 0], [GRACE]: [8, 8] })
    room.cursors.handleLeave(ADA)
    expect(room.cursors.sample(ADA)).toBeUndefined()
    room.cursors.handleMembership(undefined)
    expect(room.cursors.sample(GRACE)).toMatchObject({ x: 4, y: 4 })
    room.cursors.handleMembership(membership(new PlayClock(HZ)))
    expect(room.cursors.sample(GRACE)).toMatchObject({ x: 4, y: 4 })
  })
})

describe('onFrame', () => {
  let requested: ((time: number) => void)[]

  beforeEach(() => {
    requested = []
    vi.stubGlobal('requestAnimationFrame', (callback: (time: number) => void) => requested.push(callback))
  })

  afterEach(() => {
    vi.unstubAllGlobals()
  })

  /** The screen shows a picture; returns whether it was asked to. */
  function picture(): boolean {
    const callbacks = requested
    requested = []
    expect(callbacks.length).toBeLessThanOrEqual(1)
    for (const callback of callbacks) callback(performance.now())
    return callbacks.length > 0
  }

  it('is called once at first, then for as long as something moves, and for all rooms at once', async () => {
    const rooms = [new Room(), new Room()]
    const seen: [room: number, x: number | undefined, time: number][] = []
    rooms.forEach(({ cursors }, index) =>
      cursors.onFrame((time) => seen.push([index, cursors.sample(ADA, time)?.x, time])),
    )
    expect(picture()).toBe(true)
    expect(seen.map(([room]) => room)).toEqual([0, 1])
    expect(picture()).toBe(false)

    rooms[1]!.show(100, { [ADA]: [0, 0] })
    rooms[1]!.show(101, { [ADA]: [10, 0] })
    seen.length = 0
    let pictures = 0
    while (pictures < 100 && picture()) {
      pictures++
      await pass(10)
    }
    // Until two ticks behind the last point, which was a tick and a half away, and the picture that shows the rest.
    expect(pictures).toBe(19)
    expect(new Set(seen.map(([room]) => room))).toEqual(new Set([1]))
    expect(seen.at(-1)).toEqual([1, 5, performance.now() - 10])
    expect(picture()).toBe(false)
  })

  it('is called when a member is gone, and no more when nobody listens', () => {
    const room = new Room()
    const listener = vi.fn()
    room.show(100, { [ADA]: [0, 0] })
    vi.advanceTimersByTime(1_000)
    const end = room.cursors.onFrame(listener)
    expect([picture(), picture()]).toEqual([true, false])
    room.cursors.handleLeave(ADA)
    expect([picture(), picture(), listener.mock.calls.length]).toEqual([true, false, 2])
    end()
    room.show(101, { [ADA]: [1, 1] })
    expect(picture()).toBe(false)
  })

  it('asks for no frames while nobody listens', () => {
    const room = new Room()
    room.show(100, { [ADA]: [0, 0] })
    expect(picture()).toBe(false)
  })

  it('has a timer where there are no animation frames', async () => {
    vi.stubGlobal('requestAnimationFrame', undefined)
    const times: number[] = []
    new Room().cursors.onFrame((time) => times.push(time))
    const before = performance.now()
    await pass(100)
    expect(times).toEqual([before + 16])
  })
})
