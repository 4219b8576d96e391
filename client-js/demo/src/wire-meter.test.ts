// The meter: counters that grow become figures of the last second.

import type { Cursor, Room, RoomStats } from '@hither/client'
import { describe, expect, it } from 'vitest'
import { Meter } from './wire-meter.ts'

const NONE: RoomStats = {
  transport: 'webtransport',
  transportReason: null,
  rttMs: 1,
  tickHz: 30,
  datagramsIn: 0,
  datagramsOut: 0,
  datagramBytesIn: 0,
  datagramBytesOut: 0,
  streamBytesIn: 0,
  streamBytesOut: 0,
  cursorsIn: 0,
  motionUnusable: 0,
  cursorAgeMs: null,
  cursorAges: 0,
  editQueue: 'memory',
}

/** A room that does nothing but tell of moves. */
function movingRoom(): { room: Room; move: () => void } {
  let listener: (cursor: Cursor) => void = () => {}
  const subscribe = (added: typeof listener): (() => void) => {
    listener = added
    return () => {}
  }
  const cursor = { connectionId: 5, x: 300, y: 300, z: 0, w: 0, time: 0 }
  return { room: { cursors: { subscribe } } as unknown as Room, move: () => listener(cursor) }
}

describe('the meter', () => {
  it('has no bytes for a cursor while nobody moves', () => {
    const meter = new Meter(movingRoom().room)
    meter.sample(0, NONE)
    const rates = meter.sample(100, { ...NONE, datagramsIn: 1, datagramBytesIn: 12 })
    expect(rates).toMatchObject({ bytesPerCursor: null, mapBytesPerCursor: null, datagramsIn: 10 })
  })

  it('divides the bytes of the last second by its moves', () => {
    const { room, move } = movingRoom()
    const meter = new Meter(room)
    let rates
    for (let tenth = 0; tenth <= 30; tenth++) {
      move()
      const isLate = tenth > 20
      const stats = { ...NONE, datagramsIn: tenth, datagramsOut: tenth * 2, cursorsIn: tenth * 10 }
      rates = meter.sample(tenth * 100, { ...stats, datagramBytesIn: tenth * 20 + (isLate ? (tenth - 20) * 10 : 0) })
    }
    expect(rates).toEqual({ bytesPerCursor: 3, mapBytesPerCursor: 15, datagramsIn: 10, datagramsOut: 20 })
  })

  it('begins anew with another connection', () => {
    const { room, move } = movingRoom()
    const meter = new Meter(room)
    meter.sample(0, { ...NONE, datagramsIn: 900, datagramBytesIn: 9_000, cursorsIn: 300 })
    move()
    const rates = meter.sample(100, { ...NONE, datagramsIn: 2, datagramBytesIn: 20, cursorsIn: 1 })
    expect(rates).toMatchObject({ bytesPerCursor: null, datagramsIn: 0 })
  })
})
